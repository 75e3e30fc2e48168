"""`repstream-http`: the HTTP server as a process of its own, attached to engines by address."""

from __future__ import annotations

import logging
import signal
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import Annotated

import typer

from repstream.service.remote import RemoteEngine
from repstream_http.server import HttpServer

DEFAULT_NAME = "repstream"
DEFAULT_ADDRESS = "tcp://127.0.0.1:9600"
ENDS = (signal.SIGINT, signal.SIGTERM)


def run(
    engines: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]ADDRESS...",
            help=f"Engines; /api/v1 means the first. Without a name: {DEFAULT_NAME}.",
            show_default=DEFAULT_ADDRESS,
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8000,
    key: Annotated[str, typer.Option(envvar="REPSTREAM_KEY", help="Key of the engines' addresses.")] = "",
) -> None:
    """Serve engines over HTTP: a JSON API, a WebSocket of changes, Prometheus metrics.

    The engines need not run yet, and may be started again at any time.
    """
    addresses = addresses_of(engines or [DEFAULT_ADDRESS])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # inherited by the threads; only sigwait takes them
    with ExitStack() as stack:
        attached = {
            name: stack.enter_context(closing(RemoteEngine(address, key, "http")))
            for name, address in addresses.items()
        }
        try:
            server = stack.enter_context(HttpServer(attached, host, port))
        except OSError as error:
            raise typer.BadParameter(f"cannot listen on {host}:{port}: {error.strerror}") from error
        typer.echo(f"{server.url}  (Ctrl-C ends)")
        signal.sigwait(ENDS)


def addresses_of(engines: list[str]) -> Mapping[str, str]:
    """Addresses by name from ``[name=]tcp://host:port``; raises `typer.BadParameter`."""
    addresses: dict[str, str] = {}
    for given in engines:
        name, _, address = given.rpartition("=")
        name = name or DEFAULT_NAME
        if "/" in name or "://" not in address:
            raise typer.BadParameter(f"{given!r} is not of the form name=tcp://host:port")
        if name in addresses:
            raise typer.BadParameter(f"two engines have the name {name!r}")
        addresses[name] = address
    return addresses


def main() -> None:
    """Entry point of the console script."""
    typer.run(run)
