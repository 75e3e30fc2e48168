"""`PvaServer`: engines as PVs over PV Access; p4p serves them from threads of its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from p4p.server import DynamicProvider, Server, StaticProvider

from repstream.protocol import Engine
from repstream_epics import names
from repstream_epics.access import WriteAccess
from repstream_epics.pva.engine_pvs import EnginePVs
from repstream_epics.pva.pictures import PictureChannels, PictureProvider

PORT = 5075
SEARCH_PORT = 5076


class PvaServer:
    """The PVs of one or several engines, by the names that `IocServer` has, and pictures beside them.

    `port` is that of connections, where a free one is taken if it is in use (clients search), or if it is
    0; searches come to `search_port`. Raises `ValueError` for PV names that collide or are too long.
    """

    def __init__(
        self,
        engines: Mapping[str, Engine],
        prefix: str,
        port: int = PORT,
        interface: str = "127.0.0.1",
        *,
        search_port: int | None = None,
        access: WriteAccess | None = None,
    ) -> None:
        self._interface = socket.gethostbyname(interface)
        self._port = port
        self.search_port = search_port or int(os.environ.get("EPICS_PVAS_BROADCAST_PORT", SEARCH_PORT))
        self._values = StaticProvider("repstream")
        self._open = ExitStack()
        self._names: list[str] = []
        self._engines: list[EnginePVs] = []
        self._pictures: list[PictureChannels] = []
        for name, engine in engines.items():
            of_engine = names.prefix_of(prefix, name)
            self._engines.append(EnginePVs(engine, of_engine, access or WriteAccess()))
            self._pictures.append(PictureChannels(engine, of_engine))
            self._enter([*self._engines[-1].names, *self._pictures[-1].names])
            for pv_name, pv in self._engines[-1].served():
                self._values.add(pv_name, pv)

        self._channels = DynamicProvider("repstream pictures", PictureProvider(self._pictures))

    @property
    def port(self) -> int:
        """Port of connections; after `start` never 0. Name servers (TCP only) are given this one."""
        return self._port

    @property
    def names(self) -> Iterable[str]:
        """What is served, by full PV name."""
        return self._names

    def start(self) -> None:
        """Serve; clients can connect when this returns. Raises `OSError` where it cannot listen."""
        for values, pictures in zip(self._engines, self._pictures, strict=True):
            values.start()
            self._open.callback(values.close)
            pictures.start()
            self._open.callback(pictures.close)
        # p4p keeps no reference to them; connections are offered in this order.
        providers = [(self._values, 0), (self._channels, 1)]
        try:
            server = Server(providers, conf=self._configuration(), useenv=False)
        except RuntimeError as error:
            self.stop()
            where = f"ports {self._port} and {self.search_port} on {self._interface}"
            raise OSError(f"PV Access cannot listen, {where}: {error}") from error
        self._open.callback(server.stop)
        self._port = int(server.conf()["EPICS_PVAS_SERVER_PORT"])

    def stop(self) -> None:
        """Close all connections; harmless when it does not run."""
        self._open.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _enter(self, more: list[str]) -> None:
        if twice := set(self._names) & set(more):
            raise ValueError(f"{min(twice)} would be there twice; put {names.ENGINE_MACRO} into the prefix")
        self._names += more

    def _configuration(self) -> dict[str, str]:
        """Beacons go to nobody beyond this host while it listens on loopback."""
        quiet = ip_address(self._interface).is_loopback
        return {
            "EPICS_PVAS_INTF_ADDR_LIST": self._interface,
            "EPICS_PVAS_SERVER_PORT": str(self._port),
            "EPICS_PVAS_BROADCAST_PORT": str(self.search_port),
            "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO" if quiet else "YES",
            "EPICS_PVAS_BEACON_ADDR_LIST": self._interface if quiet else "",
        }
