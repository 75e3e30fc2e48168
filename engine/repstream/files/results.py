"""An acquisition's results, written into the room that the file keeps for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

from repstream.files.failing import failing
from repstream.files.hdf5 import FieldPlace
from repstream.files.nexus.nodes import encode
from repstream.files.nexus.places import ACQUISITION, END_TIME, NIMAGES, RESULTS, iso_time
from repstream.files.plan import Scalar
from repstream.files.raw_io import write_all
from repstream.states import AcquisitionResult


class ResultFields:
    """The places of a file's result fields."""

    def __init__(self, fields: Mapping[str, FieldPlace]) -> None:
        self._fields = fields

    def encode(self, results: Mapping[str, Scalar], images: int | None = None) -> list[tuple[int, bytes]]:
        """(offset, bytes) of each result; the outcome comes last, since it says that all is there.

        `images`: how many places the file has. Raises ValueError for a name that is not in
        `places.RESULTS` or a value of the wrong kind.
        """
        unknown = sorted(set(results) - set(RESULTS))
        if unknown:
            raise ValueError(f"no room for {', '.join(unknown)}: a file keeps {', '.join(RESULTS)}")
        values = {f"{ACQUISITION}/{name}": value for name, value in results.items()}
        if "stop_time" in results:
            values[END_TIME] = iso_time(float(results["stop_time"]))
        if images is not None and NIMAGES in self._fields:
            values[NIMAGES] = images
        last = f"{ACQUISITION}/outcome"
        places = [(self._fields[path], values[path]) for path in sorted(values, key=last.__eq__)]
        writes: list[tuple[int, bytes]] = []
        for place, value in places:
            writes.append((place.offset, encode(value, place.dtype)))
            writes += [place.name] if place.name else []
        return writes


def write_results(fd: int, writes: list[tuple[int, bytes]]) -> None:
    """Write what `ResultFields.encode` returned. Raises OSError as the system gives it."""
    for offset, data in writes:
        write_all(fd, data, offset)


def close(fd: int, name: object) -> None:
    """Close a file; some storage reports only then what it could not keep (StorageError)."""
    with failing(name, "cannot be closed"):
        os.close(fd)


def as_failed(results: Mapping[str, Scalar], reason: object) -> dict[str, Scalar]:
    """These results of an acquisition that has failed at its very end."""
    return {**results, "outcome": AcquisitionResult.FAILED.value, "message": f"ERROR:{reason}"}


def enter_failure(fd: int, fields: ResultFields, reason: str) -> None:
    """Let a file that cannot be finished say so itself, where the storage still takes that."""
    with suppress(OSError):
        write_results(fd, fields.encode(as_failed({}, reason)))


def discard(fd: int) -> None:
    """Close a file that another one has replaced; what the storage could not keep of it is of no concern."""
    with suppress(OSError):
        os.close(fd)
