"""Serving an engine and its front ends until somebody ends it."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

import typer

from repstream.errors import PortTakenError, RepstreamError, Unanswered
from repstream.garbage_collection import leave_alone
from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Role
from repstream.protocol import Engine
from repstream.states import is_open
from repstream_cli import addresses
from repstream_cli.exits import Exit
from repstream_cli.notify import Notifier
from repstream_cli.requester import requester
from repstream_cli.stack import Stack, StackOptions
from repstream_cli.traces import traced

log = logging.getLogger(__name__)

TEND = 0.5
"""Seconds between two looks at the child processes."""


def run(options: StackOptions, stop: threading.Event, start: bool, command: str = "repstream serve") -> Exit:
    """Serve until `stop`, as `command`; returns the exit code."""
    try:
        with traced(options.engine.name), Stack(options) as stack:
            typer.echo("\n".join(addresses.lines(stack)))
            if start and not _is_running(stack.service):
                with suppress(Unanswered):  # on a busy machine; it goes on, and the log says so
                    stack.service.execute("engine.start", None, requester("serve"))
            heartbeat = stack.service.catalogue.key(Role.HEARTBEAT, Group.ENGINE)
            notifier = Notifier(lambda: stack.service.read(heartbeat).value)
            notifier.ready(f"serving {stack.engine_address}")
            typer.echo("serving; Ctrl-C ends it")
            leave_alone()
            while not stop.wait(TEND):
                stack.tend()
                notifier.tend()
            notifier.stopping()
            log.info("ending")
    except (RepstreamError, OSError, ValueError) as error:
        typer.echo(f"{command}: {error}", err=True)
        return Exit.USAGE if isinstance(error, PortTakenError) else Exit.FAULTS
    return Exit.OK


def _is_running(engine: Engine) -> bool:
    """Whether the repeater runs already, since its data plane was taken up."""
    return is_open(engine.read(engine.catalogue.key(Role.STATE, Group.ENGINE)).value)
