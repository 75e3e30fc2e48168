"""The number of a message in its stream, in whatever format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from repstream.errors import MalformedMessage
from repstream.messages import dectris_v2
from repstream.messages.header import MAX_ID, header_of


class _Numbered(msgspec.Struct, gc=False):
    frame: int | None = None
    pulse_id: int | None = None


_numbered = msgspec.json.Decoder(_Numbered)


def frame_id_of(parts: Sequence[Any]) -> int | None:
    """The `frame` or `pulse_id` of a header, the image id of DECTRIS stream v2; None if there is none.

    Nothing else of the message is looked at, so that it may be malformed or of any format.
    """
    if not parts:
        return None
    header = header_of(parts)
    try:
        numbers = _numbered.decode(header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _image_id(parts) if dectris_v2.is_cbor(header) else None
    number = numbers.pulse_id if numbers.frame is None else numbers.frame
    return number if number is not None and 0 <= number <= MAX_ID else None


def _image_id(parts: Sequence[Any]) -> int | None:
    try:
        message = dectris_v2.decode(parts)
    except MalformedMessage:
        return None
    return message.image_id if isinstance(message, dectris_v2.Image) else None
