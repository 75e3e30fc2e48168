"""`repstream-http`: the HTTP server as a process of its own, attached to engines by address."""

from __future__ import annotations

import logging
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from repstream.errors import Refused
from repstream.link.attach import DEFAULT_ADDRESS, DEFAULT_NAME, addresses_of, attached
from repstream.logs import log_to_stderr
from repstream_http import certificate
from repstream_http.app import create_app
from repstream_http.guard import Guard, open_to_all
from repstream_http.options import option
from repstream_http.server import HttpServer

log = logging.getLogger(__name__)

ENDS = (signal.SIGINT, signal.SIGTERM)


def run(
    *,
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
    read_token: Annotated[
        str, typer.Option(envvar="REPSTREAM_HTTP_READ_TOKEN", help="Token needed for reading.")
    ] = "",
    change_token: Annotated[
        str, typer.Option(envvar="REPSTREAM_HTTP_CHANGE_TOKEN", help="Token needed for changes.")
    ] = "",
    read_only: Annotated[bool, typer.Option("--read-only", help="Refuse all changes.")] = False,
    tls_certificate: Annotated[Path | None, option("tls_certificate")] = None,
    tls_key: Annotated[Path | None, option("tls_key")] = None,
) -> None:
    """Serve engines over HTTP: a page, a JSON API, pictures, a WebSocket of changes, Prometheus metrics.

    The engines need not run yet, and may be started again at any time.
    """
    try:
        addresses = addresses_of(engines or ())
        guard = Guard(read_token, change_token, read_only)
        own = certificate.given(tls_certificate, tls_key)
    except (Refused, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    log_to_stderr()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # inherited by the threads; only sigwait takes them
    with ExitStack() as stack:
        engines_there = stack.enter_context(attached(addresses, key, "http"))
        try:
            server = stack.enter_context(HttpServer(create_app(engines_there, guard), host, port, own))
        except OSError as error:
            raise typer.BadParameter(f"cannot listen on {host}:{port}: {error.strerror}") from error
        if warning := open_to_all(host, guard):
            log.warning("%s", warning)
        typer.echo(f"{server.url}  (Ctrl-C ends)")
        signal.sigwait(ENDS)


def main() -> None:
    """Entry point of the console script."""
    typer.run(run)
