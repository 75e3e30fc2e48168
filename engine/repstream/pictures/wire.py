"""What goes between the pictures' process and those who look, and how it is packed.

A ROUTER socket at the pictures' address serves any number of DEALER clients. A client says what it
wants to see with `Ask`, and says it again every `RENEW` seconds until the picture comes: what is not
renewed within `LEASE` seconds is forgotten, and so are clients that died. A picture comes as two parts:
MessagePack with everything that is said of it and the number of the ask, then the samples in C order;
where it has bad samples a third, one bit each, most significant first. One ask brings one picture, so a
client that does not ask costs nothing and is never behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from repstream.pictures.picture import Picture, Statistics, View

RENEW = 1.0
LEASE = 4.0


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Send the newest picture of a slot whose number is not `after`, now or when there is one."""

    number: int
    slot: int
    view: View | None
    after: int


class Forget(msgspec.Struct, frozen=True, tag="forget"):
    """The picture of this ask is no longer wanted."""

    number: int


ToPictures = Ask | Forget


class _Head(msgspec.Struct, frozen=True, array_like=True):
    ask: int
    slot: int
    number: int
    image_id: int
    time: float
    received: float
    full_shape: tuple[int, int]
    dtype: str
    origin: tuple[int, int]
    step: tuple[int, int]
    shape: tuple[int, int]
    sample: str
    statistics: Statistics


_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[ToPictures] = msgspec.msgpack.Decoder(ToPictures)
_heads: msgspec.msgpack.Decoder[_Head] = msgspec.msgpack.Decoder(_Head)


def encode(message: ToPictures) -> bytes:
    """A client's message as bytes."""
    return _encoder.encode(message)


def decode(data: bytes) -> ToPictures:
    """A client's message; raises `msgspec.MsgspecError` for anything else."""
    return _requests.decode(data)


def pack(ask: int, picture: Picture) -> list[bytes | memoryview]:
    """The parts that answer an ask; the samples are not copied where they are contiguous."""
    data = np.ascontiguousarray(picture.data)
    fields = {name: getattr(picture, name) for name in _Head.__struct_fields__ if hasattr(picture, name)}
    head = _Head(ask=ask, shape=data.shape, sample=data.dtype.name, **fields)
    bits = [] if picture.bad is None else [np.packbits(picture.bad).data]
    return [_encoder.encode(head), data.reshape(-1).view(np.uint8).data, *bits]


def unpack(parts: Sequence[Any]) -> tuple[int, Picture]:
    """The ask that is answered, and the picture; raises `msgspec.MsgspecError` or `ValueError`."""
    head, samples, *rest = parts
    said = _heads.decode(bytes(head))
    data = np.frombuffer(samples, said.sample).reshape(said.shape)
    data.flags.writeable = False
    bad = None
    if rest:
        bits = np.unpackbits(np.frombuffer(rest[0], np.uint8), count=data.size)
        bad = bits.view(np.bool_).reshape(said.shape)
    fields = {name: getattr(said, name) for name in Picture.__struct_fields__ if hasattr(said, name)}
    return said.ask, Picture(data=data, bad=bad, **fields)
