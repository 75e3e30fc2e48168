"""A camera's picture as its stream has it: binned, mirrored, turned, cut out, without its background."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repstream.errors import InvalidValue, ProcessingError
from repstream.processing import axes, background, geometry
from repstream.processing.regions import Slices

Array = NDArray[Any]


class View(NamedTuple):
    """An image (height, width) with the axes of its columns and rows."""

    image: Array
    x_axis: Array
    y_axis: Array


class Geometry:
    """What a camera's configuration makes of its raw images, and the axes that go with them.

    `configuration` has the keys of a camera: binning_x, binning_y, binning_mean, mirror_x, mirror_y,
    rotate, roi, camera_calibration; others do not count, nor does a key that is None. `subtract` is the
    background, of the size of the images as streamed, taken off at the end and never below 0.

    Raises InvalidValue for a key whose value makes no sense, with what is allowed.
    """

    def __init__(self, configuration: Mapping[str, Any], subtract: Array | None = None) -> None:
        self._binning = _count(configuration, "binning_x"), _count(configuration, "binning_y")
        self._mean = bool(configuration.get("binning_mean"))
        self._mirrors = bool(configuration.get("mirror_x")), bool(configuration.get("mirror_y"))
        self._quarters = _integer("rotate", configuration.get("rotate") or 0) % 4
        self._roi = _region(configuration.get("roi"))
        self._calibration: Mapping[str, Any] | None = configuration.get("camera_calibration")
        self._background = None if subtract is None else subtract.astype(np.uint16)
        self._axes: tuple[tuple[int, int], Array, Array] | None = None

    def __call__(self, raw: Array) -> View:
        """The image as streamed; a view of `raw` where nothing had to be computed.

        Raises ProcessingError for an image that the region or the background does not fit.
        """
        image = geometry.binned(geometry.native(raw), *self._binning, mean=self._mean)
        image = geometry.turned(geometry.mirrored(image, *self._mirrors), self._quarters)
        image = image[self._part(image.shape)]
        if self._background is not None:
            image = background.subtracted(image, self._background)
        return View(image, *self.axes(raw.shape[1], raw.shape[0]))

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height as streamed, of raw images of `width` and `height`."""
        rows, columns = self._part(self._turned(width, height)[::-1])
        return columns.stop - columns.start, rows.stop - rows.start

    def axes(self, width: int, height: int) -> tuple[Array, Array]:
        """The axes of images as streamed, of raw ones of `width` and `height`; float32, not to be changed."""
        if self._axes is None or self._axes[0] != (width, height):
            turned = self._turned(width, height)
            rows, columns = self._part(turned[::-1])
            x, y = axes.calibrated(turned, self._calibration, self._turned_pair(*self._binning))
            self._axes = (width, height), x[columns], y[rows]
        return self._axes[1:]

    def _turned(self, width: int, height: int) -> tuple[int, int]:
        x, y = self._binning
        return self._turned_pair(width // x, height // y)

    def _turned_pair(self, x: int, y: int) -> tuple[int, int]:
        return (y, x) if self._quarters % 2 else (x, y)

    def _part(self, shape: tuple[int, ...]) -> Slices:
        height, width = shape
        if self._roi is None:
            return slice(0, height), slice(0, width)
        offset_x, size_x, offset_y, size_y = self._roi
        rows, columns = _within(height, offset_y, size_y), _within(width, offset_x, size_x)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            raise ProcessingError(f"roi {list(self._roi)} has no pixel of the image of {width}x{height}")
        return rows, columns


def _within(size: int, offset: int, length: int) -> slice:
    return slice(max(offset, 0), min(offset + length, size))


def _count(configuration: Mapping[str, Any], key: str) -> int:
    value = configuration.get(key)
    number = 1 if value is None else _integer(key, value)
    if number < 1:
        raise InvalidValue(key, f"must be a whole number of 1 or more, not {value!r}")
    return number


def _integer(key: str, value: object) -> int:
    try:
        return int(value)  # type: ignore[call-overload,no-any-return]
    except (TypeError, ValueError):
        raise InvalidValue(key, f"must be a whole number, not {value!r}") from None


def _region(value: object) -> tuple[int, int, int, int] | None:
    if not value:
        return None
    try:
        x, width, y, height = (int(number) for number in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise InvalidValue("roi", f"must be [offset_x, size_x, offset_y, size_y], not {value!r}") from None
    return x, width, y, height
