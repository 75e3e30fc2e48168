"""The metadata rows of a file: image id, status, and the numbers that came with the images. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from repstream.dataplane.storing.columns import (
    BOOL,
    EXACT,
    F8,
    I8,
    U4,
    U8,
    Members,
    is_masked,
    is_usable,
    mask_of,
    with_masks,
)
from repstream.files.plan import EXTRA_TEXT, EXTRA_VALUE, MISSING
from repstream.messages.array_attributes import Number, PlainHeader, read_fields, reader_of
from repstream.messages.formats import attributes
from repstream.messages.frame import ARRAY, Frame
from repstream.messages.header import header_of

MOST_NAMES = 1024
"""How many fields that came later are remembered; a header with one beyond is read in more time."""


class Rows(NamedTuple):
    """A row an image, and what the columns do not hold: an `EXTRA_VALUE` a number.

    `image` in `extra` is the number of the row.
    """

    rows: np.ndarray[Any, Any]
    extra: np.ndarray[Any, Any]


class HeaderRows:
    """Makes the rows of one file from its frames.

    A number that its column cannot hold exactly leaves it without a value and becomes an extra value,
    as does one without a column. So no number becomes another one. `lost` counts those that cannot even
    be that: with a name that no file takes, or beyond a double. `more` are members that are left 0 here.
    """

    def __init__(self, members: Members, more: Members = ()) -> None:
        self.lost = 0
        self.dtype = np.dtype([("image_id", U8), ("status", U8), *with_masks(members), *more])
        self._members = members
        self._names = [name for name, _ in members]
        self._later: list[str] = []
        self._beside: dict[str, None] = {}  # sets that keep the order of the headers
        self._within: dict[str, None] = {}
        self._read = reader_of(tuple(self._names))
        self._plain: PlainHeader | None = None

    def of(self, frames: Sequence[Frame]) -> Rows:
        """The rows of these frames, in their order."""
        rows = np.zeros(len(frames), self.dtype)
        rows["image_id"] = [frame.frame_id for frame in frames]
        extra: list[tuple[int, str, Number | None]] = []
        columns = self._columns(frames, extra)
        for (name, dtype), values in zip(self._members, columns, strict=False):
            column, absent = _column(values, dtype)
            rows[name] = column
            if absent:
                if is_masked(dtype):
                    rows[mask_of(name)][absent] = 1
                extra += [(at, name, values[at]) for at in absent if values[at] is not None]
        return Rows(rows, self._extra(frames, extra))

    def blank(self, ids: Sequence[int]) -> np.ndarray[Any, Any]:
        """Rows of images that are missing: their status says so, and no column has a value."""
        rows = np.zeros(len(ids), self.dtype)
        rows["image_id"] = ids
        rows["status"] = MISSING
        for name, dtype in self._members:
            rows[mask_of(name) if is_masked(dtype) else name] = 1 if is_masked(dtype) else math.nan
        return rows

    def _columns(
        self, frames: Sequence[Frame], extra: list[tuple[int, str, Number | None]]
    ) -> Iterable[Sequence[Number | None]]:
        """The numbers for the columns, one after the other; others go to `extra`."""
        if not self._later and {frame.format for frame in frames} == {ARRAY}:
            headers, ids = [frame.parts[0] for frame in frames], [frame.frame_id for frame in frames]
            if self._plain is not None and self._plain.is_all(headers, ids):
                return ()
            columns = self._read.columns(headers)
            if columns is not None:
                if not self._names:
                    self._plain = PlainHeader.of(bytes(headers[-1]), ids[-1])
                return columns
        return zip(*self._values(frames, extra), strict=True)

    def _values(
        self, frames: Sequence[Frame], extra: list[tuple[int, str, Number | None]]
    ) -> list[Sequence[Number | None]]:
        """The numbers for the columns, frame by frame; others go to `extra`."""
        read, later, width = self._read, tuple(self._later), len(self._names)
        quick = [read(header_of(frame.parts)) if frame.attributes_in_header else None for frame in frames]
        found: list[Sequence[Number | None]] = []
        for number, values in enumerate(quick):
            if values is None:
                numbers = self._read_all(frames[number])
                extra += [(number, name, numbers[name]) for name in numbers.keys() - set(self._names)]
                found.append([numbers.get(name) for name in self._names])
            else:
                others = zip(later, values[width:], strict=True)
                extra += [(number, name, value) for name, value in others if value is not None]
                found.append(values[:width])
        return found

    def _read_all(self, frame: Frame) -> Mapping[str, Number | None]:
        """All numbers of a frame whose header is not as those before; the next like it are read quickly."""
        if not frame.attributes_in_header:
            return attributes(frame)
        fields = read_fields(header_of(frame.parts))
        if len(self._later) + len(self._beside) + len(self._within) < MOST_NAMES:
            self._later += sorted(fields.numbers.keys() - {*self._names, *self._later})
            self._beside |= dict.fromkeys(fields.beside)
            self._within |= dict.fromkeys(fields.within)
            self._read = reader_of((*self._names, *self._later), tuple(self._beside), tuple(self._within))
        return fields.numbers

    def _extra(
        self, frames: Sequence[Frame], values: Sequence[tuple[int, str, Number | None]]
    ) -> np.ndarray[Any, Any]:
        kept = list(self._kept(frames, values))
        return np.array(kept, EXTRA_VALUE) if kept else _NOTHING

    def _kept(
        self, frames: Sequence[Frame], values: Sequence[tuple[int, str, Number | None]]
    ) -> Iterator[tuple[int, int, bytes, float, bytes]]:
        for at, name, value in values:
            text = _text(value)
            if value is None or not text or not is_usable(name):
                self.lost += 1
            else:
                yield at, frames[at].frame_id, name.encode(), float(value), text.encode()


_NOTHING = np.zeros(0, EXTRA_VALUE)


def _column(values: Sequence[Number | None], dtype: np.dtype[Any]) -> tuple[Any, list[int]]:
    """The values of one column, and where it has none."""
    # Nearly always all fit, which numpy finds out faster than a call for each.
    types = set(map(type, values))
    if types <= _TYPES[dtype]:
        try:
            column = np.array(values, dtype)
        except OverflowError:
            pass
        else:
            if dtype != F8 or int not in types or not (np.abs(column) >= EXACT).any():
                return column, []
    fit, blank = _FIT[dtype], math.nan if dtype == F8 else 0
    found = [None if value is None else fit(value) for value in values]
    return (
        [blank if value is None else value for value in found],
        [at for at, value in enumerate(found) if value is None],
    )


def _text(value: Number | None) -> str:
    """A number exactly, as JSON writes it; empty where that takes more than an `EXTRA_VALUE` has room for."""
    if value is None or (isinstance(value, int) and abs(value) >= 10 ** (EXTRA_TEXT - 1)):
        return ""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _whole(value: Number, least: int, most: int) -> int | None:
    if isinstance(value, bool) or not least <= value <= most or value != int(value):
        return None
    return int(value)


def _double(value: Number) -> float | None:
    if isinstance(value, float):
        return value
    if isinstance(value, bool) or abs(value) >= 2**64 or int(float(value)) != value:
        return None
    return float(value)


_FIT: Mapping[np.dtype[Any], Callable[[Number], Number | None]] = {
    I8: lambda value: _whole(value, -(2**63), 2**63 - 1),
    U4: lambda value: _whole(value, 0, 2**32 - 1),
    U8: lambda value: _whole(value, 0, 2**64 - 1),
    F8: _double,
    BOOL: lambda value: value if isinstance(value, bool) else None,
}

_TYPES: Mapping[np.dtype[Any], set[type]] = {I8: {int}, U4: {int}, U8: {int}, F8: {float, int}, BOOL: {bool}}
"""What all values of a column are to be taken as they are."""
