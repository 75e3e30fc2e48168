"""One slot: what is counted and shown of an image."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from repstream.messages import array_1_0, bsread, formats
from repstream.messages.frame import Frame
from repstream.messages.pixels import packed
from repstream.parameters.picture import PictureConfig
from repstream.pictures.picture import FULL, Box, View
from repstream.pictures.slot import Slot
from repstream.pictures.stream_input import Arrival

IMAGE = np.arange(200, dtype=np.uint16).reshape(10, 20)


def frame_of(image: NDArray[Any], frame_id: int = 7) -> Frame:
    return formats.decode(array_1_0.encode(frame_id, image))


def slot(image: NDArray[Any] = IMAGE, **config: Any) -> Slot:
    """A slot with an image at hand."""
    made = Slot(1, PictureConfig(stream="live", **config))
    made.take(Arrival(1, frame_of(image), 1234.5, 1234.5), now=0.0)
    return made


def test_the_numbers_are_those_of_the_image() -> None:
    results = slot(roi2_y=2, roi2_x=3, roi2_height=4, roi2_width=5).results()
    assert results["image_id"] == 7
    assert (results["image_time"], results["received_time"]) == (1234.5, 1234.5)
    assert (results["image_height"], results["image_width"], results["image_type"]) == (10, 20, "uint16")
    assert (results["minimum"], results["maximum"], results["sum"]) == (0, 199, 19900)
    assert (results["mean"], results["pixels"], results["bad_pixels"]) == (99.5, 200, 0)
    assert results["roi2_sum"] == IMAGE[2:6, 3:8].sum()
    assert results["roi2_mean"] == IMAGE[2:6, 3:8].mean()
    assert results["roi2_minimum"] == IMAGE[2:6, 3:8].min()
    assert results["roi2_maximum"] == IMAGE[2:6, 3:8].max()
    assert (results["roi1_sum"], results["roi1_maximum"]) == (None, None)


def test_a_region_of_interest_is_counted_and_shown_in_the_places_of_the_full_image() -> None:
    spot = np.zeros((100, 200), np.uint16)
    spot[60, 150] = 9
    made = slot(spot, region_y=50, region_x=100, region_height=30)
    results, shown = made.results(), made.picture(None)
    assert (results["pixels"], results["centre_y"], results["centre_x"]) == (3000, 60, 150)
    assert (shown.origin, shown.step, shown.data.shape) == ((50, 100), (1, 1), (30, 100))
    assert shown.data[10, 50] == 9
    assert shown.full_shape == (100, 200)


def test_a_picture_fits_its_largest_size() -> None:
    shown = slot(np.zeros((300, 500), np.uint16), largest_height=100, largest_width=100).picture(None)
    assert (shown.step, shown.data.shape) == ((5, 5), (60, 100))


def test_a_view_gets_the_full_resolution_of_what_it_shows() -> None:
    made = slot(largest_height=16, largest_width=16, binning=4)
    near = made.picture(View(Box(2, 3, 4, 5), size=(50, 50)))
    assert (near.origin, near.step) == ((2, 3), (1, 1))
    assert np.array_equal(near.data, IMAGE[2:6, 3:8])
    assert np.array_equal(made.picture(FULL).data, IMAGE)


@pytest.mark.parametrize(("rule", "value"), [("mean", 11), ("sum", 42), ("maximum", 21)])
def test_pixels_are_taken_together_by_the_rule(rule: str, value: int) -> None:
    assert slot(binning=2, rule=rule).picture(None).data[0, 0] == value
    assert slot(binning=2).picture(View(size=(5, 10), rule=rule)).data[0, 0] == value  # type: ignore[arg-type]


def test_a_view_beside_the_image_shows_its_edge() -> None:
    shown = slot().picture(View(Box(500, 700, 10, 10)))
    assert shown.origin == (9, 19)
    assert shown.data.tolist() == [[199]]


def test_masked_pixels_do_not_count_and_are_marked(tmp_path: Path) -> None:
    mask = np.zeros(IMAGE.shape, np.uint8)
    mask[9, 19] = mask[0, 0] = 1
    np.save(tmp_path / "mask.npy", mask)
    made = slot(mask_file=str(tmp_path / "mask.npy"))
    results, shown = made.results(), made.picture(FULL)
    assert (results["pixels"], results["bad_pixels"]) == (198, 2)
    assert (results["minimum"], results["maximum"]) == (1, 198)
    assert shown.bad is not None
    assert np.argwhere(shown.bad).tolist() == [[0, 0], [9, 19]]


@pytest.mark.parametrize("place", ["pixel_mask", "entry/instrument/detector/pixel_mask", "my/own"])
def test_a_mask_may_lie_in_an_hdf5_file(tmp_path: Path, place: str) -> None:
    with h5py.File(tmp_path / "mask.h5", "w") as file:
        file[place] = np.eye(10, 20, dtype=np.uint32)
    dataset = ":my/own" if place == "my/own" else ""
    assert slot(mask_file=f"{tmp_path}/mask.h5{dataset}").results()["bad_pixels"] == 10


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read: .*No such file"),
        (b"rubbish", "cannot be read"),
        (np.zeros((3, 4)), r"\(3, 4\) does not fit an image of shape \(10, 20\)"),
        (np.zeros(5), r"not numbers of two dimensions"),
    ],
)
def test_a_mask_that_does_not_fit_gives_no_numbers_but_the_reason(
    tmp_path: Path, content: Any, complaint: str
) -> None:
    path = tmp_path / "mask.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    made = slot(mask_file=str(path))
    assert set(made.results().values()) == {None}
    status = made.status(0.0)
    assert status["state"] == "failed"
    with pytest.raises(AssertionError, match=complaint):
        raise AssertionError(status["message"])
    made.configure(PictureConfig(stream="live"), "")
    made.take(Arrival(2, frame_of(IMAGE), 0.0, 0.0), now=10.0)
    assert made.status(10.0)["state"] == "live"


def test_saturated_pixels_are_counted_from_the_value_on_that_is_set() -> None:
    assert slot(saturation=190).results()["saturated"] == 10
    assert slot(np.full((2, 2), 65535, np.uint16)).results()["saturated"] == 4
    assert slot(saturation=190).picture(None).statistics.saturation == 190


def test_other_regions_are_counted_anew_in_the_image_at_hand() -> None:
    made = slot()
    before = made.number
    made.configure(PictureConfig(stream="live", roi1_height=1, roi1_width=3), "")
    assert made.number > before
    assert (made.results()["image_id"], made.results()["roi1_sum"]) == (7, 3)


def test_another_stream_begins_without_an_image() -> None:
    made = slot()
    made.configure(PictureConfig(stream="other"), "")
    assert set(made.results().values()) == {None}
    assert made.status(0.0) == {
        "state": "waiting",
        "message": "no image of stream other yet",
        "age": None,
        "pictures": 0,
        "picture_rate": 0.0,
        "malformed": 0,
    }


def test_images_are_taken_at_the_rate_at_most() -> None:
    made = Slot(1, PictureConfig(stream="live", rate=10))
    taken = []
    for n in range(1000):  # 10 s at 100 Hz
        now, arrival = n / 100, Arrival(n, frame_of(IMAGE, n), 0.0, 0.0)
        if made.due(arrival, now) == 0:
            made.take(arrival, now)
            taken.append(n)
    assert 99 <= len(taken) <= 101
    assert made.status(9.99)["picture_rate"] == pytest.approx(10, abs=0.6)
    assert made.status(20.0)["picture_rate"] == 0


def test_the_newest_image_is_not_taken_twice() -> None:
    made = Slot(1, PictureConfig(stream="live", rate=50))
    arrival = Arrival(1, frame_of(IMAGE), 0.0, 0.0)
    made.take(arrival, now=0.0)
    assert made.due(arrival, now=100.0) is None


def test_the_time_of_a_pulse_is_that_of_the_image() -> None:
    made = Slot(1, PictureConfig(stream="live"))
    channel = bsread.Channel("camera", "uint16", IMAGE.shape)
    message = bsread.encode(5, [channel], [IMAGE], timestamp=(1_700_000_000, 250_000_000))
    made.take(Arrival(1, formats.decode(message), 99.0, 99.0), now=0.0)
    assert made.results()["image_time"] == pytest.approx(1_700_000_000.25)
    assert made.results()["received_time"] == 99.0


def test_compressed_images_are_unpacked() -> None:
    pixels = packed(IMAGE, "bitshuffle_lz4")
    frame = pixels.frame(3, [b"", pixels.data], "", dict)
    made = Slot(1, PictureConfig(stream="live"))
    made.take(Arrival(1, frame, 0.0, 0.0), now=0.0)
    assert np.array_equal(made.picture(FULL).data, IMAGE)


def test_a_damaged_image_is_said_and_the_last_one_stays() -> None:
    made = slot()
    pixels = packed(IMAGE, "bitshuffle_lz4")
    damaged = bytes(pixels.data[:20]) + b"\xff" * 8 + bytes(pixels.data[28:])
    frame = pixels.frame(8, [b"", damaged], "", dict)
    frame.payloads = [damaged]
    made.take(Arrival(2, frame, 0.0, 0.0), now=1.0)
    assert made.status(1.0)["state"] == "failed"
    assert made.results()["image_id"] == 7


def test_an_image_of_three_dimensions_is_no_picture() -> None:
    made = Slot(1, PictureConfig(stream="live"))
    cube = np.zeros((2, 3, 4), np.uint16)
    made.take(Arrival(1, frame_of(cube), 0.0, 0.0), now=0.0)
    assert "(2, 3, 4) is no image of two dimensions" in str(made.status(0.0)["message"])


def test_numbers_rise_beyond_a_restart() -> None:
    first = slot()
    time.sleep(0.02)
    assert slot().number > first.number


def test_the_histogram_is_of_the_region() -> None:
    shown = slot(region_height=5).picture(None)
    histogram = shown.statistics.histogram
    assert histogram is not None
    assert (histogram.low, histogram.high) == (0, 99)
    assert sum(histogram.counts) == 100


def test_a_sum_beyond_the_range_of_a_double_is_no_number() -> None:
    results = slot(np.full((2, 2), 1e308)).results()
    assert (results["maximum"], results["sum"], results["mean"]) == (1e308, None, None)
