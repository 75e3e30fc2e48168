"""A picture in one binary message: a fixed header, then the pixels compressed, or a JPEG.

Little endian: ``RSP1``, encoding (1 byte), pixel type (1), length of the header (2), number and image
id (8 each), then float64: the source's time, that of its arrival, the saturation value (NaN: none); then
uint32: height and width of the full image, row and column of the first sample, rows and columns that a
sample stands for, height and width of the samples, number of bad samples. Their places follow, counted
row by row (uint32 each), then the pixels. ``page/picture/wire.js`` reads it. Pixel types that the page
has none for travel as float32, exact up to 2^24.
"""

from __future__ import annotations

import enum
import math
import struct
from typing import Any

import blosc
import numpy as np
from numpy.typing import NDArray

from repstream.pictures.picture import Picture
from repstream_http.pictures import rendering
from repstream_http.pictures.look import Look

MAGIC = b"RSP1"
HEADER = struct.Struct("<4sBBHQQddd9I")
MEDIA_TYPE = "application/x-repstream-picture"
TYPES = {"uint8": 0, "uint16": 1, "uint32": 2, "float32": 3}
LARGEST_BLOCK = 2**31 - 17
"""Bytes that Blosc compresses at once."""


class Encoding(enum.IntEnum):
    """What follows the header."""

    RAW = 0
    BLOSC = 1
    JPEG = 2


def message(picture: Picture, encoding: Encoding, look: Look) -> bytes:
    """The whole message; `look` counts for JPEG only."""
    data = _shown(picture.data)
    height, width = data.shape
    if not data.size or data.nbytes > LARGEST_BLOCK:
        encoding = Encoding.RAW
    saturation = picture.statistics.saturation
    bad = np.zeros(0, "<u4") if picture.bad is None else np.flatnonzero(picture.bad).astype("<u4")
    head = HEADER.pack(
        MAGIC,
        encoding,
        TYPES[data.dtype.name],
        HEADER.size,
        picture.number,
        picture.image_id,
        picture.time,
        picture.received,
        math.nan if saturation is None else float(saturation),
        *picture.full_shape,
        *picture.origin,
        *picture.step,
        height,
        width,
        len(bad),
    )
    return head + bad.tobytes() + _payload(data, encoding, look)


def _payload(data: NDArray[Any], encoding: Encoding, look: Look) -> bytes:
    match encoding:
        case Encoding.RAW:
            return data.tobytes()
        case Encoding.BLOSC:
            packed: bytes = blosc.compress_ptr(
                data.ctypes.data,
                data.size,
                data.itemsize,
                clevel=5,
                shuffle=blosc.BITSHUFFLE,
                cname="lz4",
            )
            return packed
        case Encoding.JPEG:
            return rendering.jpeg(data, look)


def _shown(data: NDArray[Any]) -> NDArray[Any]:
    kind = data.dtype
    if kind.kind == "b":
        kind = np.dtype(np.uint8)
    elif kind.name not in TYPES:
        kind = np.dtype(np.float32)
    return np.ascontiguousarray(data, kind)
