"""chunk-1.0, the deprecated ancestor of array-1.0; read only.

Header: `htype` "chunk-1.0", `shape` fastest dimension first, `type`, `frame`, optionally the byte
order `endianness` (or `endianess`) and `cmpr`, a compression that nothing defines further: such
data are refused. One data part in C order.

Reasons of `MalformedMessage` here: "json", "htype", "field", "parts", "size".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import msgspec

from repstream.errors import MalformedMessage
from repstream.messages import array_1_0
from repstream.messages.frame import Frame, PixelType
from repstream.messages.header import Id, Shape, check_id, count_parts, expect_htype, header_of, read_json
from repstream.messages.pixels import measured

HTYPE = "chunk-1.0"

_Order = Literal["little", "big"]


class _Header(msgspec.Struct, gc=False):
    htype: str | list[str]
    shape: Shape
    type: PixelType
    frame: Id
    endianness: _Order | None = None
    endianess: _Order | None = None
    cmpr: Literal["", "none"] | None = None


_header = msgspec.json.Decoder(_Header)


def decode(parts: Sequence[Any]) -> Frame:
    """The frame in a message. Raises `MalformedMessage` with one of the reasons above."""
    first = header_of(parts)
    header = read_json(_header, first)
    expect_htype(header.htype, "chunk-1.")
    count_parts(parts, 2)
    orders = {order for order in (header.endianness, header.endianess) if order is not None}
    if len(orders) > 1:
        raise MalformedMessage("field", "endianness and endianess differ")
    pixels = measured(header.shape[::-1], header.type, orders == {"big"}, "", parts[1])
    return pixels.frame(check_id("frame", header.frame), parts, HTYPE, partial(array_1_0.attributes, first))
