"""Which items of a virtual dataset lie in which of the files that it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

_SAME_FILE = "."


class Source(NamedTuple):
    """A dataset in another file, whose name is relative to the folder of the master."""

    file: str
    dataset: str


def of(file: h5py.File, shown: h5py.Dataset) -> dict[Source, NDArray[Any]]:
    """Source -> numbers of its items in `shown`, in the order in which the source has them.

    Items go along the first dimension. A dataset of `file` itself that stands between (rows and
    columns of items, a column a source) is looked through. Raises ValueError for other selections.
    """
    found: dict[Source, list[NDArray[Any]]] = {}
    between = ""
    for source in shown.virtual_sources():
        if source.file_name != _SAME_FILE:
            key = Source(source.file_name, source.dset_name)
            found.setdefault(key, []).append(_numbers(source.vspace, len(shown)))
        elif not between:  # its last row may be shown apart from the others
            between = source.dset_name
            for key, numbers in _columns(file[between], len(shown)):
                found.setdefault(key, []).append(numbers)
    return {key: np.concatenate(numbers) for key, numbers in found.items()}


def _columns(grid: h5py.Dataset, count: int) -> Iterator[tuple[Source, NDArray[Any]]]:
    for source in grid.virtual_sources():
        start, _, _, size = source.vspace.get_regular_hyperslab()
        numbers = (start[0] + np.arange(size[0])) * grid.shape[1] + start[1]
        yield Source(source.file_name, source.dset_name), numbers[numbers < count]


def _numbers(space: Any, count: int) -> NDArray[Any]:
    start, stride, blocks, size = (numbers[0] for numbers in space.get_regular_hyperslab())
    inner = np.arange(min(size, count))
    numbers = start + (stride * np.arange(min(blocks, count))[:, None] + inner).ravel()
    return numbers[numbers < count]  # type: ignore[no-any-return]
