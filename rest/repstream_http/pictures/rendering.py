"""An array as brightness, colours, and files that any program shows: JPEG, PNG, NumPy."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from repstream.pictures import rendering
from repstream_http.pictures.colours import table
from repstream_http.pictures.look import Look


def levels(data: NDArray[Any], look: Look) -> tuple[float, float]:
    """The values shown darkest and brightest; the second is the greater."""
    low, high = look.low, look.high
    if low is None or high is None:
        found = rendering.levels(data, look.percentile)
        low = found[0] if low is None else low
        high = found[1] if high is None else high
    return low, high if high > low else low + 1


def coloured(data: NDArray[Any], look: Look) -> NDArray[np.uint8]:
    """Shape (height, width, 3) in the colours that are asked for, (height, width) for plain grey."""
    shown = rendering.brightness(data, *levels(data, look), look.log)
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
    """The picture as PNG."""
    return rendering.png(coloured(data, look))


def npy(data: NDArray[Any]) -> bytes:
    """The values as they are, as NumPy's own file."""
    file = io.BytesIO()
    np.save(file, data, allow_pickle=False)
    return file.getvalue()
