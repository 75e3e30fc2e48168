"""Several engines at one look, each a row: what it does, where, how much, since when."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repstream.link.attach import attached
from repstream.link.remote import RemoteEngine
from repstream.parameters.catalogue import Group, readable_time
from repstream.parameters.facts import Value
from repstream.parameters.status import EngineStatus, SourceStatus
from repstream.parameters.writer_status import NEWEST, AcquisitionStatus, WriterStatus
from repstream.states import is_in_error, is_writing

COLUMNS = ("engine", "host", "state", "rate", "load", "missing", "writers", "since", "starts")


@dataclass(frozen=True, slots=True)
class Seen:
    """An engine at one moment. `writing` is what its writers do; all is empty where it cannot be reached."""

    name: str
    address: str
    reachable: bool
    values: Mapping[str, Value]
    engine: EngineStatus
    source: SourceStatus
    writing: str
    time: float

    @property
    def is_well(self) -> bool:
        """Whether it is in no error and loses nothing."""
        return self.reachable and not is_in_error(self.engine.state) and not self.engine.losing

    def row(self) -> dict[str, str]:
        """What is shown of it, by column."""
        if not self.reachable:
            return {"engine": self.name, "host": self.address, "state": f"UNREACHABLE: {self.engine.status}"}
        engine, source = self.engine, self.source
        return {
            "engine": self.name,
            "host": engine.host,
            "state": f"{engine.state}{', losing frames' if engine.losing else ''}",
            "rate": f"{source.rate:.1f} Hz",
            "load": f"{source.throughput:.1f} MB/s",
            "missing": str(source.missing),
            "writers": self.writing or "none writes",
            "since": readable_time(self.time - engine.uptime).partition(".")[0],
            "starts": str(engine.starts or "-"),
        }

    def as_dict(self) -> dict[str, Any]:
        """The same for programs, with every value by key."""
        problem = "" if self.reachable else self.engine.status
        since = self.time - self.engine.uptime if self.reachable else None
        return {
            "name": self.name,
            "address": self.address,
            "reachable": self.reachable,
            "problem": problem,
            "host": self.engine.host,
            "since": since,
            "values": dict(self.values) if self.reachable else {},
        }


def look(addresses: Mapping[str, str], key: str, timeout: float) -> list[Seen]:
    """All engines as they are; waits at most `timeout` seconds, for all together."""
    end = time.monotonic() + timeout
    with attached(addresses, key, "status") as engines:
        while not all(engine.connected for engine in engines.values()) and time.monotonic() < end:
            time.sleep(0.02)
        return [_seen(name, engine) for name, engine in engines.items()]


def lines(seen: Sequence[Seen]) -> list[str]:
    """The table."""
    rows = [each.row() for each in seen]
    table = [{name: name.upper() for name in COLUMNS}, *rows]
    # What an engine says that cannot be reached stands alone behind its address, as long as it is.
    widths = {name: max(len(row[name]) for row in table if len(row) == len(COLUMNS)) for name in COLUMNS}
    for name in ("engine", "host"):
        widths[name] = max(len(row[name]) for row in table)
    return ["  ".join(text.ljust(widths[name]) for name, text in row.items()).rstrip() for row in table]


def _seen(name: str, engine: RemoteEngine) -> Seen:
    values, catalogue = engine.snapshot().values, engine.catalogue
    writing = []
    for slot in catalogue.slots(Group.WRITER) if engine.connected else ():
        fields = catalogue.fields(values, Group.WRITER, slot)
        writer, newest = WriterStatus.of(fields), AcquisitionStatus.of(fields, NEWEST.prefix)
        if is_writing(writer.state):
            wanted = f" of {newest.num_requested}" if newest.num_requested else ""
            writing.append(f"{writer.name} {newest.num_written}{wanted}")
    return Seen(
        name,
        engine.address,
        engine.connected,
        values,
        EngineStatus.of(catalogue.fields(values, Group.ENGINE)),
        SourceStatus.of(catalogue.fields(values, Group.SOURCE)),
        ", ".join(writing),
        time.time(),
    )
