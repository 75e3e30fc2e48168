"""An array as brightness, colours, and files that any program shows: JPEG, PNG, NumPy."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from repstream_http.pictures.colours import table
from repstream_http.pictures.look import Look

SAMPLES = 500_000
"""Pixels that percentiles are taken from: of 4 million every 8th row and column costs 0.5 ms, all 40."""
PNG_LEVEL = 1
"""Of zlib: higher ones are several times slower for a few percent."""


def levels(data: NDArray[Any], look: Look) -> tuple[float, float]:
    """The values shown darkest and brightest; the second is the greater."""
    low, high = look.low, look.high
    if low is None or high is None:
        stride = max(1, int((data.size / SAMPLES) ** 0.5))
        sample = data[::stride, ::stride]
        if sample.dtype.kind == "f":
            sample = sample[np.isfinite(sample)]
        if sample.size:
            found = np.percentile(sample, (100 - look.percentile, look.percentile))
            low = float(found[0]) if low is None else low
            high = float(found[1]) if high is None else high
    low, high = low or 0.0, high or 0.0
    return low, high if high > low else low + 1


def brightness(data: NDArray[Any], look: Look) -> NDArray[np.uint8]:
    """0 … 255 for each pixel; NaN is 0."""
    low, high = levels(data, look)
    if data.dtype in (np.uint8, np.uint16):
        every_value = np.arange(np.iinfo(data.dtype).max + 1)
        shown: NDArray[np.uint8] = np.take(_scaled(every_value, low, high, look.log), data)
        return shown
    return _scaled(data, low, high, look.log)


def coloured(data: NDArray[Any], look: Look) -> NDArray[np.uint8]:
    """Shape (height, width, 3) in the colours that are asked for, (height, width) for plain grey."""
    shown = brightness(data, look)
    if look.colours == "grey":
        return shown
    return np.take(table(look.colours), shown, axis=0)


def jpeg(data: NDArray[Any], look: Look) -> bytes:
    """The picture as JPEG."""
    pixels = np.ascontiguousarray(coloured(data, look))
    grey = pixels.ndim == 2
    found: bytes = simplejpeg.encode_jpeg(
        pixels[:, :, None] if grey else pixels,
        look.quality,
        "GRAY" if grey else "RGB",
        "Gray" if grey else "444",
        fastdct=True,
    )
    return found


def png(data: NDArray[Any], look: Look) -> bytes:
    """The picture as PNG. Source: PNG specification (third edition), sections 5 and 11.2."""
    pixels = coloured(data, look)
    height, width = pixels.shape[:2]
    rows = np.zeros((height, pixels.size // height + 1), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), PNG_LEVEL)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def npy(data: NDArray[Any]) -> bytes:
    """The values as they are, as NumPy's own file."""
    file = io.BytesIO()
    np.save(file, data, allow_pickle=False)
    return file.getvalue()


def _scaled(values: NDArray[Any], low: float, high: float, log: bool) -> NDArray[np.uint8]:
    with np.errstate(over="ignore", invalid="ignore"):
        share = (values.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, LEAST_SPAN))
        share = np.nan_to_num(np.clip(share, 0, 1))
    if log:
        share = np.log1p(share * (LOG_RANGE - 1)) / np.log(LOG_RANGE)
    shown: NDArray[np.uint8] = (share * 255 + 0.5).astype(np.uint8)
    return shown


LEAST_SPAN = 1e-30
"""Levels that are nearer than this count as so far apart."""
LOG_RANGE = 1000.0
"""A logarithmic scale shows so large a ratio between brightest and darkest, as the page does."""
