"""What all formats have in common: the first part is a JSON object that names its format."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import msgspec

from repstream.errors import MalformedMessage

MAX_DETAIL = 200
"""Characters of a peer's own text that an error repeats at most."""


MAX_ID = 2**64 - 1

Size = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
"""One size of a shape."""

Shape = Annotated[tuple[Size, ...], msgspec.Meta(max_length=64)]
"""numpy allows 64 dimensions."""

_NOT_FINITE = re.compile(rb"NaN|Infinity")

_MOST_DIGITS = 4000
"""Python refuses to read longer whole numbers."""

Id = Annotated[int, msgspec.Meta(ge=0)]
"""A frame, pulse or series number; `check_id` holds it to 64 bits (a limit msgspec cannot state)."""

_T = TypeVar("_T")


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


def sizes_of(parts: Sequence[Any]) -> list[int]:
    """`size_of` each of them, in less time where all are bytes."""
    return list(map(len if set(map(type, parts)) == {bytes} else size_of, parts))


def read_htype(header: bytes) -> str:
    """The format that a header names, as text or as a list of one text.

    Raises `MalformedMessage`: "json" when the header is no JSON document, "htype" when it
    is no object or names no format.
    """
    try:
        htype = read_json(_htype, header).htype
    except MalformedMessage as error:
        raise MalformedMessage("htype" if error.reason == "field" else "json", error.detail) from None
    if isinstance(htype, str):
        return htype
    if len(htype) != 1:
        raise MalformedMessage("htype", f"a list of {len(htype)} formats instead of one")
    return htype[0]


def read_json(decoder: msgspec.json.Decoder[_T], part: Any) -> _T:
    """A JSON part by its type.

    Raises `MalformedMessage`: "json" when the part is no JSON document in UTF-8, "field" when
    it is not of that type. NaN, Infinity and numbers beyond a double are read, as Python's own
    json does.
    """
    text = part if type(part) is bytes else bytes(part)
    try:
        # The decoder does not look into fields that it skips; these are forwarded too.
        if not text.isascii():
            text.decode()
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        found: Exception = error
    if has_odd_numbers(text, found):
        try:
            return msgspec.convert(load_json(text), decoder.type)
        except (ValueError, RecursionError) as error:
            found = error
    reason = "field" if isinstance(found, msgspec.ValidationError) else "json"
    raise MalformedMessage(reason, str(found)[:MAX_DETAIL]) from None


def has_odd_numbers(text: bytes, error: Exception) -> bool:
    """Whether the strict decoder's `error` may be about a number that Python's json reads."""
    return _NOT_FINITE.search(text) is not None or "out of range" in str(error)


def load_json(text: bytes) -> Any:
    """A JSON document as Python's json reads it, NaN, Infinity and large numbers included.

    Raises ValueError where it is none, RecursionError where it is nested too deeply.
    """
    value = json.loads(text.decode(), parse_int=_whole)
    # Half of a surrogate pair is no character, and no file and no wire takes it.
    if b"\\u" in text:
        value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"), parse_int=_whole)
    return value


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def expect_htype(htype: str | list[str], prefix: str) -> None:
    """Refuse another format than the one whose `htype` begins so ("htype")."""
    name = htype if isinstance(htype, str) else htype[0] if len(htype) == 1 else ""
    if not name.startswith(prefix):
        raise MalformedMessage("htype", f"{str(htype)[:MAX_DETAIL]!r} instead of {prefix!r}")


def check_id(name: str, number: int) -> int:
    """`number`, refused ("field") beyond 64 bits."""
    if number > MAX_ID:
        raise MalformedMessage("field", f"{name} is beyond 64 bits")
    return number


def count_parts(parts: Any, least: int, most: int | None = None) -> None:
    """Refuse ("parts") a message with less or more parts than its format has."""
    most = least if most is None else most
    if not least <= len(parts) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise MalformedMessage("parts", f"{len(parts)} parts instead of {wanted}")
