"""Small images of every type for property tests, and the slow way to count in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from repstream.messages.frame import PIXEL_TYPES

INTEGERS = [name for name in PIXEL_TYPES if "int" in name]
FLOATS = ["float32", "float64"]
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


def arrays(shape: tuple[int, int], names: list[str]) -> st.SearchStrategy[NDArray[Any]]:
    """Images of one shape; integers with all their extremes, floats that may be NaN or infinite."""
    return st.sampled_from(names).flatmap(lambda name: hnp.arrays(name, shape, elements=_elements(name)))


@st.composite
def images(draw: st.DrawFn, names: list[str]) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """An image and a mask for it, or none."""
    shape = draw(SHAPES)
    image = draw(arrays(shape, names))
    return image, draw(st.none() | hnp.arrays(bool, shape))


def _elements(name: str) -> st.SearchStrategy[Any]:
    if name.startswith("float"):
        return st.floats(-1e6, 1e6, width=32) | st.sampled_from([np.nan, np.inf, -np.inf])
    limits = np.iinfo(name)
    return st.integers(int(limits.min), int(limits.max)) | st.sampled_from(
        [int(limits.min), int(limits.max), 0]
    )


def good(image: NDArray[Any], mask: NDArray[np.bool_] | None) -> dict[tuple[int, int], int | float]:
    """The good pixels by (row, column), as Python numbers."""
    return {
        place: value.item()
        for place, value in np.ndenumerate(image)
        if (mask is None or not mask[place]) and np.isfinite(value)
    }  # type: ignore[return-value]
