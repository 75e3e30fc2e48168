"""raw-1.0: a JSON object with an `htype`, and any number of parts of any content.

Reasons of `MalformedMessage` here: "json", "htype", "field".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from repstream.messages.header import expect_htype, header_of, read_json

HTYPE = "raw-1.0"

_object = msgspec.json.Decoder(dict[str, Any])


class Raw(msgspec.Struct, gc=False):
    """`header`: its fields as they are, no meaning is given to them. `parts`: the whole message."""

    header: dict[str, Any]
    parts: Sequence[Any]

    @property
    def data(self) -> Sequence[Any]:
        """The parts after the header; one may be empty."""
        return self.parts[1:]


def decode(parts: Sequence[Any]) -> Raw:
    """A raw message. Raises `MalformedMessage` with one of the reasons above."""
    header = read_json(_object, header_of(parts))
    htype = header.get("htype", "")
    expect_htype(htype if isinstance(htype, list) else str(htype), "raw-1.")
    return Raw(header, parts)


def encode(data: Sequence[Any] = (), **fields: Any) -> list[Any]:
    """A message of `data`, buffers that are not copied, and further fields of the header."""
    return [msgspec.json.encode({"htype": HTYPE, **fields}), *data]
