"""The cores on which a data plane runs."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from repstream.errors import Refused
from repstream.parameters.receivers import parse_cpus

_ANY = os.sched_getaffinity(0)
"""The cores that the process was given by whoever started it."""


def pin(cpus: str) -> None:
    """Run on the cores of the first receiver in `cpus` from now on, on any where there is none.

    It holds for all threads, and for those that are started later. Raises `Refused` for cores that are
    not there.
    """
    wanted = parse_cpus(cpus)
    try:
        for thread in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), wanted[0] if wanted else _ANY)
    except OSError as error:
        there = ", ".join(map(str, sorted(_ANY)))
        reason = f"the data plane cannot run on {cpus}: {error.strerror}; there are the cores {there}"
        raise Refused("source.receiver_cpus", reason) from error
