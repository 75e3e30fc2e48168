"""The part that a user of a DECTRIS detector may add to its messages (stream v1)."""

from __future__ import annotations

from typing import Any

from repstream.errors import MalformedMessage
from repstream.mflow.handlers.sending import dumps
from repstream.mflow.receiver import Part, loads


def read_appendix(part: Part) -> Any:
    """The JSON document that it should be; bytes where it is none, so that no image is lost for it."""
    try:
        return loads(part)
    except MalformedMessage:
        return bytes(part)


def write_appendix(appendix: Any) -> bytes:
    """The part for what `read_appendix` gave."""
    return appendix if isinstance(appendix, bytes) else dumps(appendix)
