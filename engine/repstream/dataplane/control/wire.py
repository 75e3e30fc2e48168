"""Requests and notices as bytes in the pipe."""

from __future__ import annotations

from typing import Any

import msgspec

from repstream.accounting import COUNT_LIMIT
from repstream.dataplane.control.notice import Notice
from repstream.dataplane.control.request import Request
from repstream.pipe_messages import PipeMessages

_encoder = msgspec.msgpack.Encoder()


def encode(message: Request | Notice) -> bytes:
    """A message as bytes, whatever numbers and texts are in it.

    A number beyond 64 bits becomes the nearest that they hold, what is no Unicode character a
    question mark: what a detector or a file system sends must not end the data plane.
    """
    try:
        return _encoder.encode(message)
    except (OverflowError, UnicodeEncodeError):
        return _encoder.encode(_bounded(msgspec.to_builtins(message, str_keys=False)))


def _bounded(value: Any) -> Any:
    match value:
        case dict():
            return {_bounded(key): _bounded(item) for key, item in value.items()}
        case list() | tuple():
            return [_bounded(item) for item in value]
        case bool():
            return value
        case int():
            return min(max(value, -(2**63)), COUNT_LIMIT)
        case str():
            return value.encode(errors="replace").decode()
        case _:
            return value


requests: PipeMessages[Request] = PipeMessages(Request, encode=encode)
notices: PipeMessages[Notice] = PipeMessages(Notice, encode=encode)
