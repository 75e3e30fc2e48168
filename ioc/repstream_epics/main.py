"""`repstream-ioc`: the IOC as a process of its own, attached to engines by address."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from repstream.errors import EngineUnreachable
from repstream.garbage_collection import leave_alone
from repstream.link.attach import addresses_of, attached
from repstream.link.fitting import Fit
from repstream.link.remote import RemoteEngine
from repstream.logs import log_to_stderr
from repstream_epics.access import WriteAccess
from repstream_epics.options import Engines, Key, Prefix
from repstream_epics.server import INTERFACE, PORT, PREFIX, IocServer
from repstream_epics.views import chosen

if TYPE_CHECKING:
    from repstream_epics.pva.server import PvaServer

ENDS = (signal.SIGINT, signal.SIGTERM)
JOIN_TIME = 5.0
"""Seconds that a start waits for each engine, to learn its catalogue; without it the usual one is served."""

LOOK_TIME = 1.0
"""Seconds between two looks whether the engines are what the PVs were made for."""

log = logging.getLogger(__name__)


def run(
    engines: Engines = None,
    *,
    prefix: Prefix = PREFIX,
    host: Annotated[
        str,
        typer.Option(
            envvar="EPICS_CAS_INTF_ADDR_LIST", help="Address to listen on; 0.0.0.0 for all networks."
        ),
    ] = INTERFACE,
    port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            envvar=["EPICS_CAS_SERVER_PORT", "EPICS_CA_SERVER_PORT"],
            help="Channel Access port; 0 takes a free one.",
        ),
    ] = PORT,
    allow_user: Annotated[
        list[str] | None,
        typer.Option(help="User who may write, as the client says; repeat it.", show_default="every user"),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Host from which clients may write; repeat it.", show_default="any host"),
    ] = None,
    key: Key = "",
    areadetector: Annotated[
        str,
        typer.Option(
            metavar="PREFIX",
            help="Serve writer 1 as areaDetector too: PREFIXcam1:… and PREFIXHDF1:…; "
            "$(ENGINE) in it is the engine's name.",
            show_default="not served",
        ),
    ] = "",
    pva: Annotated[
        bool, typer.Option("--pva", help="Serve the same names over PV Access too, and pictures.")
    ] = False,
    pva_port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            envvar="EPICS_PVAS_SERVER_PORT",
            help="Its port; a free one where that is taken, or 0.",
        ),
    ] = 5075,
    list_pvs: Annotated[
        bool, typer.Option("--list-pvs", help="Print the names of all PVs as `repstream pvs` does, and end.")
    ] = False,
) -> None:
    """Serve engines as EPICS PVs over Channel Access.

    The engines need not run yet, and may be started again at any time. Where one has other parameters then,
    the PVs are made anew, and clients connect again.
    """
    try:
        addresses = addresses_of(engines or ())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    log_to_stderr()
    logging.getLogger("caproto").setLevel(logging.WARNING)  # a line for each client that comes and goes
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # inherited by the threads; only sigwait takes them
    with ExitStack() as stack:
        engines_there = stack.enter_context(attached(addresses, key, "epics"))
        for engine in engines_there.values():
            _join(engine)
        access = WriteAccess.of(allow_user or (), allow_host or ())
        site = _Site(engines_there, prefix, host, port, areadetector, access, pva_port if pva else None)
        try:
            if list_pvs:
                typer.echo("\n".join(site.names()))
                return
            while different := site.serve():
                log.warning("the PVs are made anew for another engine: %s", different)
        except (OSError, ValueError) as error:
            raise typer.BadParameter(str(error)) from error


@dataclass
class _Site:
    """What is served, and where; a port that was free at first is kept. `pva_port` None: no PV Access."""

    engines: Mapping[str, RemoteEngine]
    prefix: str
    host: str
    port: int
    areadetector: str
    access: WriteAccess
    pva_port: int | None

    def names(self) -> Iterator[str]:
        """Of all PVs, those of Channel Access first."""
        ioc, over_pva = self._made()
        yield from ioc.channels
        if over_pva is not None:
            yield from sorted(set(over_pva.names) - ioc.channels.keys())

    def serve(self) -> str:
        """Serve until a signal ends it (empty), or until the PVs do not fit an engine: what does not."""
        fit = Fit(self.engines)
        ioc, over_pva = self._made()
        with ioc, over_pva or nullcontext():
            self.port = ioc.port
            typer.echo(
                f"{len(ioc.channels)} PVs on {self.host}:{self.port}, such as {next(iter(ioc.channels))}"
            )
            if over_pva is not None:
                self.pva_port = over_pva.port
                typer.echo(f"over PV Access as well, on {self.host}:{self.pva_port}")
            leave_alone()
            while signal.sigtimedwait(ENDS, LOOK_TIME) is None:
                if different := fit.misfit():
                    return different
        return ""

    def _made(self) -> tuple[IocServer, PvaServer | None]:
        """The servers of the engines as they are now, not started."""
        views = chosen(self.areadetector)
        ioc = IocServer(self.engines, self.prefix, self.port, self.host, views, access=self.access)
        if self.pva_port is None:
            return ioc, None
        return ioc, _pva(self.engines, self.prefix, self.pva_port, self.host, self.access)


def _pva(
    engines: Mapping[str, RemoteEngine], prefix: str, port: int, host: str, access: WriteAccess
) -> PvaServer:
    try:
        from repstream_epics.pva.server import PvaServer  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise typer.BadParameter("PV Access is not installed: pip install 'repstream[pva]'") from error
    return PvaServer(engines, prefix, port, host, access=access)


def _join(engine: RemoteEngine) -> None:
    try:
        engine.wait_connected(JOIN_TIME)
    except EngineUnreachable as error:
        log.warning("%s; serving the usual PVs as INVALID until then", error)


def main() -> None:
    """Entry point of the console script."""
    typer.run(run)


if __name__ == "__main__":
    main()
