"""Every recorded run of a pipeline: the same channels, types, shapes and values within their tolerances."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.engine.processing.recorded import TIMESTAMP, arrays, document, number

from repstream.errors import ProcessingError
from repstream.processing.axes import calibrated
from repstream.processing.camera import View
from repstream.processing.channels import Channels
from repstream.processing.gaussian import Curve
from repstream.processing.pipeline import Pipeline, Pulse

EXACT = ("image", "profile", "min_value", "max_value", "width", "height", "good_region", "slice_amount")
TO_AXIS_DIGITS = ("_axis", "_fwhm", "_fw", "slice_length")
COST = 1e-6
"""What the sum of squares of a fit may be above the recorded one, of it, where the optimum is flat."""

RAISES = "bug_ortho90_binning_fails"
"""The one case in which the original raised."""

ADDED_LATE = "slices_even4"
"""Its last slice was put behind the coupling."""

CASES = [case for case in document("cases")["cases"] if "outputs" in case and case["name"] != RAISES]


@pytest.mark.usefixtures("solvers")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_is_sent_is_what_was_recorded(case: dict[str, Any]) -> None:
    for ours, recorded, sensitive in run(case):
        if recorded is None:
            assert ours is None
            continue
        assert ours is not None
        assert ours.keys() == recorded.keys()
        if case["name"] != ADDED_LATE:
            assert list(ours) == list(recorded)
        for name in recorded:
            if name in sensitive:
                assert fits_as_well(name, ours, recorded), name
            else:
                compare(name, ours, recorded[name], interpolated=is_interpolated(case))


def test_a_quarter_turn_goes_with_binning() -> None:
    case = next(case for case in document("cases")["cases"] if case["name"] == RAISES)
    ((ours, _, _),) = run(case)
    assert ours is not None
    image = arrays("images")["tilt_u16"]
    assert np.asarray(ours["image"]).shape == (image.shape[1] // 2, image.shape[0] // 2)
    assert (ours["width"], ours["height"]) == (len(ours["x_axis"]), len(ours["y_axis"]))  # type: ignore[arg-type]
    np.testing.assert_array_equal(ours["y_axis"], np.arange(0.5, 140, 2)[::-1])


def test_a_background_of_another_size_is_an_error_or_an_image_of_zeros() -> None:
    case = next(case for case in document("cases")["cases"] if case["name"] == "background_wrong_size")
    (recorded,) = case["outputs_with_notify_on_error"]
    image, background = arrays("images")["gauss_u16"], arrays("images")["background__gauss_u8"]
    view, pulse = View(image, *calibrated((120, 90), None)), Pulse(0, TIMESTAMP)
    with pytest.raises(ProcessingError, match="Bad background image size: 64x48 instead of 120x90"):
        Pipeline(case["config"], background).process(view, pulse)
    parameters = recorded["processing_parameters"]["value"]
    told = parameters.pop("processing_error")
    ours = Pipeline(parameters, background).process(view, pulse)
    assert ours is not None
    assert list(ours) == list(recorded)
    said = json.loads(str(ours["processing_parameters"]))
    assert said.pop("processing_error").startswith(told)
    assert said == parameters
    for name in recorded.keys() - {"processing_parameters"}:
        compare(name, ours, recorded[name], interpolated=False)


def run(case: dict[str, Any]) -> Iterator[tuple[Channels | None, dict[str, Any] | None, list[str]]]:
    images = arrays("images")
    background = images[f"background__{case['background']}"] if case["background"] else None
    pipeline = Pipeline(case["config"], background)
    rows = zip(case["frames"], case["outputs"], case["sensitive"], strict=True)
    for pulse_id, (frame, recorded, sensitive) in enumerate(rows):
        image = images[frame["image"]]
        image = image + image.dtype.type(frame["add"])
        view = View(image, *calibrated(image.shape[::-1], case["calibration"]))
        before = image.copy()
        yield pipeline.process(view, Pulse(pulse_id, TIMESTAMP)), recorded, sensitive
        np.testing.assert_array_equal(image, before)


def compare(name: str, ours: Channels, recorded: dict[str, Any], interpolated: bool) -> None:
    value, wanted = ours[name], value_of(recorded)
    if wanted is None:
        assert value is None, name
        return
    assert value is not None, name
    if name == "processing_parameters":
        assert json.loads(str(value)) == wanted
        return
    if isinstance(value, str):
        assert value == wanted
        return
    found = np.asarray(value)
    assert list(found.shape[::-1] or (1,)) == recorded["shape"], name
    if not name.endswith("fit_gauss_function"):
        assert found.dtype == recorded["type"], name
    if any(word in name for word in EXACT) or (name.endswith("intensity") and recorded["type"] == "int64"):
        most = 1 if name == "image" and interpolated else 0
        np.testing.assert_allclose(found.astype(float), wanted, rtol=0, atol=most, err_msg=name)
    elif any(name.endswith(word) for word in TO_AXIS_DIGITS):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, err_msg=name)
    else:
        np.testing.assert_allclose(
            found, wanted, rtol=1e-4, atol=1e-4 * scale(name, ours, wanted), err_msg=name
        )


def value_of(recorded: dict[str, Any]) -> Any:
    return arrays("outputs")[recorded["array"]] if "array" in recorded else number(recorded["value"])


def fits_as_well(name: str, ours: Channels, recorded: dict[str, Any]) -> bool:
    """Whether the fit that a result follows from is no worse than the recorded one."""
    axis = next(axis for axis in ("gr_x", "gr_y", "x", "y") if name.startswith(f"{axis}_"))
    names = [f"{axis}_fit_{field}" for field in ("offset", "amplitude", "mean", "standard_deviation")]
    places, profile = np.asarray(ours[f"{axis}_axis"]), np.asarray(ours[f"{axis}_profile"], np.float32)
    found, wanted = (
        float(np.sum((Curve(*values).along(places) - profile) ** 2))
        for values in ([ours[name] for name in names], [value_of(recorded[name]) for name in names])
    )
    return found <= wanted * (1 + COST)


def is_interpolated(case: dict[str, Any]) -> bool:
    rotation = case["config"].get("rotation")
    return bool(rotation) and rotation["mode"] != "ortho"


def scale(name: str, ours: Channels, wanted: Any) -> float:
    """What is small: of a length the distance of two pixels, of a curve its greatest value."""
    if name.endswith("_function"):
        return float(np.max(np.abs(wanted)))
    axis = np.asarray(ours["y_axis" if name.startswith(("y_", "gr_y_")) else "x_axis"])
    return abs(float(axis[1] - axis[0])) if len(axis) > 1 else 1.0
