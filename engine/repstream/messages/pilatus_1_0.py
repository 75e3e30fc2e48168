"""pilatus-1.0: a CBF file under its name.

Header: `htype` "pilatus-1.0", `filename`, `path`; one part, the file as it is.

Reasons of `MalformedMessage` here: "json", "htype", "field", "parts".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from repstream.messages.header import count_parts, expect_htype, header_of, read_json

HTYPE = "pilatus-1.0"


class _Header(msgspec.Struct, gc=False):
    htype: str | list[str]
    filename: str
    path: str = ""


_header = msgspec.json.Decoder(_Header)


class Pilatus(msgspec.Struct, gc=False):
    """One file. `filename` and `path` are the sender's words: check them before they name a file.

    `data`: the file's bytes, not copied. `parts`: the whole message.
    """

    filename: str
    path: str
    data: Any
    parts: Sequence[Any]


def decode(parts: Sequence[Any]) -> Pilatus:
    """The file in a message. Raises `MalformedMessage` with one of the reasons above."""
    header = read_json(_header, header_of(parts))
    expect_htype(header.htype, "pilatus-1.")
    count_parts(parts, 2)
    return Pilatus(header.filename, header.path, parts[1], parts)


def encode(filename: str, path: str, data: Any) -> list[Any]:
    """A message with the file `data`, a buffer that is not copied."""
    return [msgspec.json.encode({"htype": HTYPE, "filename": filename, "path": path}), data]
