"""The channels of the functions that are built in: what is sent of a processed image, in order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.errors import InvalidValue
from repstream.processing.camera import View
from repstream.processing.coupling import line
from repstream.processing.gaussian import Fit, fit
from repstream.processing.good_region import SCALE, THRESHOLD, good_region
from repstream.processing.profiles import Profiles, profiles, with_extremes
from repstream.processing.regions import Slices
from repstream.processing.slices import Orientation, Slice, Slicing, odd, slices
from repstream.processing.solvers import SOLVERS
from repstream.processing.widths import full_width

Array = NDArray[Any]
Value = Array | np.generic | int | float | bool | str | None
Channels = dict[str, Value]

HELD = ("background_data",)
"""Parameters that a function is given and nobody is sent: arrays."""

FIT = ("gauss_function", "offset", "amplitude", "standard_deviation", "mean")
TRANSPARENT_ORDER = ("x_axis", "y_axis", "width", "height", "image", "processing_parameters")
SLICE = ("center_x", "center_y", "standard_deviation", "intensity")
NO_SLICE = (None,) * len(SLICE)
ORIENTATIONS: tuple[Orientation, ...] = "horizontal", "vertical"


def transparent(view: View, timestamp: tuple[int, int], parameters: Mapping[str, Any]) -> Channels:
    """The image with its axes and sizes, the configuration and the time: nothing is computed."""
    sent = picture(view, parameters)
    return {name: sent[name] for name in TRANSPARENT_ORDER} | {"timestamp": seconds(timestamp)}


def analysed(view: View, timestamp: tuple[int, int], parameters: Mapping[str, Any]) -> Channels:
    """What is known of the beam: profiles, widths, fits; good region and slices where they are configured.

    With `fit_status` in the parameters each fit has one more channel, ``…_fit_converged``: false where
    its values are a first guess.
    """
    SOLVERS.count()
    marked = bool(parameters.get("fit_status"))
    view = view._replace(image=np.ascontiguousarray(view.image))  # as sums are fast, and as it is sent
    image, x_axis, y_axis = view
    found, least, most = with_extremes(image)
    channels = picture(view, parameters) | {"timestamp": seconds(timestamp)}
    channels |= {"min_value": least, "max_value": most}
    channels |= {"x_profile": found.x, "y_profile": found.y, "intensity": found.intensity}
    channels |= {
        "x_fwhm": full_width(found.x, x_axis),
        "y_fwhm": full_width(found.y, y_axis),
    }
    fraction = parameters.get("fw_threshold")
    if fraction is not None:
        channels |= {
            "x_fw": full_width(found.x, x_axis, float(fraction)),
            "y_fw": full_width(found.y, y_axis, float(fraction)),
        }
    fits = fit(found.x, x_axis), fit(found.y, y_axis)
    for name, fitted in zip("xy", fits, strict=True):
        channels |= {f"{name}_center_of_mass": fitted.center_of_mass, f"{name}_rms": fitted.rms}
    channels |= _fitted("x", fits[0], marked) | _fitted("y", fits[1], marked)
    if parameters.get("image_good_region"):
        channels |= _in_good_region(view, found, parameters, marked)
    return channels


def picture(view: View, parameters: Mapping[str, Any]) -> Channels:
    """The channels that every function sends."""
    image, x_axis, y_axis = view
    return {
        "x_axis": x_axis,
        "y_axis": y_axis,
        "image": image,
        "width": int(image.shape[1]),
        "height": int(image.shape[0]),
        "processing_parameters": json.dumps({k: v for k, v in parameters.items() if k not in HELD}),
    }


def seconds(timestamp: tuple[int, int]) -> float:
    """A time (s, ns) as seconds."""
    return timestamp[0] + timestamp[1] / 1e9


def slicing(parameters: Mapping[str, Any]) -> Slicing | None:
    """What the key `image_slices` says; None for no slices. Raises InvalidValue with what is allowed."""
    asked = parameters.get("image_slices")
    if not asked:
        return None
    number = asked.get("number_of_slices", 1)
    if isinstance(number, bool) or not isinstance(number, int):
        raise InvalidValue("image_slices", "number_of_slices must be an integer.")
    orientation = asked.get("orientation", "vertical")
    if orientation not in ORIENTATIONS:
        raise InvalidValue("image_slices", f"Invalid slice orientation '{orientation}'.", ORIENTATIONS)
    return Slicing(odd(max(number, 1)), float(asked.get("scale", 2)), orientation)


def _in_good_region(view: View, found: Profiles, parameters: Mapping[str, Any], marked: bool) -> Channels:
    region = parameters["image_good_region"]
    limits = float(region.get("threshold", THRESHOLD)), float(region.get("gfscale", SCALE))
    try:
        (x0, x1), (y0, y1) = good_region(found.x, *limits), good_region(found.y, *limits)
    except ValueError:
        x0 = x1 = y0 = y1 = 0
    asked = slicing(parameters)
    if x0 >= x1 or y0 >= y1:
        return _no_region(marked) | _sliced(None, None, asked)
    part = slice(y0, y1), slice(x0, x1)
    x_axis, y_axis = view.x_axis[x0:x1], view.y_axis[y0:y1]
    inside = profiles(view.image, part)
    fits = fit(inside.x, x_axis), fit(inside.y, y_axis)
    channels: Channels = {
        "good_region": np.array([x0, y0, x1, y1], np.int64),
        "gr_x_axis": x_axis,
        "gr_y_axis": y_axis,
        "gr_x_profile": inside.x,
        "gr_y_profile": inside.y,
    }
    channels |= _fitted("gr_x", fits[0], marked) | _fitted("gr_y", fits[1], marked)
    channels["gr_intensity"] = inside.intensity
    return channels | _sliced((view, part), fits, asked)


def _no_region(marked: bool) -> Channels:
    names = ["good_region", "gr_x_axis", "gr_y_axis", "gr_x_profile", "gr_y_profile"]
    for axis in ("gr_x", "gr_y"):
        names += [f"{axis}_fit_{field}" for field in (*FIT, *(("converged",) if marked else ()))]
    return dict.fromkeys([*names, "gr_intensity"])


def _fitted(name: str, fitted: Fit, marked: bool) -> Channels:
    curve = fitted.curve
    values: tuple[Value, ...] = (fitted.values, curve.offset, curve.amplitude, curve.sigma, curve.mean)
    channels: Channels = {f"{name}_fit_{field}": value for field, value in zip(FIT, values, strict=True)}
    return channels | ({f"{name}_fit_converged": fitted.converged} if marked else {})


def _sliced(
    part: tuple[View, Slices] | None, fits: tuple[Fit, Fit] | None, asked: Slicing | None
) -> Channels:
    if asked is None:
        return {}
    found: list[Slice] = []
    length: float | None = None
    line_found, width = None, 0.0
    if part is not None and fits is not None:
        across = _cut(part, fits, asked._replace(orientation="horizontal"))
        found, length = across if asked.orientation == "horizontal" else _cut(part, fits, asked)
        line_found = line([one.center_x for one in across[0]], [one.center_y for one in across[0]])
        width = fits[0].curve.sigma
    channels: Channels = {
        "slice_orientation": asked.orientation,
        "slice_amount": asked.number,
        "slice_length": length,
    }
    for number in range(asked.number):
        values: tuple[float | None, ...] = found[number] if number < len(found) else NO_SLICE
        channels |= {f"slice_{number}_{field}": v for field, v in zip(SLICE, values, strict=True)}
    slope, offset = line_found or (None, None)
    channels["coupling"] = None if slope is None else slope * width**2
    return channels | {"coupling_slope": slope, "coupling_offset": offset}


def _cut(
    part: tuple[View, Slices], fits: tuple[Fit, Fit], asked: Slicing
) -> tuple[list[Slice], float | None]:
    curve = fits[0 if asked.orientation == "horizontal" else 1].curve
    try:
        return slices(*part, curve, asked)
    except ValueError:
        return [], None
