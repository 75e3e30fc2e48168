"""A pipeline beyond what is recorded: changes while it runs, refusals, flags, what must not change."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.processing.recorded import arrays

from repstream.errors import InvalidValue, ProcessingError
from repstream.processing.axes import counted
from repstream.processing.camera import View
from repstream.processing.channels import Channels
from repstream.processing.pipeline import Pipeline, Pulse, default

PULSE = Pulse(1, (1, 0))
TRANSPARENT = {"function": "transparent"}


def view(image: Any) -> View:
    image = np.asarray(image)
    return View(image, counted(image.shape[1]), counted(image.shape[0]))


def processed(configuration: dict[str, Any], image: Any, background: Any = None) -> Channels:
    found = Pipeline(configuration, background).process(view(image), PULSE)
    assert found is not None
    return found


STEPS = st.fixed_dictionaries(
    {},
    optional={
        "averaging": st.integers(-3, 1),
        "binning_x": st.integers(1, 3),
        "binning_y": st.integers(1, 3),
        "binning_mean": st.booleans(),
        "image_background_enable": st.sampled_from([True, False, "signed", "passive"]),
        "mirror_x": st.booleans(),
        "mirror_y": st.booleans(),
        "rotation": st.sampled_from(
            [0, 30.0, {"angle": 90, "mode": "ortho"}, {"angle": -90, "mode": "ortho"}]
        ),
        "image_region_of_interest": st.none() | st.lists(st.integers(-5, 40), min_size=4, max_size=4),
        "image_threshold": st.sampled_from([None, 0, 100, 150.5]),
        "image_averaging": st.integers(0, 2),
        "image_scale": st.sampled_from([None, 2, 0.5]),
        "image_offset": st.sampled_from([None, -1, 2.5]),
    },
)


@settings(deadline=None, max_examples=60)
@given(STEPS)
def test_no_step_changes_what_it_was_given_and_axes_follow(steps: dict[str, Any]) -> None:
    image, background = arrays("images")["gauss_u16"].copy(), arrays("images")["background__gauss_u16"].copy()
    before = image.copy(), background.copy()
    pipeline = Pipeline(steps | TRANSPARENT, background)
    for _ in range(3):
        try:
            found = pipeline.process(view(image), PULSE)
        except ProcessingError as error:
            assert "leave no pixel" in str(error)
            return
        if found is not None:
            sent = np.asarray(found["image"])
            assert sent.shape == (len(np.asarray(found["y_axis"])), len(np.asarray(found["x_axis"])))
            assert (found["width"], found["height"]) == sent.shape[::-1]
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(background, before[1])


def test_a_configuration_may_change_while_it_runs_and_stays_where_it_is_refused() -> None:
    pipeline = Pipeline({**TRANSPARENT, "image_threshold": 10})
    image = np.array([[5, 20]], np.uint16)
    for configuration, wanted in ((None, [0, 20]), ({"image_threshold": 30}, [0, 0]), ({}, [5, 20])):
        if configuration is not None:
            pipeline.configure(configuration | TRANSPARENT)
        found = pipeline.process(view(image), PULSE)
        assert found is not None
        np.testing.assert_array_equal(found["image"], [wanted])  # type: ignore[arg-type]
    with pytest.raises(InvalidValue):
        pipeline.configure({"image_threshold": "high", **TRANSPARENT})
    same = pipeline.process(view(image), PULSE)
    assert same is not None
    np.testing.assert_array_equal(same["image"], image)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ({"image_slices": {"number_of_slices": "many"}}, "number_of_slices must be an integer."),
        ({"image_slices": {"orientation": "diagonal"}}, "Invalid slice orientation 'diagonal'."),
        ({"rotation": {"angle": 5, "order": 9}}, "order must be from 1 to 5, not 9"),
        (
            {"rotation": {"angle": 5, "mode": "magic"}},
            "mode must be ortho, reflect, nearest, mirror, wrap or a number",
        ),
        ({"rotation": "left"}, "angle and order must be numbers"),
        ({"binning_x": 0}, "must be a whole number of 1 or more, not 0"),
        ({"image_region_of_interest": [1, 2]}, r"\[offset_x, size_x, offset_y, size_y\]"),
        ({"averaging": "some"}, "must be a number, not 'some'"),
        ({"image_scale": "big"}, "must be a number, not 'big'"),
        ({"image_threshold": float("nan")}, "must be a number, not nan"),
    ],
)
def test_what_makes_no_sense_is_refused(configuration: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        Pipeline(configuration)


def test_a_fit_says_whether_it_is_one_where_that_is_asked_for() -> None:
    good = {"image_good_region": {"threshold": 0.3}, "fit_status": True}
    found = processed(good, arrays("images")["gauss_u16"])
    names = [name for name in found if name.endswith("converged")]
    assert names == [f"{axis}_fit_converged" for axis in ("x", "y", "gr_x", "gr_y")]
    assert all(found[name] is True for name in names)
    tiny = processed(good, arrays("images")["tiny_2x2_u16"])
    assert tiny["x_fit_converged"] is tiny["y_fit_converged"] is False
    assert tiny["gr_x_fit_converged"] is None
    assert not [n for n in processed({}, arrays("images")["gauss_u16"]) if n.endswith("converged")]


def test_merge_sends_the_other_channels_of_the_pulse_beside_its_own() -> None:
    image = arrays("images")["gauss_u16"]
    pulse = Pulse(1, (1, 0), {"charge": 2.5, "gone": None})
    found = Pipeline({"function": "merge"}).process(view(image), pulse)
    assert found is not None
    assert list(found) == [*processed({}, image), "charge", "gone"]
    assert (found["charge"], found["gone"]) == (2.5, None)


def test_a_passive_background_is_given_to_the_function_and_to_nobody_else() -> None:
    given: list[Any] = []

    def function(seen: View, pulse: Pulse, parameters: Any) -> Channels:
        given.append((seen.image, parameters.get("background_data")))
        return default(seen, pulse, parameters)

    image, background = np.full((4, 6), 9, np.uint16), np.arange(24).reshape(4, 6)
    pipeline = Pipeline({"image_background_enable": "passive", "binning_x": 2}, background, function)
    found = pipeline.process(view(image), PULSE)
    assert found is not None
    np.testing.assert_array_equal(given[0][0], np.full((4, 3), 18))
    np.testing.assert_array_equal(given[0][1], background.reshape(4, 3, 2).sum(axis=2))
    assert "background_data" not in json.loads(str(found["processing_parameters"]))


def test_without_a_background_or_its_permission_nothing_is_subtracted() -> None:
    image = np.full((2, 2), 9, np.uint16)
    for configuration, background in (({"image_background_enable": True}, None), ({}, image)):
        np.testing.assert_array_equal(
            processed(configuration | TRANSPARENT, image, background)["image"], image
        )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dtype", "configuration", "type_sent", "wanted"),
    [
        ("u1", {"image_scale": 3}, "u1", 600 % 256),
        ("u1", {"image_scale": 300}, "u2", 60_000),
        ("u2", {"image_offset": -201}, "i4", -1),
        ("i2", {"image_offset": 7}, "i2", 207),
        ("u2", {"image_scale": 0.5, "image_offset": -1}, "f8", 99.0),
        ("f4", {"image_scale": 2}, "f4", 400.0),
    ],
)
def test_scale_and_offset(dtype: str, configuration: dict[str, Any], type_sent: str, wanted: float) -> None:
    found = np.asarray(processed(configuration | TRANSPARENT, np.full((2, 2), 200, dtype))["image"])
    assert found.dtype == type_sent
    assert (found == wanted).all()


def test_means_begin_anew_with_another_size() -> None:
    for key in ("averaging", "image_averaging"):
        pipeline = Pipeline({key: -3 if key == "averaging" else 3, **TRANSPARENT})
        for value, size, wanted in ((2, 3, 2.0), (4, 3, 3.0), (10, 2, 10.0), (20, 2, 15.0)):
            found = pipeline.process(view(np.full((size, size), value, np.uint16)), PULSE)
            assert found is not None
            np.testing.assert_array_equal(found["image"], np.full((size, size), wanted))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "notifies"), [("one_sp", True), ("one", False)])
def test_an_image_that_cannot_be_processed(name: str, notifies: bool) -> None:
    pipeline = Pipeline({"name": name, "image_background_enable": True}, np.zeros((3, 3)))
    given = view(np.full((2, 2), 7, np.uint16))
    if not notifies:
        with pytest.raises(ProcessingError, match="Bad background image size"):
            pipeline.process(given, PULSE)
        return
    found = pipeline.process(given, PULSE)
    assert found is not None
    assert not np.asarray(found["image"]).any()
    assert json.loads(str(found["processing_parameters"]))["processing_error"].startswith("Bad background")


@settings(deadline=None, max_examples=40)
@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.sampled_from(["u1", "u2", ">u2", "i2", "u4", "i4", "u8", "?", "f2", ">f4", "f8"]),
    st.sampled_from(["zeros", "ones", "random", "extreme", "nan"]),
    st.booleans(),
)
def test_any_image_has_all_channels(shape: tuple[int, int], dtype: str, filled: str, vertical: bool) -> None:
    random = np.random.default_rng(shape[0] * 100 + shape[1])
    image = {
        "zeros": np.zeros(shape),
        "ones": np.ones(shape),
        "random": random.integers(0, 100, shape),
        "extreme": random.choice([0.0, 100.0], shape),
        "nan": np.where(random.integers(0, 2, shape) > 0, np.nan, 1.0) if "f" in dtype else np.ones(shape),
    }[filled].astype(dtype)
    slices = {"number_of_slices": 3, "orientation": "vertical" if vertical else "horizontal"}
    found = processed(
        {"image_good_region": {"threshold": 0.3}, "image_slices": slices, "fw_threshold": 0.2}, image
    )
    assert len(found) == 64
    assert [name for name, value in found.items() if isinstance(value, (list, tuple, dict))] == []
