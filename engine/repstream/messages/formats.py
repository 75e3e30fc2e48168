"""Which format a message has, and its codec. One line a format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from repstream.errors import MalformedMessage
from repstream.messages import array_1_0
from repstream.messages.frame import Frame
from repstream.messages.header import MAX_DETAIL, header_of, read_htype

Decode = Callable[[Sequence[Any]], Frame]

CODECS: Mapping[str, Decode] = {
    "array-1.": array_1_0.decode,
}
"""Decoders by the beginning of the `htype` that they understand."""


def decode(parts: Sequence[Any]) -> Frame:
    """The frame in a message of any known format; see there for what is read and measured.

    Raises `MalformedMessage` with a reason of that format, "htype" for an unknown one.
    """
    try:
        # Nearly every message is an array: its decoder finds out at once if it is not.
        return array_1_0.decode(parts)
    except MalformedMessage as error:
        if error.reason != "htype":
            raise
    htype = read_htype(header_of(parts))
    for prefix, codec in CODECS.items():
        if htype.startswith(prefix):
            return codec(parts)
    raise MalformedMessage("htype", f"unknown format {htype[:MAX_DETAIL]!r}")
