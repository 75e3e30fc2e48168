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
from repstream_http.app import create_app
from repstream_http.guard import open_to_all
from repstream_http.options import MOST_CHANGES, MOST_READS, option
from repstream_http.protection import Protection
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
    read_token: Annotated[str, option("read_token", "--read-token")] = "",
    change_token: Annotated[str, option("change_token", "--change-token")] = "",
    read_only: Annotated[bool, option("read_only", "--read-only")] = False,
    tokens: Annotated[Path | None, option("tokens", "--tokens")] = None,
    open_reading: Annotated[bool, option("open_reading", "--open-reading")] = False,
    most_reads: Annotated[float, option("most_reads", "--max-reads")] = MOST_READS,
    most_changes: Annotated[float, option("most_changes", "--max-changes")] = MOST_CHANGES,
    tls_certificate: Annotated[Path | None, option("tls_certificate")] = None,
    tls_key: Annotated[Path | None, option("tls_key")] = None,
) -> None:
    """Serve engines over HTTP: a page, a JSON API, pictures, a WebSocket of changes, Prometheus metrics.

    The engines need not run yet, and may be started again at any time.
    """
    try:
        addresses = addresses_of(engines or ())
        protection = Protection.of(
            read_token=read_token,
            change_token=change_token,
            read_only=read_only,
            tokens=tokens,
            open_reading=open_reading,
            most_reads=most_reads,
            most_changes=most_changes,
            tls_certificate=tls_certificate,
            tls_key=tls_key,
        )
    except (Refused, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    log_to_stderr()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # inherited by the threads; only sigwait takes them
    with ExitStack() as stack:
        engines_there = stack.enter_context(attached(addresses, key, "http"))
        app = create_app(engines_there, protection.guard, limits=protection.limits)
        try:
            server = stack.enter_context(HttpServer(app, host, port, protection.certificate))
        except OSError as error:
            raise typer.BadParameter(f"cannot listen on {host}:{port}: {error.strerror}") from error
        if warning := open_to_all(host, protection.guard):
            log.warning("%s", warning)
        typer.echo(f"{server.url}  (Ctrl-C ends)")
        signal.sigwait(ENDS)


def main() -> None:
    """Entry point of the console script."""
    typer.run(run)
