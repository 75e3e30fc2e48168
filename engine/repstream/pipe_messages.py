"""What two processes of the engine say to each other: structs, as msgpack, through a pipe."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

import msgspec

Message = TypeVar("Message")


class PipeMessages(Generic[Message]):
    """The messages of one direction: a struct, or a union of structs with tags.

    `enc_hook` and `dec_hook`: see `msgspec.msgpack.Encoder` and `Decoder`. `encode` stands for all of
    the former.
    """

    def __init__(
        self,
        kind: Any,
        *,
        encode: Callable[[Message], bytes] | None = None,
        enc_hook: Callable[[Any], Any] | None = None,
        dec_hook: Callable[[type, Any], Any] | None = None,
    ) -> None:
        self._encode = encode or msgspec.msgpack.Encoder(enc_hook=enc_hook).encode
        self._decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(kind, dec_hook=dec_hook)

    def send(self, pipe: Connection, message: Message) -> None:
        """Send one message; raises `OSError` when the other end is gone."""
        pipe.send_bytes(self._encode(message))

    def receive(self, pipe: Connection) -> Message:
        """Wait for the next message; raises `EOFError` or `OSError` when the other end is gone."""
        return self._decoder.decode(pipe.recv_bytes())
