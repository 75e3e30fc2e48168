"""What a file consists of, as data: groups, datasets, fields and links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repstream.files.plan import Compression, Scalar


@dataclass(frozen=True, slots=True)
class Group:
    """A group with its attributes."""

    attributes: Mapping[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class Stack:
    """A chunked dataset that begins empty and grows along its first dimension."""

    item_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    rows_per_chunk: int
    compression: Compression = "none"
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Virtual:
    """A dataset that shows those at `path` in other files one behind the other.

    `files`: their names, in the same folder. Each but the last holds `items` items; `count` is how
    many all hold, None while the last may grow. `lost` is shown for what is in a file that is gone.
    """

    item_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    files: Sequence[str]
    path: str
    items: int
    count: int | None
    lost: Any
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Interleaved:
    """A dataset that shows `count` items of those at `path` in other files, one of each in turn.

    `files`: their names, in the same folder; item i is number i // len(files) of file
    i % len(files). `count` is 1 or more. `final`: no further ones come. `lost` as in `Virtual`.
    `turns`: for each file the turns whose items it holds, from its first item on, where these are not all.
    """

    item_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    files: Sequence[str]
    path: str
    count: int
    final: bool
    lost: Any
    attributes: Mapping[str, Any] = field(default_factory=dict)
    turns: Sequence[range] = ()

    def turns_of(self, number: int) -> range:
        """The turns whose items lie in a file, given its number."""
        parts = len(self.files)
        return self.turns[number] if self.turns else range((self.count - number + parts - 1) // parts)


class ItemRun(NamedTuple):
    """`length` items of a file, by its number, from the item `begin` on.

    They are shown at `place` and at every `columns`-th place behind it (see `Shared`).
    """

    file: int
    begin: int
    place: int
    length: int


@dataclass(frozen=True, slots=True)
class Shared:
    """A dataset that shows `count` items of those at `path` in other files, wherever these have them.

    `files`: their names, in the same folder. `runs`: what lies where, `columns` places apart, in the order
    in which each file has it; places that none of them has show `lost`, as those of a file that is gone.
    """

    item_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    files: Sequence[str]
    path: str
    count: int
    runs: Sequence[ItemRun]
    columns: int
    lost: Any
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Field:
    """A scalar, stored in one piece so that it can be written again in its place.

    Text is UTF-8 of a fixed size in bytes (numpy kind ``"S"``), padded with zeros. `late`: it has
    room from the start, but no name until it is written (see `late_name`);
    one such field a group.
    """

    dtype: np.dtype[Any]
    value: Scalar
    attributes: Mapping[str, Any] = field(default_factory=dict)
    late: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """An array that is complete from the start."""

    data: NDArray[Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Zeros:
    """An array of zeros, packed so that it takes next to no room."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A second name, as good as the first, of what was made before at `target`."""

    target: str


@dataclass(frozen=True, slots=True)
class External:
    """A name for what lies at `target` in the file `name` of the same folder."""

    name: str
    target: str


Node = Group | Stack | Virtual | Interleaved | Shared | Field | Table | Zeros | Link | External


def field_dtype(value: Scalar) -> np.dtype[Any]:
    """The type that holds `value`: text of its size, a 64-bit integer or a double.

    Raises ValueError for an integer beyond 64 bits.
    """
    if isinstance(value, str):
        return np.dtype(f"S{len(value.encode()) or 1}")
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise ValueError(f"{value} does not fit into 64 bits")
        return np.dtype("<u8" if value >= 2**63 else "<i8")
    return np.dtype("<f8")


def encode(value: Scalar, dtype: np.dtype[Any]) -> bytes:
    """The bytes of `value` as a field of `dtype`; text that is too long is cut at a character.

    Raises ValueError for a value that the field cannot hold.
    """
    if dtype.kind != "S":
        try:
            return np.array(value, dtype).tobytes()
        except (ValueError, OverflowError, TypeError) as error:
            raise ValueError(f"{value!r} is not a value of type {dtype}: {error}") from error
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    data = value.replace("\0", " ").encode()[: dtype.itemsize].decode(errors="ignore").encode()
    return data.ljust(dtype.itemsize, b"\0")
