"""A picture as `DevEncoded` attributes carry it: format and bytes. Pure."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from repstream.parameters.facts import Value
from repstream.pictures import rendering
from repstream.pictures.picture import Picture

JPEG_FORMAT = "JPEG_GRAY8"
"""What Tango's own `EncodedAttribute` and viewers that use it call a grey JPEG."""
QUALITY = 85
PERCENTILE = 99.8
"""Percentile of the pixels shown brightest, as over HTTP."""

VIDEO_FORMAT = "VIDEO_IMAGE"
VIDEO_HEADER = struct.Struct("!IHHqiiHHHH")
"""Magic, version, mode, frame number, width, height, byte order, length of this header, twice 0."""
VIDEO_MAGIC = 0x5644454F
VIDEO_VERSION = 1
LITTLE_ENDIAN = 0
VIDEO_MODES = {1: 0, 2: 1, 4: 2, 8: 3}
"""Lima's mode (Y8, Y16, Y32, Y64) by the bytes of a pixel."""


def jpeg(picture: Picture, darkest: Value = None, brightest: Value = None) -> tuple[str, bytes]:
    """As a grey JPEG, dark to bright between two values, or between the percentiles of its pixels."""
    low, high = float(darkest or 0.0), float(brightest or 0.0)
    if not high > low:
        low, high = rendering.levels(picture.data, PERCENTILE)
    pixels = np.ascontiguousarray(rendering.brightness(picture.data, low, high if high > low else low + 1))
    return JPEG_FORMAT, simplejpeg.encode_jpeg(pixels[:, :, None], QUALITY, "GRAY", "Gray", fastdct=True)


def lima_video(picture: Picture) -> tuple[str, bytes]:
    """As Lima's ``video_last_image``: a header in network order, then the pixels in little-endian order."""
    pixels = _unsigned(picture.data)
    height, width = pixels.shape
    mode = VIDEO_MODES[pixels.itemsize]
    head = VIDEO_HEADER.pack(
        VIDEO_MAGIC,
        VIDEO_VERSION,
        mode,
        picture.image_id,
        width,
        height,
        LITTLE_ENDIAN,
        VIDEO_HEADER.size,
        0,
        0,
    )
    return VIDEO_FORMAT, head + pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()


def _unsigned(data: NDArray[Any]) -> NDArray[Any]:
    """Lima's viewers know unsigned integers only: what is below 0 becomes 0, a fraction is rounded."""
    if data.dtype.kind == "u":
        return data
    if data.dtype.kind == "b":
        return data.astype(np.uint8)
    if data.dtype.kind == "i":
        positive: NDArray[Any] = np.maximum(data, 0)
        return positive.astype(f"u{data.itemsize}")
    largest = np.iinfo(np.uint32).max
    return np.clip(np.rint(np.nan_to_num(data.astype(np.float64))), 0, largest).astype(np.uint32)
