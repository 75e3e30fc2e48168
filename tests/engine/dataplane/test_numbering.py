"""Numberings that begin anew, and images out of order: every image is in the file, counted as what it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from tests.engine.dataplane.bench import Parts, image, message
from tests.engine.dataplane.test_acquisitions import result_of
from tests.engine.dataplane.test_bursts import Scene

from repstream.dataplane.writing.following import LAST_IMAGES
from repstream.dataplane.writing.selection import SETTLE_TIME
from repstream.files.plan import MISSING
from repstream.files.verify import verify
from repstream.messages import dectris_v1, dectris_v2
from repstream.messages.formats import FrameDecoder
from repstream.messages.frame import Frame
from repstream.messages.pixels import packed
from repstream.messages.series import SeriesEnd, SeriesStart
from repstream.parameters.writer import WriterConfig

Messages = Sequence[Parts]


class Beamline(Scene):
    """A writer that is offered messages, frames that follow each other in bursts of at most `burst`."""

    def __init__(
        self, path: Path, config: WriterConfig | None = None, burst: int = 1, **planned: Any
    ) -> None:
        super().__init__(config or WriterConfig(), path, **planned)
        self._burst = burst
        self._decode = FrameDecoder().decode

    def send(self, messages: Iterable[Parts]) -> None:
        waiting: list[Frame] = []
        for parts in messages:
            found = self._decode(parts)
            if isinstance(found, Frame):
                waiting.append(found)
            if len(waiting) == self._burst or not isinstance(found, Frame):
                self._admit(waiting)
            if isinstance(found, SeriesStart):
                self.writer.begin_series(found, time.monotonic())
            elif isinstance(found, SeriesEnd):
                self.writer.end_series(found, time.monotonic())
        self._admit(waiting)

    def _admit(self, waiting: list[Frame]) -> None:
        self.take_room()
        if waiting:
            self.writer.admit(list(waiting), time.monotonic())
            waiting.clear()


def v1(series: int, ids: Iterable[int], said: int | None = None) -> Messages:
    """A series of stream v1, whose start says how many images it has."""
    told = None if said is None else {"nimages": said, "ntrigger": 1}
    images = [dectris_v1.encode_image(series, i, packed(image(i), "")) for i in ids]
    return [dectris_v1.encode_start(series, told), *images, dectris_v1.encode_end(series)]


def v2(series: int, ids: Iterable[int], said: int | None = None) -> Messages:
    """The same of stream v2."""
    told = {} if said is None else {"number_of_images": said}
    images = [
        dectris_v2.encode_image(
            dectris_v2.Image(
                series_id=series, image_id=i, data={"threshold_1": packed(image(i), "")}, series_unique_id="u"
            )
        )
        for i in ids
    ]
    return [dectris_v2.encode_start(series, "u", told), *images, dectris_v2.encode_end(series, "u")]


def arrays(ids: Iterable[int]) -> Messages:
    return [message(i) for i in ids]


def ids_in(path: Path) -> list[int]:
    """The ids of a file in its order; None's place is -1."""
    with h5py.File(path) as file:
        rows, images = file["/detector/metadata"][:], file["/detector/data"][:]
    came = rows["status"] != MISSING
    assert all(np.array_equal(images[n], image(int(rows["image_id"][n]))) for n in np.flatnonzero(came))
    return [int(row["image_id"]) if there else -1 for row, there in zip(rows, came, strict=True)]


@pytest.mark.parametrize("stream", [v1, v2])
@pytest.mark.parametrize("placement", ["arrival", "by_id"])
@pytest.mark.parametrize("burst", [1, 2, 500])
def test_series_that_go_into_one_file_each_begin_a_numbering(
    tmp_path: Path, stream: Callable[..., Messages], placement: str, burst: int
) -> None:
    for images in (1, 40):
        path = tmp_path / f"{images}.h5"
        scene = Beamline(path, burst=burst, placement=placement)
        for series in range(5):
            scene.send(stream(series, range(images), images))
        lost, _ = scene.outcome()["lost"][0::2]
        assert (lost, ids_in(path)) == ({}, [*range(images)] * 5)
        assert (result_of(path, "missing"), result_of(path, "series")) == (0, 5)
        assert verify(path).complete


@pytest.mark.parametrize("burst", [1, 2, 500])
@pytest.mark.parametrize("placement", ["arrival", "by_id"])
@pytest.mark.parametrize("length", [2, 5, 500])
def test_a_source_that_is_triggered_again_loses_nothing(
    tmp_path: Path, length: int, placement: str, burst: int
) -> None:
    scene = Beamline(tmp_path / "a.h5", burst=burst, placement=placement)
    scene.send(arrays([*range(length)] * 3))
    skipped, _, dropped = scene.outcome()["lost"]
    assert (skipped, dropped) == ({}, {})
    assert ids_in(tmp_path / "a.h5") == [*range(length)] * 3
    assert [result_of(tmp_path / "a.h5", name) for name in ("missing", "series", "resets")] == [0, 3, 2]
    assert verify(tmp_path / "a.h5").complete


@pytest.mark.parametrize(
    ("ids", "kept"),
    [
        ([0, 1, 2, 0, 3, 4], [0, 1, 2, 3, 4]),
        ([0, 1, 2, 0], [0, 1, 2]),
        ([0, 1, 2, 1, 2, 3], [0, 1, 2, 3]),
        ([0, 0, 0], [0]),
        ([0, 1, 0, 0, 1], [0, 1, 0, 1]),
    ],
)
def test_a_lone_repeat_is_a_duplicate(tmp_path: Path, ids: list[int], kept: list[int]) -> None:
    scene = Beamline(tmp_path / "a.h5")
    scene.send(arrays(ids))
    outcome = scene.outcome()
    assert ids_in(tmp_path / "a.h5") == kept
    assert outcome["lost"][0] == {"duplicate": len(ids) - len(kept)}
    offered, sent, queued, total = outcome["sums"]
    assert (offered, sent, queued, total) == (len(ids), len(kept), 0, len(ids))


@pytest.mark.parametrize("stream", [v1, v2])
@pytest.mark.parametrize("placement", ["arrival", "by_id"])
@pytest.mark.parametrize(
    ("ids", "text"), [([2, 3, 4], "0-1"), ([0, 1, 2], "3-4"), ([1, 3], "0,2,4"), ([2, 0, 1], "3-4")]
)
def test_lost_first_and_last_images_of_a_series_are_missing(
    tmp_path: Path, stream: Callable[..., Messages], placement: str, ids: list[int], text: str
) -> None:
    path = tmp_path / "a.h5"
    scene = Beamline(path, placement=placement)
    scene.send(stream(1, ids, 5))
    assert scene.writer.report().missing == 5 - len(ids)
    scene.outcome()
    assert (result_of(path, "missing"), result_of(path, "missing_ids")) == (5 - len(ids), text)
    found = verify(path)
    assert (found.missing_count, found.complete) == (5 - len(ids), False)
    there = ids_in(path)
    assert there == (ids if placement == "arrival" else [i if i in ids else -1 for i in range(max(ids) + 1)])


def test_images_that_a_series_end_has_overtaken_belong_to_it(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    start, *images, last = v1(1, range(5), 5)
    scene = Beamline(path)
    scene.send([start, *images[:3], last, *images[3:]])
    scene.outcome()
    assert (ids_in(path), result_of(path, "missing"), verify(path).complete) == ([*range(5)], 0, True)


@pytest.mark.parametrize("come", [True, False])
def test_a_file_of_a_series_waits_for_its_last_images(tmp_path: Path, come: bool) -> None:
    start, *images, last = v1(1, range(5), 5)
    scene = Beamline(tmp_path / "a.h5", follow_series=True, opened=False)
    scene.send([start])
    scene.settle(lambda: scene.writer.report().gate_open)
    scene.send([*images[:3], last])
    scene.writer.watch(time.monotonic(), False)
    assert scene.writer.report().gate_open
    if come:
        scene.send(images[3:])
        scene.writer.watch(time.monotonic(), False)
    else:
        scene.writer.watch(time.monotonic() + LAST_IMAGES, False)
    scene.settle(lambda: not scene.writer.busy)
    assert scene.writer.report().state == "FINISHED"
    assert result_of(tmp_path / "a.h5", "outcome") == "completed"
    assert result_of(tmp_path / "a.h5", "missing") == (0 if come else 2)


@pytest.mark.parametrize("burst", [1, 500])
@pytest.mark.parametrize(
    ("ids", "places"),
    [
        ([1, 0, 2], [0, 1, 2]),
        ([2, 0, 1, 3], [0, 1, 2, 3]),
        ([102, 100, 104, 103], [100, -1, 102, 103, 104]),
        ([5, 4, 3, 2, 1, 0, *range(6, 40)], [*range(40)]),
        ([3, 4, 0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 3, 4]),
    ],
)
@pytest.mark.parametrize("number", [0, 1])
def test_first_frames_out_of_order_get_the_places_of_their_ids(
    tmp_path: Path, ids: list[int], places: list[int], number: int, burst: int
) -> None:
    path = tmp_path / "a.h5"
    scene = Beamline(path, burst=burst, placement="by_id", num_images=len(places) * number)
    scene.send(arrays(ids))
    scene.outcome()
    assert ids_in(path) == places
    missing = places.count(-1)
    assert (result_of(path, "missing"), verify(path).missing_count) == (missing, missing)
    assert result_of(path, "written") == len(ids)


@pytest.mark.parametrize(
    ("ids", "number", "written", "missing"),
    [
        (range(43), 50, 43, "43-49"),  # and then 52: seven of the nine that did not come have a place
        ([0, 1, 2, 4], 6, 4, "3,5"),
        ([10, 11], 3, 2, "12"),  # before the first place is known
    ],
)
def test_ids_beyond_the_last_place_are_not_missing(
    tmp_path: Path, ids: Sequence[int], number: int, written: int, missing: str
) -> None:
    path = tmp_path / "a.h5"
    scene = Beamline(path, placement="by_id", num_images=number)
    scene.send(arrays([*ids, max(ids) + 10]))
    scene.outcome()
    assert (result_of(path, "written"), result_of(path, "missing_ids")) == (written, missing)
    assert result_of(path, "missing") == verify(path).missing_count == number - written


def test_the_known_beginning_of_a_series_decides_on_the_first_place(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    scene = Beamline(path, placement="by_id", num_images=4)
    scene.send(v2(7, [2, 0, 1, 3]))
    scene.outcome()
    assert ids_in(path) == [0, 1, 2, 3]
    assert verify(path).complete


def test_a_frame_that_comes_alone_does_not_wait_for_ever_for_a_lower_id(tmp_path: Path) -> None:
    scene = Beamline(tmp_path / "a.h5", placement="by_id")
    scene.send(arrays([7]))
    waiting = scene.writer.report().ledger
    assert (waiting.kept, waiting.queued, waiting.sent) == (1, 1, 0)
    scene.writer.watch(time.monotonic() + SETTLE_TIME, False)
    scene.settle(lambda: scene.writer.report().ledger.sent == 1)
    scene.outcome()
    assert ids_in(tmp_path / "a.h5") == [7]


def test_an_abort_discards_what_waits_for_its_place(tmp_path: Path) -> None:
    scene = Beamline(tmp_path / "a.h5", placement="by_id")
    scene.send(arrays([7, 8]))
    scene.writer.end(discard=True)
    scene.settle(lambda: not scene.writer.busy)
    ledger = scene.writer.report().ledger
    assert (ledger.dropped, ledger.kept, ledger.queued, ledger.offered) == ({"abort": 2}, 0, 0, 2)


def test_a_series_that_had_begun_before_the_gate_was_opened_is_not_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    scene = Beamline(path, opened=False)
    start, *images, last = v1(1, range(5), 5)
    scene.send([start, *images[:2]])
    assert scene.writer.open_gate(0) == ""
    scene.send([*images[2:], last])
    scene.outcome()
    assert (ids_in(path), result_of(path, "missing")) == ([2, 3, 4], 0)
    path = tmp_path / "b.h5"
    scene = Beamline(path, opened=False)
    scene.send([start])
    assert scene.writer.open_gate(0) == ""
    scene.send([*images[2:], last])
    scene.outcome()
    assert result_of(path, "missing_ids") == "0-1"
