"""Messages between a data plane and the processes that write the parts of a file.

Orders go through a ZMQ socket, in order, an `Image` with further message parts: its header and its
pixels, of each channel, empty where one did not come. Images that lie in a ring are named, many in one
order. Answers come back through a pipe; its end shows each side that the other is dead. The service that
writes the metadata gets its orders through the pipe, and answers each one.
"""

from __future__ import annotations

from multiprocessing.connection import Connection

import msgspec

from repstream.dataplane.control import AcquisitionPlan
from repstream.dataplane.storing.image_kind import Kind
from repstream.files.goniometer import Axis
from repstream.files.plan import Scalar
from repstream.messages.frame import StoredEncoding
from repstream.sources.ring_image import RingPlace

RING_SHARE = 0.2
"""How much of its bytes an image of a ring counts for: it takes no memory on its way, nor in the part."""


class Start(msgspec.Struct, frozen=True):
    """The first message, through the pipe: what to write, and the address where orders come from."""

    plan: AcquisitionPlan
    address: str = ""


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """The first image of the acquisition has come; so are all. `axes`: what the metadata's file shows."""

    kind: Kind
    axes: tuple[Axis, ...] = ()


class Image(msgspec.Struct, frozen=True, tag="image"):
    """Write an image; the fields as in `Frame`, `attributes` what `read_attributes` gives."""

    frame_id: int
    encoding: StoredEncoding
    format: str
    arrived: float
    attributes: dict[str, bool | int | float]


class RingImages(msgspec.Struct, frozen=True, tag="ring"):
    """Write images that lie in a ring: of each its id, when it arrived, its header, its place."""

    images: list[tuple[int, float, bytes, RingPlace]]


class Sync(msgspec.Struct, frozen=True, tag="sync"):
    """Put everything on the disk; `Synced` follows."""


class Finish(msgspec.Struct, frozen=True, tag="finish"):
    """Enter the results, close the file and end; `Finished` follows."""

    results: dict[str, Scalar]


class AddRows(msgspec.Struct, frozen=True, tag="rows"):
    """Add rows of metadata, as they are in the file."""

    data: bytes


class Look(msgspec.Struct, frozen=True, tag="look"):
    """Make sure that the file is there."""


Order = Begin | Image | RingImages | Sync | Finish | AddRows | Look


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The file is there and waits."""


class Stored(msgspec.Struct, frozen=True, tag="stored"):
    """`written` images were taken and written since the last one; readers see `sizes` more.

    `sizes`: bytes of each image in the file, in their order. `rows`: the metadata of each, as they
    are in the file. `nbytes`: size of the file. `values_lost`: as in `FrameStore`.
    """

    written: int
    sizes: list[int]
    rows: list[bytes]
    nbytes: int
    values_lost: int


class Synced(msgspec.Struct, frozen=True, tag="synced"):
    """Everything ordered before is on the disk."""


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The file is closed and on the disk; `nbytes` is its size."""

    nbytes: int


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The file is closed as failed, for this reason."""

    reason: str


class Done(msgspec.Struct, frozen=True, tag="done"):
    """An order about metadata has been followed; `nbytes` is the size of their file."""

    nbytes: int


Answer = Opened | Stored | Synced | Finished | Failed | Done

_encoder = msgspec.msgpack.Encoder()
_starts = msgspec.msgpack.Decoder(Start)
_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def encode(message: Start | Order | Answer) -> bytes:
    """A message as bytes for the socket pair."""
    return _encoder.encode(message)


def decode_order(data: bytes) -> Order:
    """An order of the data plane; raises `msgspec.MsgspecError` for anything else."""
    return _orders.decode(data)


def send(pipe: Connection, message: Start | Order | Answer) -> None:
    """Send one message; raises `OSError` when the other end is gone."""
    pipe.send_bytes(encode(message))


def receive_start(pipe: Connection) -> Start:
    """What to write; raises `EOFError` when the data plane is gone."""
    return _starts.decode(pipe.recv_bytes())


def receive_order(pipe: Connection) -> Order:
    """The next order of those that come through the pipe; raises as `receive_start`."""
    return decode_order(pipe.recv_bytes())


def receive_answer(pipe: Connection) -> Answer:
    """The next answer; raises `EOFError` or `OSError` when the part is gone."""
    return _answers.decode(pipe.recv_bytes())
