"""What a running engine says of itself, for the checks."""

from __future__ import annotations

import os
import platform
import queue
from contextlib import closing, suppress
from pathlib import Path

from repstream.link.remote import RemoteEngine
from repstream.parameters import storage
from repstream.parameters.catalogue import Group
from repstream.parameters.configuration import Configuration
from repstream.parameters.status import EngineStatus, SourceStatus
from repstream_cli.doctor.machine import Machine
from repstream_cli.doctor.site import RunningEngine

HEARTBEATS = 2.5
"""Seconds in which an engine says the time at least twice."""

Seen = tuple[RunningEngine, Configuration, tuple[Path, ...]]


def ask(address: str, key: str, timeout: float, machine: Machine) -> Seen:
    """The engine at `address`, its configuration and its folders; raises `EngineUnreachable`."""
    with closing(RemoteEngine(address, key)) as remote:
        remote.wait_connected(timeout)
        ahead: queue.Queue[float] = queue.Queue()
        remote.subscribe(lambda event: ahead.put(event.time - machine.now()))
        values = remote.snapshot().values
        catalogue = remote.catalogue
        difference = 0.0
        with suppress(queue.Empty):  # its heart beats once a second
            difference = ahead.get(timeout=max(timeout, HEARTBEATS))
    status = EngineStatus.of(catalogue.fields(values, Group.ENGINE))
    source = SourceStatus.of(catalogue.fields(values, Group.SOURCE))
    engine = RunningEngine(
        name=status.name,
        state=status.state,
        losing=status.losing,
        last_error=status.last_error,
        version=status.version,
        host=status.host,
        here=status.host == platform.node(),
        ahead=difference,
        source_connected=source.connected,
        link_problem=source.link_problem,
    )
    configuration = storage.parse(status.config, "the engine's configuration", Configuration)
    return engine, configuration, tuple(Path(root) for root in status.roots.split(os.pathsep) if root)
