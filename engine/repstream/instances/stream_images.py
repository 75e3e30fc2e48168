"""Single images of an instance's stream, for who wants a picture or a background and no stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import zmq

from repstream.errors import MalformedMessage, Refused
from repstream.messages import bsread

CHANNEL = "image"
"""The channel that a camera's stream has its images in."""


def images(address: str, patience: float, channel: str = CHANNEL) -> Iterator[npt.NDArray[Any]]:
    """The images that a PUB stream sends from now on, [height, width] and read-only, without end.

    Messages without one are passed over. Raises `Refused` where none comes within `patience` seconds.
    """
    memory = bsread.Memory()
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.linger = 0
        socket.subscribe(b"")
        socket.connect(address)
        due = time.monotonic() + patience
        while True:
            if not socket.poll(max(0, int(1000 * (due - time.monotonic())))):
                raise Refused(channel, f"no image came from {address} within {patience:g} s")
            image = _image(socket.recv_multipart(copy=False), channel, memory)
            if image is not None:
                yield image
                due = time.monotonic() + patience


def mean_image(address: str, count: int, patience: float) -> npt.NDArray[np.uint16]:
    """The mean of so many images of a stream, cut to whole counts.

    Raises `Refused` where they do not come, or differ in size.
    """
    taken = images(address, patience)
    total = next(taken).astype(np.float64)
    for _ in range(count - 1):
        image = next(taken)
        if image.shape != total.shape:
            raise Refused(CHANNEL, f"the images changed from {total.shape} to {image.shape}: take them anew")
        total += image
    taken.close()  # type: ignore[attr-defined]  # a generator
    return np.clip(total / count, 0, np.iinfo(np.uint16).max).astype(np.uint16)


def _image(parts: list[zmq.Frame], channel: str, memory: bsread.Memory) -> npt.NDArray[Any] | None:
    try:
        value = bsread.decode([part.buffer for part in parts], memory)[channel]
    except (MalformedMessage, KeyError):
        return None
    return value if isinstance(value, np.ndarray) and value.ndim == 2 else None
