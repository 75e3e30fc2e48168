"""Parts of an image, as slices: clipped to what there is."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Slices = tuple[slice, slice]


def whole(image: NDArray[Any]) -> Slices:
    """All rows and columns of an image."""
    height, width = image.shape
    return slice(0, height), slice(0, width)


def clipped(shape: tuple[int, int], y: int, x: int, height: int, width: int) -> Slices:
    """The rows and columns of a region within an image of `shape` (height, width), in pixels.

    A `height` or `width` of 0 reaches to the edge. What lies outside is left out; a region that lies
    outside as a whole has no pixels.
    """
    return _range(shape[0], y, height), _range(shape[1], x, width)


def step_for(shape: tuple[int, int], size: tuple[int, int] | None, least: int = 1) -> int:
    """Side of the square of pixels that become one sample, so that `shape` fits into `size`.

    Never below `least`; a `size` of None sets no limit.
    """
    if size is None:
        return least
    return max(least, *(-(-n // max(most, 1)) for n, most in zip(shape, size, strict=True)))


def _range(size: int, begin: int, length: int) -> slice:
    first = min(max(begin, 0), size)
    end = size if length == 0 else min(max(begin + length, first), size)
    return slice(first, end)
