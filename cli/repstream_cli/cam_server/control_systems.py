"""The cameras or the pipelines of a server in Tango and EPICS, as they come and go."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from repstream.errors import RepstreamError
from repstream.instances.engine import InstanceEngine
from repstream.instances.saved.engines import SavedEngines
from repstream_cli import ports
from repstream_cli.addresses import local
from repstream_cli.cam_server.tango_devices import TangoDevices, device_name
from repstream_cli.stack import EpicsOptions, TangoOptions, epics_servers

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks at what is saved."""


@dataclass(frozen=True, slots=True)
class ControlSystems:
    """Which of them are served; one that is None is not. `only`: names of what is shown; empty: all."""

    tango: TangoOptions | None = None
    epics: EpicsOptions | None = None
    only: tuple[str, ...] = ()

    def check_ports(self, host: str) -> None:
        """Raises `PortTakenError` where one cannot listen, and says which option to give."""
        if self.tango is not None and not self.tango.database:
            ports.require(host, self.tango.port, "the Tango server", "--tango-port")
        if self.epics is not None and host != "0.0.0.0":
            ports.require(host, self.epics.port, "the EPICS server", "--epics-port", udp=True)


class FrontEnd(Protocol):
    """Shows engines in one control system. Raises `ValueError` for a name that it cannot carry."""

    def add(self, name: str, engine: InstanceEngine) -> None: ...

    def remove(self, name: str) -> None:
        """Show one no more; nothing happens where it was not shown."""

    def tend(self) -> None:
        """Look after what it needs."""


class FrontEnds:
    """All front ends of a server, and the engines that they show; `lines` say where they are."""

    def __init__(
        self,
        engines: SavedEngines | None = None,
        front_ends: Sequence[FrontEnd] = (),
        lines: Sequence[str] = (),
    ) -> None:
        self._engines = engines
        self._front_ends = front_ends
        self.lines = lines
        self._due = time.monotonic() + LOOK

    def tend(self) -> None:
        """Show what is saved by now; call it once in a while."""
        for each in self._front_ends:
            each.tend()
        if self._engines is not None and time.monotonic() >= self._due:
            self._due = time.monotonic() + LOOK
            self._follow(self._engines)

    def _follow(self, engines: SavedEngines) -> None:
        try:
            gone, new = engines.look()
        except (OSError, RepstreamError) as error:
            log.error("what is saved cannot be read: %s", error)
            return
        for name, engine in gone.items():
            for each in self._front_ends:
                each.remove(name)
            engine.close()
        for name, engine in new.items():
            for each in self._front_ends:
                try:
                    each.add(name, engine)
                except (ValueError, RepstreamError) as error:
                    log.error("%s is not shown: %s", name, error)


@contextmanager
def served(engines: SavedEngines, kind: str, wanted: ControlSystems, host: str) -> Iterator[FrontEnds]:
    """The front ends of these engines, which follow what is saved.

    Raises `ValueError` for a name that a control system cannot carry, `ChildError` where the Tango server
    does not come up.
    """
    with ExitStack() as stack:
        lines: list[str] = []
        front_ends: list[FrontEnd] = []
        if wanted.epics is not None:
            servers = stack.enter_context(epics_servers(engines.current(), wanted.epics, host))
            front_ends.append(servers)
            lines.append(f"EPICS   {wanted.epics.prefix}State_RBV on port {servers.port}")
            if servers.pva_port:
                lines.append(f"PVA     {wanted.epics.prefix}Image on port {servers.pva_port}")
        if wanted.tango is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="repstream-tango-")))
            devices = TangoDevices(kind, wanted.tango, host, folder / "devices.json")
            stack.callback(devices.close)
            devices.open(engines.current())
            front_ends.append(devices)
            where = wanted.tango.database or f"{local(host)}:{wanted.tango.port}"
            end = "" if wanted.tango.database else "#dbase=no"
            lines.append(f"Tango   tango://{where}/{device_name(kind, '$(ENGINE)')}{end}")
        yield FrontEnds(engines, front_ends, lines)
