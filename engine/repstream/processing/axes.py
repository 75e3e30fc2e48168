"""Axes of an image: from a camera's calibration, and what becomes of them where the image is changed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Axis = NDArray[np.float32]

MARKER = (0, 0, 100, 100)
MARKER_SIZE = 100.0


def calibrated(
    size: tuple[int, int], calibration: Mapping[str, Any] | None, binning: tuple[int, int] = (1, 1)
) -> tuple[Axis, Axis]:
    """The axes of an image of `size` (width, height), float32.

    Without `calibration` they count pixels. With one they are in its unit, zero in the middle of its
    reference marker, and descend: the first pixel has the greatest value. The marker is in pixels of
    the image as streamed, unless it `follows_binning`: then it is in pixels before the `binning` (x, y).
    """
    if calibration is None:
        return counted(size[0]), counted(size[1])
    marker = _sequence(calibration, "reference_marker", MARKER)
    steps = binning if calibration.get("follows_binning") else (1, 1)
    x, y = (
        _scale(
            int(size[which]),
            marker[which] / steps[which],
            marker[which + 2] / steps[which],
            _number(calibration, f"reference_marker_{length}", MARKER_SIZE),
            _number(calibration, f"angle_{angle}", 0.0),
        )
        for which, (length, angle) in enumerate((("width", "horizontal"), ("height", "vertical")))
    )
    return x, y


def counted(size: int) -> Axis:
    """0, 1, 2 … for so many pixels."""
    return np.arange(size, dtype=np.float32)


def binned(axis: NDArray[Any], step: int) -> NDArray[Any]:
    """The means of every `step` elements; those at the end that fill no group are left out."""
    if step == 1:
        return axis
    whole = len(axis) // step * step
    means: NDArray[Any] = axis[:whole].reshape(-1, step).mean(axis=1, dtype=np.float64)
    return means.astype(axis.dtype)


def turned(x: NDArray[Any], y: NDArray[Any], quarters: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The axes of an image after so many quarter turns counter-clockwise."""
    match quarters % 4:
        case 0:
            return x, y
        case 1:
            return y, x[::-1]
        case 2:
            return x[::-1], y[::-1]
        case _:
            return y[::-1], x


def index_of(axis: NDArray[Any], value: float) -> int:
    """Where `value` lies: the last element that is not above it, the first one of a descending axis.

    Values outside belong to the nearest end. NaN is nowhere: ValueError.
    """
    if math.isnan(value):
        raise ValueError("no place on the axis: the value is not a number")
    last = len(axis) - 1
    if axis[0] <= axis[last]:
        return min(max(int(np.searchsorted(axis, value, side="right")) - 1, 0), last)
    above = int(np.searchsorted(-axis, -value, side="left"))
    return min(above, last)


def _scale(size: int, first: float, last: float, length: float, angle: float) -> Axis:
    pixel = length / (last - first) * math.cos(math.radians(angle)) if last != first else 1.0
    origin = int(first + (last - first) / 2)
    return (-(np.arange(size) - origin) * pixel).astype(np.float32)


def _number(calibration: Mapping[str, Any], key: str, default: float) -> float:
    value = calibration.get(key)
    return default if value is None else float(value)


def _sequence(calibration: Mapping[str, Any], key: str, default: Sequence[float]) -> Sequence[float]:
    value = calibration.get(key)
    return default if value is None else [float(number) for number in value]
