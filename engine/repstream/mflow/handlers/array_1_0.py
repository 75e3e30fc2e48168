"""array-1.0: a JSON header and one or more images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from repstream.errors import MalformedMessage
from repstream.messages import array_1_0
from repstream.messages.frame import PIXEL_TYPES
from repstream.mflow.handlers.sending import dumps, send_parts
from repstream.mflow.receiver import ReceiveHandler


class Handler:
    """``{"header": dict, "data": [array, …]}``: read-only arrays, in the byte order of the wire.

    The header's `type` may be any that numpy knows for numbers and truth values: also ``"float"``,
    ``"complex64"``, or ``">u2"``, whose byte order counts for more than `endianness`.
    """

    @staticmethod
    def receive(receiver: ReceiveHandler) -> dict[str, Any]:
        header = receiver.header()
        parts = receiver.take()
        if isinstance(header, dict) and header.get("type") not in PIXEL_TYPES and "shape" in header:
            return {"header": header, "data": _arrays_of_numpy(header, parts)}
        frame = array_1_0.decode(parts)
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


def get_array(raw_data: Any, dtype: Any, shape: Any) -> npt.NDArray[Any]:
    """The array in a buffer, which it shares. Raises ValueError where the sizes do not fit."""
    return np.frombuffer(raw_data, dtype=dtype).reshape(shape)


def _arrays_of_numpy(header: dict[str, Any], parts: Sequence[Any]) -> list[npt.NDArray[Any]]:
    """Arrays of a type that is numpy's but not the engine's."""
    dtype = _dtype(header)
    # Checked as bytes, of which an element has a few: the rest of the format is the same.
    items = {**header, "type": "uint8", "shape": [*header["shape"], dtype.itemsize]}
    frame = array_1_0.decode([dumps(items), *parts[1:]])
    if dtype.kind == "b":
        # Bytes other than 0 and 1 are true too, but must not reach an array of bool.
        arrays = [get_array(part, np.uint8, header["shape"]) != 0 for part in frame.payloads]
    else:
        arrays = [get_array(part, dtype, header["shape"]) for part in frame.payloads]
    for array in arrays:
        array.flags.writeable = False
    return arrays


def _dtype(header: dict[str, Any]) -> np.dtype[Any]:
    """The type on the wire. Raises `MalformedMessage` ("field") for one that is no number's."""
    name = header["type"]
    try:
        dtype: np.dtype[Any] = np.dtype(name)
    except (TypeError, ValueError, SyntaxError):
        raise MalformedMessage("field", f"type {name!r:.80} is none of numpy's") from None
    if not isinstance(name, str) or dtype.kind not in "biufc":
        raise MalformedMessage("field", f"type {name!r:.80} is no type of numbers")
    if name[0] in "<>=":
        return dtype
    order = header.get("endianness", header.get("endianess", "little"))
    return dtype.newbyteorder(">" if order == "big" else "<")


def _pixels(image: npt.NDArray[Any] | bytes, dtype: np.dtype[Any]) -> bytes | memoryview:
    """Bytes as they are, arrays as the header says they are on the wire."""
    if not isinstance(image, np.ndarray):
        return image
    if image.dtype.newbyteorder("=") != dtype.newbyteorder("="):
        raise ValueError(f"an image of {image.dtype}, but the header says {dtype.name}")
    return np.ascontiguousarray(image, dtype).reshape(-1).view(np.uint8).data
