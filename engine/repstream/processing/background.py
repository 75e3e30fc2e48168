"""An image without its background."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.errors import ProcessingError

Array = NDArray[Any]


def subtracted(image: Array, background: Array) -> Array:
    """`image` less `background`, 0 where that is negative; in the common type of both."""
    check(image, background)
    difference: Array = np.maximum(image, background)
    difference -= background
    return difference


def difference(image: Array, background: Array) -> Array:
    """`image` less `background` with its sign: int32, float64 for images of floating-point numbers."""
    check(image, background)
    dtype = np.dtype(np.float64 if image.dtype.kind == "f" else np.int32)
    signed: Array = np.subtract(image, background, dtype=dtype, casting="unsafe")
    return signed


def check(image: Array, background: Array) -> None:
    """Raise ProcessingError for a background whose shape is not the image's."""
    if image.shape != background.shape:
        raise ProcessingError(
            f"Bad background image size: {size(background)} instead of {size(image)}; "
            "collect the background anew at this binning"
        )


def size(image: Array) -> str:
    """Width and height in words of a user: ``1280x960``."""
    return "x".join(str(length) for length in reversed(image.shape))
