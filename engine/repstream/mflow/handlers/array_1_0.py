"""array-1.0: a JSON header and one or more images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from repstream.messages import array_1_0
from repstream.mflow.handlers.sending import dumps, send_parts
from repstream.mflow.receiver import ReceiveHandler


class Handler:
    """``{"header": dict, "data": [array, …]}``: read-only arrays, in the byte order of the wire."""

    @staticmethod
    def receive(receiver: ReceiveHandler) -> dict[str, Any]:
        header = receiver.header()
        frame = array_1_0.decode(receiver.take())
        return {
            "header": header,
            "data": [array_1_0.array(frame, i).reshape(header["shape"]) for i in range(len(frame.payloads))],
        }

    @staticmethod
    def send(message: dict[str, Any], send: Callable[..., Any], block: bool = True) -> None:
        header = message["header"]
        dtype = _dtype(header)
        images = [_pixels(image, dtype) for image in message["data"]]
        if not images:
            raise ValueError("an array-1.0 message needs at least one image")
        send_parts([dumps(header), *images], send, block)


def _dtype(header: dict[str, Any]) -> np.dtype[Any]:
    order = header.get("endianness", header.get("endianess", "little"))
    dtype: np.dtype[Any] = np.dtype(header["type"])
    return dtype.newbyteorder(">" if order == "big" else "<")


def _pixels(image: npt.NDArray[Any] | bytes, dtype: np.dtype[Any]) -> bytes | memoryview:
    """Bytes as they are, arrays as the header says they are on the wire."""
    if not isinstance(image, np.ndarray):
        return image
    if image.dtype.newbyteorder("=") != dtype.newbyteorder("="):
        raise ValueError(f"an image of {image.dtype}, but the header says {dtype.name}")
    return np.ascontiguousarray(image, dtype).reshape(-1).view(np.uint8).data
