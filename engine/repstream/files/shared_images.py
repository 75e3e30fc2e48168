"""The images that several receivers wrote of one acquisition, each into a file of its own, shown as one.

They are in the order of their ids, whichever file has them. By id, image i has the id
``first + i * step``, and one that is in none of the files is blank: the largest value of an unsigned type,
-1 or NaN, and status 2 in the metadata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from repstream.errors import StorageError
from repstream.files import hdf5
from repstream.files.nexus import trees
from repstream.files.nexus.nodes import ItemRun
from repstream.files.placeholder import Placeholder
from repstream.files.plan import Compression, Scalar, lost_row
from repstream.files.publish import close_stored, is_same_file, publish
from repstream.files.reader import FileReader
from repstream.files.results import ResultFields

_ID = "image_id"
_NONE = -1


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Where the image at each place lies: its id, the number of its file, -1 for none, its number there.

    `repeated`: images that are not shown, since another has the same id; `outside`: that have no place.
    """

    ids: NDArray[np.uint64]
    file: NDArray[np.int64]
    index: NDArray[np.int64]
    repeated: int
    outside: int

    @property
    def count(self) -> int:
        """Places."""
        return len(self.file)

    @property
    def written(self) -> int:
        """Images that are shown."""
        return int(np.count_nonzero(self.file != _NONE))


def arrange(
    ids: Sequence[NDArray[np.uint64]],
    step: int = 1,
    first: int | None = None,
    most: int = 0,
    *,
    by_id: bool = False,
) -> Arrangement:
    """Give each image its place: `ids` are those of the images of each file, in its order.

    `first`: the lowest id that belongs to them, None for that of the images. `most`: the number of ids, 0
    for up to the last. `by_id`: ids that are in no file have places, too.
    """
    all_ids = np.concatenate([np.asarray(one, np.uint64) for one in ids])
    file = np.repeat(np.arange(len(ids)), [len(one) for one in ids])
    index = np.concatenate([np.arange(len(one)) for one in ids])
    if first is None:
        first = int(all_ids.min()) if len(all_ids) else 0
    known = all_ids >= np.uint64(first)
    turn, between = np.divmod(all_ids - np.uint64(first), np.uint64(step))
    known &= between == 0
    if most:
        known &= turn < most
    places, kept = np.unique(turn[known].astype(np.int64), return_index=True)
    count = int(places[-1]) + 1 if len(places) else 0
    at = np.full((2, count), _NONE, np.int64)
    at[:, places] = np.stack([file, index])[:, known][:, kept]
    shown, inside = len(places), int(np.count_nonzero(known))
    held = np.arange(count) if by_id else places
    places_ids = np.uint64(first) + held.astype(np.uint64) * np.uint64(step)
    return Arrangement(places_ids, at[0][held], at[1][held], inside - shown, len(all_ids) - inside)


def runs_of(arrangement: Arrangement, columns: int) -> list[ItemRun]:
    """The images as runs in which file and place go on together, `columns` places apart, file by file."""
    runs = list[ItemRun]()
    for column in range(columns):
        file, index = arrangement.file[column::columns], arrangement.index[column::columns]
        if not len(file):
            continue
        goes_on = (file[1:] == file[:-1]) & (index[1:] == index[:-1] + 1)
        begins = np.concatenate([[0], np.flatnonzero(~goes_on) + 1, [len(file)]])
        runs += [
            ItemRun(int(file[begin]), int(index[begin]), column + int(begin) * columns, int(end - begin))
            for begin, end in pairwise(begins)
            if file[begin] != _NONE
        ]
    return sorted(runs)


def show(
    placeholder: Placeholder, images: SharedImages, compression: str, results: Mapping[str, Scalar]
) -> None:
    """Put a file that shows these images in the place of the one that waits for them, and finish it.

    It appears whole, with the results, and is on the disk then. Raises StorageError.
    """
    if not images.arrangement.count:
        placeholder.finish(results)
        return
    rows, columns = images.rows, images.columns
    members = tuple((name, rows.dtype[name]) for name in (rows.dtype.names or ())[2:])
    packed = cast(Compression, compression)
    plan = placeholder.plan_of(images.shape, images.dtype, members, packed, detector=None)
    runs = runs_of(images.arrangement, columns)
    image = hdf5.build(trees.shared_tree(plan, images.names, rows, runs, columns))
    data = bytearray(image.data)
    for offset, value in ResultFields(image.fields).encode(results, len(rows)):
        data[offset : offset + len(value)] = value
    path, state = placeholder.path, placeholder.state
    fd = publish(path, bytes(data), lambda: is_same_file(path, state), plan.user_id)
    placeholder.discard()
    close_stored(fd, path)


class SharedImages:
    """What is in the files of several receivers; those that are gone or have no image are left out.

    `arrangement`: see `arrange`, whose arguments the others are. Raises StorageError where a file cannot
    be read, or its images are of another kind.
    """

    def __init__(
        self, files: Sequence[Path], step: int, first: int | None, most: int, *, by_id: bool
    ) -> None:
        self.names = [path.name for path in files]
        self.counts = [0] * len(files)
        self.shape, self.dtype = (0, 0), np.dtype("u1")
        self._like = ""
        self._rows = [self._read(number, path) for number, path in enumerate(files)]
        ids = [np.zeros(0, np.uint64) if rows is None else rows[_ID] for rows in self._rows]
        self.arrangement = arrange(ids, step, first, most, by_id=by_id)

    @property
    def columns(self) -> int:
        """How many places apart the images of a file are to be looked for: what gives fewer runs counts."""
        found = {1, max(1, sum(count > 0 for count in self.counts))}
        return min(found, key=lambda columns: len(runs_of(self.arrangement, columns)))

    @property
    def rows(self) -> NDArray[Any]:
        """The metadata of all places, with the members that all files have."""
        held = [rows for rows in self._rows if rows is not None]
        names = [
            name for name in held[0].dtype.names or () if all(name in (r.dtype.names or ()) for r in held)
        ]
        kind = np.dtype([(name, held[0].dtype[name]) for name in names])
        where = self.arrangement
        shown = np.full(where.count, lost_row(kind))
        shown[_ID] = where.ids
        for number, rows in enumerate(self._rows):
            if rows is not None:
                own = where.file == number
                for name in names:
                    shown[name][own] = rows[name][where.index[own]]
        return shown

    def _read(self, number: int, path: Path) -> NDArray[Any] | None:
        if not path.exists():
            return None
        with FileReader(path) as file:
            rows = file.rows()
            if rows is None or not len(rows):
                return None
            if not self._like:
                self._like, self.shape, self.dtype = path.name, file.shape, file.dtype
            if (file.shape, file.dtype) != (self.shape, self.dtype):
                ours, theirs = (self.shape, self.dtype), (file.shape, file.dtype)
                raise StorageError(f"{path.name} and {self._like} differ: images of {theirs} and {ours}")
            self.counts[number] = len(rows)
            return rows
