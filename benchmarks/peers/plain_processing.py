"""What a pipeline computes of an image, in a plain script: numpy, and scipy's curve_fit for the fits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

Array = NDArray[Any]
SLICES, SCALE = 5, 2.0
THRESHOLD, WIDER = 0.3, 1.8


def gauss(a: Array, offset: float, amplitude: float, center: float, sigma: float) -> Array:
    return offset + amplitude * np.exp(-((a - center) ** 2) / (2 * sigma**2))


def gauss_fit(profile: Array, axis: Array) -> tuple[Any, ...]:
    offset, center = profile.min(), axis[profile.argmax()]
    amplitude = profile.max() - offset
    sigma = np.trapezoid(profile - offset, axis) / (amplitude * np.sqrt(2 * np.pi))
    start = [offset, amplitude, center, sigma]
    (offset, amplitude, center, sigma), _ = curve_fit(gauss, axis, profile.astype("float32"), p0=start)
    sigma = abs(sigma)
    weights = (profile - offset) / np.sum(profile - offset)
    weights[np.abs(axis - center) > 5 * sigma] = 0
    mass = np.sum(axis * weights)
    rms = np.sqrt(np.abs(np.sum((axis - mass) ** 2 * weights)))
    return gauss(axis, offset, amplitude, center, sigma), offset, amplitude, center, sigma, mass, rms


def width(profile: Array, axis: Array, fraction: float = 0.5) -> float:
    above = profile - profile.min()
    inside = np.flatnonzero(above > above.max() * fraction)
    ends = []
    for inner, outer in ((inside[0], inside[0] - 1), (inside[-1], inside[-1] + 1)):
        places = sorted((outer, inner), key=lambda i: above[i])
        ends.append(np.interp(above.max() * fraction, above[places], axis[places]))
    return float(ends[1] - ends[0])


def good_region(profile: Array) -> tuple[int, int]:
    below = np.flatnonzero(profile < profile.min() + (profile.max() - profile.min()) * THRESHOLD)
    top = profile.argmax()
    start, end = below[below < top][-1], below[below > top][0]
    more = (end - start) * (WIDER - 1) / 2
    return int(max(start - more, 0)), int(min(end + more, len(profile) - 1))


def slices(image: Array, across: Array, along: Array, center: float, sigma: float) -> list[tuple[float, ...]]:
    """Slices that follow each other along the columns of `image`."""
    half = max(int(SCALE * sigma / SLICES / 2), 1)
    middle = int(np.searchsorted(across, center))
    found = []
    for number in range(SLICES):
        begin = middle + (2 * (number - SLICES // 2) - 1) * half
        profile = image[:, begin : begin + 2 * half].sum(axis=1)
        _, _, _, mean, deviation, _, _ = gauss_fit(profile, along)
        found.append((across[begin + half], mean, deviation, profile.sum()))
    return found


def process(image: Array, x_axis: Array, y_axis: Array) -> dict[str, Any]:
    result: dict[str, Any] = {"min_value": np.min(image), "max_value": np.max(image)}
    x_profile, y_profile = image.sum(axis=0), image.sum(axis=1)
    result["intensity"] = x_profile.sum()
    result["x_fwhm"], result["y_fwhm"] = width(x_profile, x_axis), width(y_profile, y_axis)
    result["x_fit"], result["y_fit"] = gauss_fit(x_profile, x_axis), gauss_fit(y_profile, y_axis)
    (x0, x1), (y0, y1) = good_region(x_profile), good_region(y_profile)
    region, x_axis, y_axis = image[y0:y1, x0:x1], x_axis[x0:x1], y_axis[y0:y1]
    x_profile, y_profile = region.sum(axis=0), region.sum(axis=1)
    result["gr_intensity"] = x_profile.sum()
    x_fit, y_fit = gauss_fit(x_profile, x_axis), gauss_fit(y_profile, y_axis)
    result["gr_x_fit"], result["gr_y_fit"] = x_fit, y_fit
    columns = slices(region, x_axis, y_axis, x_fit[3], x_fit[4])
    result["slices"] = slices(region.T, y_axis, x_axis, y_fit[3], y_fit[4])
    slope, offset = np.polyfit([one[0] for one in columns], [one[1] for one in columns], 1)
    result["coupling"] = slope * x_fit[4] ** 2, slope, offset
    return result
