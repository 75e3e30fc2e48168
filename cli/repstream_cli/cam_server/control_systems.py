"""The cameras or the pipelines of a server in Tango and EPICS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from repstream.instances.engine import InstanceEngine
from repstream.link.server import EngineServer
from repstream_cli import ports
from repstream_cli.addresses import local
from repstream_cli.children import Child
from repstream_cli.stack import EpicsOptions, TangoOptions, epics_servers
from repstream_tango.command_line import DEVICE_NAME, READY_LINE, command_line


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


@contextmanager
def served(
    engines: Mapping[str, InstanceEngine], kind: str, wanted: ControlSystems, host: str
) -> Iterator[tuple[list[str], list[Child]]]:
    """The front ends of these engines; lines that say where they are, and processes to look after.

    Raises `ValueError` for a name that a control system cannot carry, `ChildError` where the Tango server
    does not come up.
    """
    if not engines:
        yield [], []
        return
    with ExitStack() as stack:
        lines: list[str] = []
        children: list[Child] = []
        if wanted.epics is not None:
            port, _ = stack.enter_context(epics_servers(engines, wanted.epics, host))
            lines.append(f"EPICS   {wanted.epics.prefix}State_RBV on port {port}")
        if wanted.tango is not None:
            children.append(_tango(engines, kind, wanted.tango, host, stack))
            where = wanted.tango.database or f"{local(host)}:{wanted.tango.port}"
            end = "" if wanted.tango.database else "#dbase=no"
            lines.append(f"Tango   tango://{where}/{device_name(kind, '$(ENGINE)')}{end}")
        yield lines, children


def device_name(kind: str, name: str) -> str:
    """The name of the device of a camera or a pipeline."""
    return f"repstream/{kind}/{name}"


def _tango(
    engines: Mapping[str, InstanceEngine], kind: str, tango: TangoOptions, host: str, stack: ExitStack
) -> Child:
    repeaters: dict[str, str] = {}
    for name, engine in engines.items():
        device = device_name(kind, name)
        if not DEVICE_NAME.fullmatch(device) or "," in name:
            raise ValueError(f"{name!r} cannot be part of a Tango device's name; --only NAME shows others")
        server = EngineServer(engine, f"tcp://{local(host)}:*")
        server.start()
        stack.callback(server.close)
        repeaters[device] = server.address
    command = command_line(
        next(iter(repeaters.values())),
        tango.instance,
        database=tango.database,
        register=tango.register,
        host=host,
        port=tango.port,
        repeaters=repeaters,
    )
    child = Child("tango", command, READY_LINE)
    stack.callback(child.stop)
    child.start()
    return child
