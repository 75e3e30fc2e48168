"""The files of several hosts that shared the images of one acquisition by their ids, shown as one.

Place p shows the image with the id ``first_id + p``, whichever file has it. What is in none of them is
blank: the largest value of an unsigned type, -1 or NaN, and status 2 in the metadata.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.errors import StorageError
from repstream.files import gaps, part_files
from repstream.files.nexus import nodes, places
from repstream.files.paths import check_target
from repstream.files.plan import GOOD, Scalar, lost_row

_ID, _STATUS = "image_id", "status"


@dataclass(frozen=True, slots=True)
class Share:
    """What a host has of the acquisition: images that came, and ids of its own that did not."""

    host: str
    file: str
    written: int
    missing: int


@dataclass(frozen=True, slots=True)
class Joined:
    """What was made: how many places it has, what each host has of it, and the ids that nobody has."""

    path: Path
    count: int
    shares: tuple[Share, ...]
    missing_ids: list[gaps.Range]

    @property
    def written(self) -> int:
        """Images that are shown."""
        return sum(share.written for share in self.shares)


def join(
    target: Path,
    files: Mapping[str, Path],
    first_id: int,
    count: int,
    facts: Mapping[str, Scalar],
) -> Joined:
    """Make `target`, which shows the images with the ids ``first_id`` … ``first_id + count - 1``.

    `files`: host -> its file beside `target`; the host at place k has the ids with id % N == k, each
    at its place by id. A file that is not there has no images. `facts`: what else is known of the
    acquisition, as in `places.RESULTS`. Raises `Refused` where `target` may not be made, StorageError
    where the files do not belong together or have no image.
    """
    folder = target.parent.resolve()
    target = check_target(target, [folder])
    if strangers := [str(path) for path in files.values() if path.parent.resolve() != folder]:
        raise StorageError(f"{', '.join(strangers)} must lie beside the file that shows it, in {folder}")
    hosts, number = list(files), len(files)
    # The file whose turn is first stands first.
    hosts = [hosts[(first_id + column) % number] for column in range(number)]
    parts = {host: part_files.part_at(files[host], [folder]) for host in hosts if files[host].exists()}
    found = {host: part for host, part in parts.items() if part.count and len(part.rows)}
    if not found:
        raise StorageError(f"no file beside {target} has an image of this acquisition")
    part_files.check_alike(list(found.values()))
    first = next(iter(found.values()))
    rows = _blank(found.values(), first_id, count)
    turns = []
    for column, host in enumerate(hosts):
        own = range(column, count, number)
        turns.append(_enter(rows, own, found[host], first_id) if host in found else range(0))
    came = rows[_STATUS] == GOOD
    missing = gaps.joined([(first_id + p, first_id + p) for p in np.flatnonzero(~came).tolist()], [])
    shares = tuple(
        Share(host, files[host].name, int(came[column::number].sum()), int((~came[column::number]).sum()))
        for column, host in enumerate(hosts)
    )
    joined = Joined(target, count, shares, missing)
    tree = part_files.shown_tree([files[host].name for host in hosts], first, count, rows, turns)
    part_files.store(target, tree | _facts(joined, facts))
    return joined


def _blank(parts: Collection[part_files.Part], first_id: int, count: int) -> NDArray[Any]:
    """Rows with the members that all files have, as if every image were lost."""
    kinds = [part.rows.dtype for part in parts]
    names = [name for name in kinds[0].names or () if all(name in (kind.names or ()) for kind in kinds)]
    if _ID not in names or _STATUS not in names:
        raise StorageError(f"the metadata have no {_ID} and {_STATUS}: these are no files of such hosts")
    kind = np.dtype([(name, kinds[0][name]) for name in names])
    rows = np.full(count, lost_row(kind))
    rows[_ID] = first_id + np.arange(count, dtype=np.uint64)
    return rows


def _enter(rows: NDArray[Any], own: range, part: part_files.Part, first_id: int) -> range:
    """Enter the rows of a file at its places `own`; the turns whose images it has."""
    theirs = part.rows[: part.count]
    ids, step = theirs[_ID], own.step
    good = np.flatnonzero(theirs[_STATUS] == GOOD)
    if not len(good):
        return range(0)
    # By the first image that came: a blank place behind the last one may lie beyond the acquisition.
    begin = int(ids[good[0]]) - int(good[0]) * step
    turn, between = divmod(begin - first_id - own.start, step)
    expected = begin + np.arange(len(theirs), dtype=np.uint64) * np.uint64(step)
    if between or turn < 0 or not np.array_equal(ids[good], expected[good]):
        raise StorageError(
            f"{part.path} has other images than the ids {first_id + own.start}, "
            f"{first_id + own.start + step} and so on, each at its place"
        )
    last = min(len(own), turn + len(theirs))
    found = own[turn:last]
    for name in rows.dtype.names or ():
        rows[name][found.start : found.stop : step] = theirs[name][: len(found)]
    return range(turn, max(turn, last))


def _facts(joined: Joined, facts: Mapping[str, Scalar]) -> dict[str, nodes.Node]:
    group = places.ACQUISITION
    missing = gaps.count(joined.missing_ids)
    hosts = {s.host: {"file": s.file, "written": s.written, "missing": s.missing} for s in joined.shares}
    values: dict[str, Scalar] = {
        **facts,
        "hosts": json.dumps(hosts),
        "num_requested": joined.count,
        "written": joined.written,
        "missing": missing,
        "missing_ids": gaps.as_text(joined.missing_ids),
    }
    fields = {
        f"{group}/{name}": nodes.Field(places.RESULTS.get(name) or nodes.field_dtype(value), value)
        for name, value in values.items()
    }
    return {group: nodes.Group({"NX_class": "NXcollection"}), **fields}
