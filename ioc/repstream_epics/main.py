"""`repstream-ioc`: the IOC as a process of its own, attached to engines by address."""

from __future__ import annotations

import logging
import signal
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import Annotated

import typer

from repstream.errors import EngineUnreachable
from repstream.service.remote import RemoteEngine
from repstream_epics.server import INTERFACE, PORT, PREFIX, IocServer

DEFAULT_NAME = "repstream"
DEFAULT_ADDRESS = "tcp://127.0.0.1:9600"
ENDS = (signal.SIGINT, signal.SIGTERM)
JOIN_TIME = 5.0
"""Seconds that a start waits for each engine, to learn its catalogue; without it the usual one is served."""

log = logging.getLogger(__name__)


def run(
    engines: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]ADDRESS...",
            help=f"Engines. Without a name: {DEFAULT_NAME}.",
            show_default=DEFAULT_ADDRESS,
        ),
    ] = None,
    *,
    prefix: Annotated[
        str, typer.Option(help="Beginning of all PV names; $(ENGINE) in it is the engine's name.")
    ] = PREFIX,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all networks.")] = INTERFACE,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Channel Access port; 0 takes a free one.")
    ] = PORT,
    key: Annotated[str, typer.Option(envvar="REPSTREAM_KEY", help="Key of the engines' addresses.")] = "",
    list_pvs: Annotated[
        bool, typer.Option("--list-pvs", help="Print name, record type and description of all PVs, and end.")
    ] = False,
) -> None:
    """Serve engines as EPICS PVs over Channel Access.

    The engines need not run yet, and may be started again at any time.
    """
    addresses = addresses_of(engines or [DEFAULT_ADDRESS])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("caproto").setLevel(logging.WARNING)  # a line for each client that comes and goes
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # inherited by the threads; only sigwait takes them
    with ExitStack() as stack:
        attached = {
            name: stack.enter_context(closing(RemoteEngine(address, key, "epics")))
            for name, address in addresses.items()
        }
        for engine in attached.values():
            _join(engine)
        try:
            ioc = IocServer(attached, prefix, port, host)
            if not list_pvs:
                stack.enter_context(ioc)
        except (OSError, ValueError) as error:
            raise typer.BadParameter(str(error)) from error
        if list_pvs:
            _print_pvs(ioc)
            return
        typer.echo(f"{len(ioc.channels)} PVs on {host}:{ioc.port}, such as {next(iter(ioc.channels))}")
        signal.sigwait(ENDS)


def addresses_of(engines: list[str]) -> Mapping[str, str]:
    """Addresses by name from ``[name=]tcp://host:port``; raises `typer.BadParameter`."""
    addresses: dict[str, str] = {}
    for given in engines:
        name, _, address = given.rpartition("=")
        name = name or DEFAULT_NAME
        if "://" not in address:
            raise typer.BadParameter(f"{given!r} is not of the form name=tcp://host:port")
        if name in addresses:
            raise typer.BadParameter(f"two engines have the name {name!r}")
        addresses[name] = address
    return addresses


def _join(engine: RemoteEngine) -> None:
    try:
        engine.wait_connected(JOIN_TIME)
    except EngineUnreachable as error:
        log.warning("%s; serving the usual PVs as INVALID until then", error)


def _print_pvs(ioc: IocServer) -> None:
    for name, channel in ioc.channels.items():
        typer.echo(f"{name}\t{channel.reported_record_type}\t{channel.__doc__}")


def main() -> None:
    """Entry point of the console script."""
    typer.run(run)


if __name__ == "__main__":
    main()
