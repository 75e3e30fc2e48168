"""A few attributes of many array-1.0 headers, without reading the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from repstream.messages.array_1_0 import attributes

_NOT_BESIDE = frozenset({"frame", "image_attributes"})
"""What `attributes` does not take from beside `image_attributes`."""


class AttributeReader:
    """Reads the attributes of these names, in a fraction of the time that `attributes` takes for all."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        keys = {f"f{number}": name for number, name in enumerate(names)}
        self._inner = tuple(keys)
        # What stands beside `image_attributes`, as far as `attributes` would look there.
        self._outer = {key: name for key, name in keys.items() if name not in _NOT_BESIDE}
        self._decode: Callable[[bytes], Any] | None = None
        # msgspec has no fields whose names are written with an escape in JSON.
        with suppress(ValueError):
            self._decode = msgspec.json.Decoder(_struct(self._outer, _struct(keys))).decode

    def __call__(self, header: bytes) -> Sequence[int | float | bool | None]:
        """The values in the order of the names; None for one that `attributes` leaves out.

        Whole numbers that 64 bits cannot hold come too. Raises as `attributes`.
        """
        try:
            fields = self._decode(header) if self._decode is not None else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            fields = None
        if fields is None:
            found = attributes(header)
            return [found.get(name) for name in self._names]
        if fields.inner is not None:
            values = msgspec.structs.astuple(fields.inner)
            if msgspec.UNSET not in values:
                return values
        return [self._one(fields, key) for key in self._inner]

    def _one(self, fields: Any, key: str) -> int | float | bool | None:
        value = msgspec.UNSET if fields.inner is None else getattr(fields.inner, key)
        if value is msgspec.UNSET and key in self._outer:
            value = getattr(fields, key)
        return None if value is msgspec.UNSET else value


def _struct(keys: Mapping[str, str], inner: type[msgspec.Struct] | None = None) -> type[msgspec.Struct]:
    fields: list[tuple[str, Any, Any]] = [
        (key, int | float | bool | None | msgspec.UnsetType, msgspec.UNSET) for key in keys
    ]
    renamed = dict(keys)
    if inner is not None:
        fields.append(("inner", inner | None, None))
        renamed["inner"] = "image_attributes"
    return msgspec.defstruct("Attributes", fields, rename=renamed, gc=False)
