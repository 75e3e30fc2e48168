"""A camera's geometry beyond what is recorded: sizes and axes of the image, refusals, options of ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.errors import InvalidValue, ProcessingError
from repstream.processing.axes import index_of, turned
from repstream.processing.camera import Geometry
from repstream.processing.geometry import binned, held_region

RAW = np.arange(48 * 60, dtype=np.uint16).reshape(48, 60)
MARKER = {
    "reference_marker": [10, 8, 50, 40],
    "reference_marker_width": 800.0,
    "reference_marker_height": 320.0,
}

CONFIGURATIONS = st.fixed_dictionaries(
    {
        "binning_x": st.integers(1, 5),
        "binning_y": st.integers(1, 5),
        "binning_mean": st.booleans(),
        "mirror_x": st.booleans(),
        "mirror_y": st.booleans(),
        "rotate": st.integers(-5, 5),
        "camera_calibration": st.none() | st.just(MARKER),
    }
)


@given(
    CONFIGURATIONS,
    st.none() | st.tuples(st.integers(0, 8), st.integers(1, 90), st.integers(0, 8), st.integers(1, 90)),
)
def test_axes_and_size_are_those_of_the_image(configuration: dict[str, Any], roi: Any) -> None:
    camera = Geometry(configuration | {"roi": roi})
    view = camera(RAW)
    assert camera.size(60, 48) == view.image.shape[::-1] == (len(view.x_axis), len(view.y_axis))
    assert view.x_axis.dtype == view.y_axis.dtype == np.float32


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(["u1", "u2", "i2", "u4", "f4"]))
def test_binning_sums_whole_groups(x: int, y: int, dtype: str) -> None:
    image = (RAW % 200).astype(dtype)
    found = binned(image, x, y)
    for row, column in ((0, 0), (48 // y - 1, 60 // x - 1)):
        group = image[row * y : (row + 1) * y, column * x : (column + 1) * x]
        assert found[row, column] == min(int(group.sum()), 65535)
    assert found.dtype == (np.dtype(dtype) if x == y == 1 else np.uint16)


def test_binning_by_more_than_there_is_leaves_nothing() -> None:
    assert binned(RAW, 100, 1).shape == (48, 0)


@given(st.integers(-9, 9))
def test_quarter_turns_take_the_axes_along(quarters: int) -> None:
    x, y = np.arange(60.0), np.arange(48.0) + 1000
    image = y[:, None] * 10_000 + x
    turned_x, turned_y = turned(x, y, quarters)
    found = np.rot90(image, quarters)
    across, down = (x, y) if quarters % 2 == 0 else (y, x)
    assert (len(turned_x), len(turned_y)) == (len(across), len(down))
    wanted = (
        turned_y[:, None] * 10_000 + turned_x if quarters % 2 == 0 else turned_x * 10_000 + turned_y[:, None]
    )
    np.testing.assert_array_equal(found, wanted)


@given(st.lists(st.integers(-100, 200), min_size=4, max_size=4))
def test_a_pipeline_s_region_never_leaves_the_image(region: list[int]) -> None:
    rows, columns = held_region((48, 60), region)
    assert 0 <= rows.start <= 48
    assert 0 <= columns.start <= 60
    height, width = RAW[rows, columns].shape
    assert (height, width) == (max(min(region[3], 48), 0), max(min(region[1], 60), 0))


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50, unique=True), st.floats(-2e6, 2e6), st.booleans()
)
def test_index_on_any_axis(places: list[float], value: float, descending: bool) -> None:
    axis = np.array(sorted(places, reverse=descending))
    found = index_of(axis, value)
    if descending and len(axis) > 1:
        below = [i for i, place in enumerate(axis) if place <= value]
        assert found == (below[0] if below else len(axis) - 1)
    else:
        below = [i for i, place in enumerate(axis) if place <= value]
        assert found == (below[-1] if below else 0)


def test_no_index_for_what_is_not_a_number() -> None:
    with pytest.raises(ValueError, match="not a number"):
        index_of(np.arange(3.0), float("nan"))


def test_the_background_is_taken_off_and_never_below_nothing() -> None:
    background = np.full(RAW.shape, 1000)
    view = Geometry({}, background)(RAW)
    np.testing.assert_array_equal(view.image, np.maximum(RAW.astype(int) - 1000, 0))
    assert view.image.dtype == np.uint16
    with pytest.raises(ProcessingError, match="Bad background image size: 60x48 instead of 30x24"):
        Geometry({"binning_x": 2, "binning_y": 2}, background)(RAW)


def test_a_calibration_may_follow_the_binning() -> None:
    plain = Geometry({"camera_calibration": MARKER}).axes(60, 48)[0]
    apart = Geometry({"camera_calibration": MARKER, "binning_x": 2}).axes(60, 48)[0]
    following = Geometry({"camera_calibration": MARKER | {"follows_binning": True}, "binning_x": 2}).axes(
        60, 48
    )[0]
    assert plain[0] - plain[1] == apart[0] - apart[1] == 20
    assert following[0] - following[1] == 40
    assert following[0] == plain[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("binning_x", 0),
        ("binning_y", "two"),
        ("rotate", "left"),
        ("roi", [1, 2, 3]),
        ("roi", 5),
        ("binning_x", -1),
    ],
)
def test_what_makes_no_sense_is_refused(key: str, value: object) -> None:
    with pytest.raises(InvalidValue, match=f"{key} refused"):
        Geometry({key: value})


def test_a_region_without_a_pixel_is_an_error() -> None:
    with pytest.raises(ProcessingError, match=r"roi \[100, 5, 0, 5\] has no pixel of the image of 60x48"):
        Geometry({"roi": [100, 5, 0, 5]})(RAW)


def test_the_byte_order_of_the_source_does_not_matter() -> None:
    view = Geometry({"binning_x": 2})(RAW.astype(">u2"))
    np.testing.assert_array_equal(view.image, Geometry({"binning_x": 2})(RAW).image)
    assert Geometry({})(RAW.astype(">u2")).image.dtype.isnative


def test_null_leaves_the_default() -> None:
    nothing: dict[str, Any] = dict.fromkeys(["binning_x", "mirror_x", "rotate", "roi", "camera_calibration"])
    assert Geometry(nothing)(RAW).image is not None
    np.testing.assert_array_equal(Geometry(nothing)(RAW).image, RAW)
