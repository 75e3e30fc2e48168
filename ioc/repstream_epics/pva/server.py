"""`PvaServer`: engines as PVs over PV Access; p4p serves them from threads of its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from ipaddress import ip_address
from typing import NamedTuple

from p4p.server import DynamicProvider, Server, StaticProvider

from repstream.lifetime import Running
from repstream.protocol import Engine
from repstream_epics import names
from repstream_epics.access import WriteAccess
from repstream_epics.pva.engine_pvs import EnginePVs
from repstream_epics.pva.pictures import PictureChannels, PictureProvider

PORT = 5075
SEARCH_PORT = 5076


class _Part(NamedTuple):
    """All that shows one engine."""

    values: EnginePVs
    pictures: PictureChannels

    @property
    def names(self) -> list[str]:
        return [*self.values.names, *self.pictures.names]

    def start(self) -> None:
        self.values.start()
        self.pictures.start()

    def close(self) -> None:
        self.values.close()
        self.pictures.close()


class PvaServer(Running):
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
        self._prefix, self._access = prefix, access or WriteAccess()
        self._values = StaticProvider("repstream")
        self._pictures = PictureProvider()
        self._channels = DynamicProvider("repstream pictures", self._pictures)
        self._open = ExitStack()
        self._parts: dict[str, _Part] = {}
        for name, engine in engines.items():
            self._enter(name, self._part(name, engine))

    @property
    def port(self) -> int:
        """Port of connections; after `start` never 0. Name servers (TCP only) are given this one."""
        return self._port

    @property
    def names(self) -> Iterable[str]:
        """What is served, by full PV name."""
        return [name for part in self._parts.values() for name in part.names]

    def start(self) -> None:
        """Serve; clients can connect when this returns. Raises `OSError` where it cannot listen."""
        self._open.callback(self._close)
        for part in self._parts.values():
            part.start()
        # p4p keeps no reference to them; connections are offered in this order.
        providers = [(self._values, 0), (self._channels, 1)]
        try:
            server = Server(providers, conf=self._configuration(), useenv=False)
        except RuntimeError as error:
            self.close()
            where = f"ports {self._port} and {self.search_port} on {self._interface}"
            raise OSError(f"PV Access cannot listen, {where}: {error}") from error
        self._open.callback(server.stop)
        self._port = int(server.conf()["EPICS_PVAS_SERVER_PORT"])

    def close(self) -> None:
        """Close all connections; harmless when it does not run."""
        self._open.close()

    def add(self, name: str, engine: Engine) -> None:
        """Show one more engine, while it serves.

        Raises `ValueError` for names that collide or are too long; nothing has changed then.
        """
        part = self._part(name, engine)
        part.start()
        self._enter(name, part)

    def remove(self, name: str) -> None:
        """Show an engine no more; clients of its PVs are disconnected, and find them when they return.

        Nothing happens where none of this name is shown.
        """
        part = self._parts.pop(name, None)
        if part is not None:
            for pv_name, _ in part.values.served():
                self._values.remove(pv_name)
            self._pictures.remove(part.pictures)
            part.close()

    def _part(self, name: str, engine: Engine) -> _Part:
        of_engine = names.prefix_of(self._prefix, name)
        part = _Part(EnginePVs(engine, of_engine, self._access), PictureChannels(engine, of_engine))
        if twice := set(self.names) & set(part.names):
            raise ValueError(f"{min(twice)} would be there twice; put {names.ENGINE_MACRO} into the prefix")
        return part

    def _enter(self, name: str, part: _Part) -> None:
        self._parts[name] = part
        self._pictures.add(part.pictures)
        for pv_name, pv in part.values.served():
            self._values.add(pv_name, pv)

    def _close(self) -> None:
        for part in self._parts.values():
            part.close()

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
