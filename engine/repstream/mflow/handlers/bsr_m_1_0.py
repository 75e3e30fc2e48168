"""bsr_m-1.0 and bsr_m-1.1 (bsread): the values of many channels at one pulse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from repstream.messages import bsread
from repstream.mflow.handlers.sending import dumps, send_parts
from repstream.mflow.receiver import ReceiveHandler, loads

_memories: WeakKeyDictionary[ReceiveHandler, bsread.Memory] = WeakKeyDictionary()


class Handler:
    """``{"header", "channels", "data", "timestamps"}``.

    `header`: the main header. `channels`: a `repstream.messages.bsread_header.Channel` each.
    `data`, `timestamps`: by channel name its value (a number, a text, an array, None for no
    value in this pulse) and (seconds, nanoseconds) or None.
    """

    @staticmethod
    def receive(receiver: ReceiveHandler) -> dict[str, Any]:
        header = receiver.header()
        message = bsread.decode(receiver.take(), _memories.setdefault(receiver, bsread.Memory()))
        names = message.header.index
        return {
            "header": header,
            "channels": message.header.channels,
            "data": dict(zip(names, message.values, strict=True)),
            "timestamps": dict(zip(names, message.timestamps, strict=True)),
        }

    @staticmethod
    def send(message: dict[str, Any], send: Callable[..., Any], block: bool = True) -> None:
        header = message["header"]
        names = [channel.name for channel in message["channels"]]
        parts = bsread.encode(
            header["pulse_id"],
            message["channels"],
            [message["data"][name] for name in names],
            [message["timestamps"][name] for name in names],
            dh_compression=header.get("dh_compression") or "none",
        )
        # All that the sender said stays, but the data header may not be the same text.
        parts[0] = dumps({**header, "hash": loads(parts[0])["hash"]})
        send_parts(parts, send, block)
