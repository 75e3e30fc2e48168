"""A pipeline's configuration as steps, in the order in which an image goes through them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.errors import InvalidValue, ProcessingError
from repstream.processing import axes, background, geometry, rotation, threshold
from repstream.processing.averaging import BlockMean, RunningMean
from repstream.processing.camera import View
from repstream.processing.rotation import Rotation

Array = NDArray[Any]
Step = Callable[[View], View | None]
"""Takes a view on to the next one; None where the image has been taken in and nothing goes on yet."""

SIGNED, PASSIVE = "signed", "passive"


class Steps:
    """The steps of a configuration.

    `background` is the pipeline's, as it was collected or uploaded: without it nothing is subtracted.
    Raises InvalidValue for a key whose value makes no sense, with what is allowed.
    """

    def __init__(self, configuration: Mapping[str, Any], background: Array | None = None) -> None:
        self._configuration = configuration
        self.background = self._binned(background)
        """What is subtracted, binned and in uint16; None where it is not enabled or there is none."""
        self._steps = [step for step in self._made() if step is not None]

    @property
    def enabled(self) -> object:
        """How the background is used: False, True, "signed", "passive"."""
        return self._configuration.get("image_background_enable") or False

    def __call__(self, view: View) -> View | None:
        """The view through all steps; None if one of them kept it.

        Raises ProcessingError where the background does not fit, or nothing is left.
        """
        for step in self._steps:
            following = step(view)
            if following is None:
                return None
            view = following
        if not view.image.size:
            raise ProcessingError("the binning and the region of interest leave no pixel of the image")
        return view

    def _made(self) -> list[Step | None]:
        get = self._configuration.get
        turn = rotation.configured(get("rotation"))
        return [
            self._averaged(),
            self._binning(),
            self._subtracted(),
            self._mirrored(),
            None if turn is None else _rotated(turn),
            self._region(),
            self._threshold(),
            self._late_mean(),
            self._scaled(),
        ]

    def _averaged(self) -> Step | None:
        number = int(_number(self._configuration, "averaging"))
        if not number:
            return None
        mean = BlockMean(number) if number > 0 else RunningMean(-number)

        def averaged(view: View) -> View | None:
            image = mean(view.image)
            return None if image is None else view._replace(image=image)

        return averaged

    def _binning(self) -> Step | None:
        x, y, mean = self._bins()
        if x == y == 1:
            return None
        return lambda view: View(
            geometry.binned(view.image, x, y, mean),
            axes.binned(view.x_axis, x),
            axes.binned(view.y_axis, y),
        )

    def _subtracted(self) -> Step | None:
        collected = self.background
        if collected is None or self.enabled == PASSIVE:
            return None
        subtract = background.difference if self.enabled == SIGNED else background.subtracted
        return _of_image(lambda image: subtract(image, collected))

    def _mirrored(self) -> Step | None:
        x, y = bool(self._configuration.get("mirror_x")), bool(self._configuration.get("mirror_y"))
        if not x and not y:
            return None
        return lambda view: View(
            geometry.mirrored(view.image, x, y),
            view.x_axis[:: -1 if x else 1],
            view.y_axis[:: -1 if y else 1],
        )

    def _region(self) -> Step | None:
        region = self._configuration.get("image_region_of_interest")
        if not region:
            return None
        try:
            _, _, _, _ = (int(value) for value in region)
        except (TypeError, ValueError):
            raise InvalidValue(
                "image_region_of_interest", f"must be [offset_x, size_x, offset_y, size_y], not {region!r}"
            ) from None

        def cut_out(view: View) -> View:
            rows, columns = geometry.held_region((view.image.shape[0], view.image.shape[1]), region)
            return View(view.image[rows, columns], view.x_axis[columns], view.y_axis[rows])

        return cut_out

    def _threshold(self) -> Step | None:
        level = _number(self._configuration, "image_threshold")
        return _of_image(lambda image: threshold.cut(image, level)) if level > 0 else None

    def _late_mean(self) -> Step | None:
        number = int(_number(self._configuration, "image_averaging"))
        return _of_image(RunningMean(number)) if number > 0 else None

    def _scaled(self) -> Step | None:
        scale, offset = self._configuration.get("image_scale"), self._configuration.get("image_offset")
        if not scale and not offset:
            return None
        for key in ("image_scale", "image_offset"):
            _number(self._configuration, key)

        def scaled(image: Array) -> Array:
            if scale:
                image = _calculated(np.multiply, image, _as_number(scale))
            return _calculated(np.add, image, _as_number(offset)) if offset else image

        return _of_image(scaled)

    def _bins(self) -> tuple[int, int, bool]:
        x, y = (int(_number(self._configuration, key, default=1)) for key in ("binning_x", "binning_y"))
        for key, value in (("binning_x", x), ("binning_y", y)):
            if value < 1:
                raise InvalidValue(key, f"must be a whole number of 1 or more, not {value}")
        return x, y, bool(self._configuration.get("binning_mean"))

    def _binned(self, collected: Array | None) -> Array | None:
        if collected is None or not self.enabled:
            return None
        x, y, mean = self._bins()
        return geometry.binned(collected.astype(np.uint16), x, y, mean)


def _of_image(change: Callable[[Array], Array]) -> Step:
    return lambda view: view._replace(image=change(view.image))


def _rotated(turn: Rotation) -> Step:
    def rotated(view: View) -> View:
        return View(turn(view.image), *axes.turned(view.x_axis, view.y_axis, turn.quarters))

    return rotated


def _calculated(take: np.ufunc, image: Array, number: float) -> Array:
    """Integers keep their type, or take the least one that holds them and a whole `number`."""
    if image.dtype.kind == "f" or isinstance(number, float):
        found: Array = take(image, number)
        return found
    dtype = np.promote_types(image.dtype, np.min_scalar_type(number))
    widened: Array = take(image.astype(dtype, copy=False), dtype.type(number))
    return widened


def _as_number(value: object) -> float | int:
    return value if isinstance(value, (int, float)) else float(str(value))


def _number(configuration: Mapping[str, Any], key: str, default: float = 0) -> float:
    value = configuration.get(key)
    if value is None:
        return default
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidValue(key, f"must be a number, not {value!r}")
    return number
