"""Single images of an instance's stream, for who wants a picture or a background and no stream."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, suppress
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import zmq

from repstream.errors import MalformedMessage, Refused
from repstream.instances.description import StreamPlace
from repstream.messages import bsread
from repstream.sockets.security import inside

CHANNEL = "image"
"""The channel that a camera's stream has its images in."""


class Sent(NamedTuple):
    """What an instance sent at once: pulse id, time in Unix seconds, and the values of its channels."""

    pulse_id: int
    time: float
    values: Mapping[str, Any]


def messages(place: StreamPlace, patience: float) -> Generator[Sent]:
    """What a PUB stream sends from now on, without end; what is malformed is passed over.

    Raises `Refused` where nothing comes within `patience` seconds, or its key pair is not on this host.
    """
    memory = bsread.Memory()
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.linger = 0
        socket.subscribe(b"")
        inside(place.key).apply(context, socket)
        socket.connect(place.address)
        while True:
            if not socket.poll(int(1000 * patience)):
                raise Refused("stream", f"nothing came from {place.address} within {patience:g} s")
            parts = socket.recv_multipart(copy=False)
            with suppress(MalformedMessage):
                found = bsread.decode([part.buffer for part in parts], memory)
                seconds, nanoseconds = found.timestamp or divmod(time.time_ns(), 10**9)
                values = {name: found.values[at] for name, at in found.header.index.items()}
                yield Sent(found.pulse_id, seconds + nanoseconds / 1e9, values)


def images(place: StreamPlace, patience: float, channel: str = CHANNEL) -> Iterator[npt.NDArray[Any]]:
    """The images that a PUB stream sends from now on, [height, width] and read-only, without end.

    Messages without one are passed over. Raises `Refused` where none comes within `patience` seconds, or
    its key pair is not on this host.
    """
    due = time.monotonic() + patience
    inside(place.key)  # where that is refused the reason is another one
    with suppress(Refused), closing(messages(place, patience)) as received:
        for sent in received:
            image = image_of(sent, channel)
            if image is not None:
                yield image
                due = time.monotonic() + patience
            elif time.monotonic() > due:
                break
    raise Refused(channel, f"no image came from {place.address} within {patience:g} s")


def image_of(sent: Sent, channel: str = CHANNEL) -> npt.NDArray[Any] | None:
    """The image in a message, [height, width]; None where it has none."""
    value = sent.values.get(channel)
    return value if isinstance(value, np.ndarray) and value.ndim == 2 else None


def mean_image(place: StreamPlace, count: int, patience: float) -> npt.NDArray[np.uint16]:
    """The mean of so many images of a stream, cut to whole counts.

    Raises `Refused` where they do not come, or differ in size.
    """
    taken = images(place, patience)
    total = next(taken).astype(np.float64)
    for _ in range(count - 1):
        image = next(taken)
        if image.shape != total.shape:
            raise Refused(CHANNEL, f"the images changed from {total.shape} to {image.shape}: take them anew")
        total += image
    taken.close()  # type: ignore[attr-defined]  # a generator
    return np.clip(total / count, 0, np.iinfo(np.uint16).max).astype(np.uint16)
