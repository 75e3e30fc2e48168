"""A few attributes of many array-1.0 headers in a fraction of the time that reading all takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from repstream.messages.array_1_0 import raw_fields

Number = int | float | bool

_NOT_BESIDE = frozenset({"frame", "image_attributes"})
"""What is no attribute beside `image_attributes`."""

_NOT_FINITE = frozenset({b"NaN", b"Infinity", b"-Infinity"})

_number = msgspec.json.Decoder(int | float | bool)


class Fields(NamedTuple):
    """What a header holds: its attributes, and the names of all its fields.

    `numbers`: as `array_1_0.attributes`, and also whole numbers that 64 bits cannot hold; None for
    a number that a double cannot hold either. `beside` and `within`: the names of the fields
    beside `image_attributes` and in it.
    """

    numbers: Mapping[str, Number | None]
    beside: Set[str]
    within: Set[str]


def read_fields(header: bytes) -> Fields:
    """All fields of a header. Raises `MalformedMessage` ("json") for anything but a JSON object."""
    beside = raw_fields(header)
    inner = beside.get("image_attributes")
    within = raw_fields(inner) if inner is not None and bytes(inner)[:1] == b"{" else {}
    outer = {name: raw for name, raw in beside.items() if name != "frame" and not (within and raw is inner)}
    numbers: dict[str, Number | None] = {}
    for name, raw in {**outer, **within}.items():
        if bytes(raw) in _NOT_FINITE:
            numbers[name] = float(bytes(raw))
        elif bytes(raw)[:1] in b"-0123456789tf":
            numbers[name] = None
            with suppress(msgspec.ValidationError):
                numbers[name] = _number.decode(raw)
    return Fields(numbers, beside.keys(), within.keys())


class AttributeReader:
    """Reads the attributes of these names from headers that hold no further fields than are known.

    `beside`, `within`: the fields that are known, beside `image_attributes` and in it; the decoder is
    quickest where they stand in the order of the headers.
    """

    def __init__(self, names: Sequence[str], beside: Iterable[str] = (), within: Iterable[str] = ()) -> None:
        keys = {name: f"f{number}" for number, name in enumerate(names)}
        self._inner, self._count = tuple(keys.values()), len(keys)
        # What stands beside `image_attributes`, as far as attributes do.
        self._outer = frozenset(key for name, key in keys.items() if name not in _NOT_BESIDE)
        self._decode: Callable[[bytes], Any] | None = None
        self._decode_all: Callable[[bytes], list[Any]] | None = None
        outer = {name: keys[name] if name in keys and name not in _NOT_BESIDE else "" for name in beside}
        outer |= {"frame": "", **{name: key for name, key in keys.items() if name not in _NOT_BESIDE}}
        # msgspec has no fields whose names are written with an escape in JSON.
        with suppress(ValueError):
            inner = _struct({**keys, **{name: "" for name in within if name not in keys}})
            fields = _struct({**outer, "image_attributes": "inner"}, inner)
            self._decode = msgspec.json.Decoder(fields).decode
            self._decode_all = msgspec.json.Decoder(list[fields]).decode  # type: ignore[valid-type]

    def __call__(self, header: bytes) -> Sequence[Number | None] | None:
        """The values in the order of the names, None for one that is missing or no number.

        None where the header is to be read by `read_fields`: it holds another field, or a value that
        is not as usual.
        """
        try:
            fields = self._decode(header) if self._decode is not None else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if fields is None:
            return None
        if fields.inner is not None:
            values = msgspec.structs.astuple(fields.inner)[: self._count]
            if msgspec.UNSET not in values:
                return values
        return [self._one(fields, key) for key in self._inner]

    def columns(self, headers: Sequence[Any]) -> Sequence[Sequence[Number | None]] | None:
        """The values of many headers, each a JSON object in any buffer: one sequence a name.

        None where one of them is to be read by `read_fields`, as above. The headers are read in one
        call, since a call for each takes longer than the reading.
        """
        try:
            read = self._decode_all(b"[%b]" % b",".join(headers)) if self._decode_all is not None else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if read is None or len(read) != len(headers):
            return None
        inner = [fields.inner for fields in read] if self._count else []
        where = inner if all(inner) else None if any(inner) else read
        return [self._column(read, where, key) for key in self._inner]

    def _column(self, read: list[Any], where: list[Any] | None, key: str) -> Sequence[Number | None]:
        """The values of one name, which nearly always stand in the same place: `where`."""
        if where is not None and (where is not read or key in self._outer):
            values = list(map(attrgetter(key), where))
            if msgspec.UnsetType not in set(map(type, values)):
                return values
        return [self._one(fields, key) for fields in read]

    def _one(self, fields: Any, key: str) -> Number | None:
        value = msgspec.UNSET if fields.inner is None else getattr(fields.inner, key)
        if value is msgspec.UNSET and key in self._outer:
            value = getattr(fields, key)
        return None if value is msgspec.UNSET else value


@lru_cache(maxsize=64)
def reader_of(
    names: tuple[str, ...], beside: tuple[str, ...] = (), within: tuple[str, ...] = ()
) -> AttributeReader:
    """The reader for these fields, kept: to make one takes as long as a thousand headers."""
    return AttributeReader(names, beside, within)


class PlainHeader(NamedTuple):
    """A header without attributes: others that differ from it in the frame's number alone have none either.

    So it takes a comparison to know that nothing has to be read, a fraction of the reading.
    """

    before: bytes
    after: bytes

    @classmethod
    def of(cls, header: bytes, frame_id: int) -> PlainHeader | None:
        """That of a header that has no attributes; None where its number is not written as usual."""
        found = re.fullmatch(rb'(.*"frame"\s*:\s*)%d(\s*[,}].*)' % frame_id, header, re.DOTALL)
        return cls(*found.groups()) if found is not None and header.count(b'"frame"') == 1 else None

    def is_all(self, headers: Sequence[Any], frame_ids: Sequence[int]) -> bool:
        """Whether each of these headers is this one with its own frame's number."""
        between = self.after + b"," + self.before
        wanted = between.join(map(b"%d".__mod__, frame_ids))
        return b",".join(headers) == self.before + wanted + self.after


def _struct(keys: Mapping[str, str], inner: type[msgspec.Struct] | None = None) -> type[msgspec.Struct]:
    """A struct of fields by name, with the key of each; without one it is known and not read."""
    fields: list[tuple[str, Any, Any]] = []
    renamed = {}
    for number, (name, wanted) in enumerate(keys.items()):
        key = wanted or f"known{number}"
        if key == "inner":
            fields.append((key, inner | None, None))  # type: ignore[operator]
        elif wanted:
            fields.append((key, int | float | bool | None | msgspec.UnsetType, msgspec.UNSET))
        else:
            fields.append((key, msgspec.Raw, b""))
        renamed[key] = name
    return msgspec.defstruct("Attributes", fields, rename=renamed, gc=False, forbid_unknown_fields=True)
