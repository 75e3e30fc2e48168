"""Images without their bad pixels: what every function of this room computes on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repstream.processing.regions import Slices


class Clean(NamedTuple):
    """An image of two dimensions whose bad pixels are 0; `bad` says which, None where there are none.

    A pixel is bad where a mask says so, and where it is NaN or infinite. `image` is in native byte
    order and must not be changed; without bad pixels it is the array as it was given.
    """

    image: NDArray[Any]
    bad: NDArray[np.bool_] | None

    @property
    def shape(self) -> tuple[int, int]:
        return self.image.shape[0], self.image.shape[1]

    @property
    def pixels(self) -> int:
        """How many pixels are good."""
        return self.image.size - (0 if self.bad is None else int(np.count_nonzero(self.bad)))

    def part(self, slices: Slices) -> Clean:
        """A region of it; nothing is copied."""
        bad = None if self.bad is None else self.bad[slices]
        return Clean(self.image[slices], bad)


def clean(image: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> Clean:
    """`image` (two dimensions, any numeric type or bool) without its bad pixels.

    `mask` has its shape and is true where a pixel is bad. float16 becomes float32 and bool uint8, since
    numpy has no fast arithmetic for them. Raises ValueError for another shape of either.
    """
    if image.ndim != 2:
        raise ValueError(f"an image has two dimensions, not shape {image.shape}")
    if mask is not None and mask.shape != image.shape:
        raise ValueError(f"a mask of shape {mask.shape} does not fit an image of shape {image.shape}")
    plain = image.astype(_computed_as(image.dtype), copy=False)
    bad = mask
    if plain.dtype.kind == "f":
        finite = np.isfinite(plain)
        if not finite.all():
            bad = ~finite if mask is None else mask | ~finite
    if bad is None or not bad.any():
        return Clean(plain, None)
    filled = plain.copy()
    np.putmask(filled, bad, 0)
    return Clean(filled, bad)


def extremes(clean: Clean) -> tuple[int, int] | tuple[float, float] | None:
    """The least and the greatest good pixel, None where there is none."""
    image, bad = clean
    if clean.pixels == 0:
        return None
    if bad is None:
        return image.min().item(), image.max().item()
    # One good pixel in the place of each bad one changes neither.
    filled = image.copy()
    np.putmask(filled, bad, image[np.unravel_index(np.argmin(bad), bad.shape)])
    return filled.min().item(), filled.max().item()


def _computed_as(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    return np.dtype(np.float32) if dtype == np.float16 else dtype.newbyteorder("=")
