"""What all formats have in common: the first part is a JSON object that names its format."""

from __future__ import annotations

from typing import Any

import msgspec

from repstream.errors import MalformedMessage

MAX_DETAIL = 200
"""Characters of a peer's own text that an error repeats at most."""


class _Htype(msgspec.Struct, gc=False):
    htype: str | list[str]


_htype = msgspec.json.Decoder(_Htype)


def header_of(parts: Any) -> bytes:
    """The first part of a message as bytes. Raises `MalformedMessage` ("parts") if there is none."""
    if not parts:
        raise MalformedMessage("parts", "a message without parts")
    first = parts[0]
    return first if type(first) is bytes else bytes(first)


def size_of(part: Any) -> int:
    """Bytes of one part, whatever its type; nothing is copied."""
    return part.nbytes if isinstance(part, memoryview) else len(part)


def read_htype(header: bytes) -> str:
    """The format that a header names, as text or as a list of one text.

    Raises `MalformedMessage`: "json" when the header is no JSON document, "htype" when it
    is no object or names no format.
    """
    try:
        htype = _htype.decode(header).htype
    except msgspec.ValidationError as error:
        raise MalformedMessage("htype", str(error)[:MAX_DETAIL]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedMessage("json", str(error)[:MAX_DETAIL]) from None
    if isinstance(htype, str):
        return htype
    if len(htype) != 1:
        raise MalformedMessage("htype", f"a list of {len(htype)} formats instead of one")
    return htype[0]
