"""What scripts import as ``functions``: steps of processing, by the names and arguments of scripts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.processing import axes, background, coupling, good_region
from repstream.processing import profiles as sums
from repstream.processing import slices as cutting
from repstream.processing.camera import View
from repstream.processing.curve import Curve
from repstream.processing.gaussian import fit
from repstream.processing.regions import whole
from repstream.processing.threshold import cut
from repstream.processing.widths import HALF, full_width

Array = NDArray[Any]
SliceData = tuple[tuple[float, float], float, float]


def copy_image(image: Array) -> Array:
    """A copy."""
    return image.copy()


chunk_copy = copy_image


def is_number(text: object) -> bool:
    """Whether this is a number, or the text of one."""
    try:
        float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def subtract_background(image: Array, background_image: Array) -> Array:
    """The image less the background, 0 where that is negative."""
    return background.subtracted(image, background_image)


def get_region_of_interest(image: Array, offset_x: int, size_x: int, offset_y: int, size_y: int) -> Array:
    """A part of the image; a view."""
    return image[offset_y : offset_y + size_y, offset_x : offset_x + size_x]


def apply_threshold(image: Array, threshold: float = 1) -> None:
    """Set to 0, in the image itself, what is below the threshold."""
    np.copyto(image, cut(image, threshold))


def get_min_max(image: Array) -> tuple[Any, Any]:
    """The least and the greatest pixel."""
    return sums.extremes(image)


def get_x_y_profile(image: Array) -> tuple[Array, Array]:
    """The sums of columns and of rows."""
    found = sums.profiles(image)
    return found.x, found.y


def find_index(axis: Array, item: float) -> int:
    """Where a value is on an axis."""
    return axes.index_of(axis, item)


def get_fwhm(x: Array, y: Array) -> float:
    """The full width at half of its height of a profile `y` over its axis `x`."""
    return full_width(y, x, HALF)


def get_fw(x: Array, y: Array, threshold: float = HALF) -> float:
    """The full width at a fraction of its height of a profile `y` over its axis `x`."""
    return full_width(y, x, threshold)


def gauss_fit(profile: Array, axis: Array) -> tuple[Array, float, float, float, float, float, float]:
    """The curve that fits a profile, its offset, amplitude, mean and sigma; centre of mass and rms."""
    found = fit(profile, axis)
    curve = found.curve
    numbers = curve.offset, curve.amplitude, curve.mean, curve.sigma
    return found.values, *numbers, found.center_of_mass, found.rms


def get_good_region_profile(profile: Array, threshold: float = 0.3, gfscale: float = 1.8) -> tuple[int, int]:
    """First index of the good region of a profile, and the one after its last."""
    return good_region.good_region(profile, threshold, gfscale)


def calculate_slices(
    axis: Array, center: float, standard_deviation: float, scaling: float = 2, number_of_slices: int = 9
) -> tuple[list[int], int]:
    """The indices between which slices lie, and half of the width of one."""
    found = cutting.cuts(axis, center, standard_deviation, scaling, number_of_slices)
    return found.boundaries, found.half


def get_x_slices_data(  # noqa: PLR0917 (the arguments that scripts give)
    image: Array,
    x_axis: Array,
    y_axis: Array,
    x_center: float,
    x_standard_deviation: float,
    scaling: float = 2,
    number_of_slices: int = 9,
) -> tuple[list[SliceData], float | None]:
    """Slices along the x axis, each ((center x, center y), standard deviation, intensity); their length."""
    asked = cutting.Slicing(number_of_slices, scaling, "horizontal")
    return _sliced(View(image, x_axis, y_axis), x_center, x_standard_deviation, asked)


def get_y_slices_data(  # noqa: PLR0917 (the arguments that scripts give)
    image: Array,
    x_axis: Array,
    y_axis: Array,
    y_center: float,
    y_standard_deviation: float,
    scaling: float = 2,
    number_of_slices: int = 9,
) -> tuple[list[SliceData], float | None]:
    """Slices along the y axis, each ((center x, center y), standard deviation, intensity); their length."""
    asked = cutting.Slicing(number_of_slices, scaling, "vertical")
    return _sliced(View(image, x_axis, y_axis), y_center, y_standard_deviation, asked)


def linear_fit(x: Array, y: Array) -> tuple[float, float]:
    """Slope and offset of the line through points. Raises ValueError for fewer than two."""
    found = coupling.line(x, y)  # type: ignore[arg-type]
    if found is None:
        raise ValueError("a line needs two points that differ in x")
    return found.slope, found.offset


def get_spectrum(image: Array, background_image: Array) -> Array:
    """The sums of columns of the image less the background where that is not negative, uint32."""
    spectrum: Array = background.subtracted(image, background_image).sum(axis=0, dtype=np.uint32)
    return spectrum


def _sliced(
    view: View, center: float, sigma: float, asked: cutting.Slicing
) -> tuple[list[SliceData], float | None]:
    found, length = cutting.slices(view, whole(view.image), Curve(0.0, 1.0, center, sigma), asked)
    data: list[SliceData] = [
        ((one.center_x, one.center_y), one.standard_deviation, one.intensity) for one in found
    ]
    return data, length
