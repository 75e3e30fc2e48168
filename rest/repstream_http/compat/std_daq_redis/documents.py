"""The entries of the standard DAQ's Redis streams, out of what the engine shows. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repstream.parameters.facts import Value
from repstream_http.compat.std_daq import writing

ENTRY_ID = re.compile(r"\d{1,19}-\d{1,19}")
"""What Redis takes for the id of an entry; ids of configurations and acquisitions have that form."""

NEXT = "*"
"""Has Redis choose the id."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the stream ``<namespace>:<stream>``.

    `entry_id` is wanted where the stream's last one is lower, `NEXT` has Redis choose.
    """

    stream: str
    fields: Mapping[str, str]
    entry_id: str = NEXT


def status(fields: Mapping[str, Value]) -> Entry:
    """The writer object."""
    return Entry("status", _json(writing.writer(fields)))


def statistics(stats: Mapping[str, Any]) -> Entry:
    """The entry of a writer's statistics."""
    return Entry("stat", _json(stats))


def log(record: Mapping[str, Value], host: str) -> list[Entry]:
    """An acquisition that has ended, and the report about it; its id goes beside the document."""
    acquisition_id = str(record["acquisition_id"])
    document = writing.acquisition(record)
    return [
        Entry("log", {**_json(document), "acquisition_id": acquisition_id}, acquisition_id),
        _report(f"log:{acquisition_id}", host, document["message"]),
    ]


def config(kept: str, host: str) -> list[Entry]:
    """A configuration of the detector as it is kept, and the report that it is in force."""
    found = json.loads(kept)
    config_id = str(found["config_id"])
    return [
        Entry("config", _json(found["config"]), config_id),
        _report(f"config:{config_id}", host, "Done"),
    ]


def _report(stream: str, host: str, message: str) -> Entry:
    return Entry(stream, {"server_name": host, "message": message})


def _json(document: object) -> dict[str, str]:
    return {"json": json.dumps(document)}
