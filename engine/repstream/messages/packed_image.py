"""Images behind a packed header, as cam_server's source ``stream`` reads them.

Part 0, little-endian and without gaps: u64 id, u64 height, u64 width, u16 type, u16 status, u16
source_id; what follows is left alone. Types: 1, 2, 4, 8 are unsigned of so many bytes, 11, 12, 14,
18 signed ones, 22, 24, 28 floating-point numbers. Part 1 has the pixels.

Reasons of `MalformedMessage` here: "parts", "size", "field".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from repstream.errors import MalformedMessage
from repstream.messages.frame import Frame
from repstream.messages.header import count_parts, size_of
from repstream.messages.pixels import measured

_HEADER = struct.Struct("<QQQHHH")
FORMAT = "packed image"
TYPES = {
    **{size: f"uint{8 * size}" for size in (1, 2, 4, 8)},
    **{10 + size: f"int{8 * size}" for size in (1, 2, 4, 8)},
    **{20 + size: f"float{8 * size}" for size in (2, 4, 8)},
}


def decode(parts: Sequence[Any]) -> Frame:
    """The frame in a message; its attributes are `status` and `source_id`."""
    count_parts(parts, 2)
    if size_of(parts[0]) < _HEADER.size:
        raise MalformedMessage("size", f"a header of {size_of(parts[0])} bytes, not {_HEADER.size}")
    frame_id, height, width, kind, status, source_id = _HEADER.unpack_from(parts[0])
    if kind not in TYPES or not height * width:
        raise MalformedMessage("field", f"type {kind}, height {height}, width {width}")
    pixels = measured((height, width), TYPES[kind], False, "", parts[1])
    return pixels.frame(frame_id, parts, FORMAT, lambda: {"status": status, "source_id": source_id})


def encode(frame_id: int, height: int, width: int, kind: int, pixels: Any) -> list[Any]:
    """A message as such a sender makes it; `kind` is one of `TYPES`."""
    return [_HEADER.pack(frame_id, height, width, kind, 0, 0), pixels]
