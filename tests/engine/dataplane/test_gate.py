"""The gate, what fits through it, and how gaps are counted behind it."""

from __future__ import annotations

import msgspec
import pytest
from tests.engine.dataplane.bench import message

from repstream.accounting import Verdict
from repstream.dataplane.control import Opening
from repstream.dataplane.writing.fit import Fit
from repstream.dataplane.writing.gate import Gate
from repstream.dataplane.writing.numbering import Numbering
from repstream.messages import array_1_0
from repstream.messages.frame import Frame
from repstream.parameters.source import SourceConfig


def fit(compresses: bool = False, **source: object) -> Fit:
    return Fit(SourceConfig.model_validate(source), compresses)


def frame(frame_id: int, *shape: int) -> Frame:
    return array_1_0.decode(message(frame_id, shape or (3, 4)))


def test_it_opens_for_some_frames_or_for_all() -> None:
    one = Gate(10)
    one.open(taken=2, frames=3, begin=0.0)
    assert (one.is_open, one.limit) == (True, 5)
    one.shut(1.0)
    one.open(taken=5, frames=0, begin=2.0)
    assert (one.is_open, one.limit) == (True, 10)
    one.open(taken=8, frames=50, begin=3.0)
    assert one.limit == 10


def test_it_says_what_went_through_each_opening() -> None:
    one = Gate(10)
    assert one.opening is None
    one.open(0, 3, begin=5.0)
    assert one.opening == Opening(1, 5.0)
    for frame_id in (7, 8, 6):
        one.note(frame_id)
    one.shut(6.0)
    one.shut(9.0)
    assert one.opening == Opening(1, 5.0, 6.0, images=3, first_id=7, last_id=6)
    one.open(3, 0, begin=7.0)
    one.note_run([frame(0), frame(1)])
    one.note_run([frame(2)])
    assert one.opening == Opening(2, 7.0, None, images=3, first_id=0, last_id=2)


def test_each_opening_begins_a_new_numbering() -> None:
    one = Numbering()
    one.open()
    assert [one.observe(i) for i in (0, 2, 2)] == [Verdict.NEW, Verdict.NEW, Verdict.DUPLICATE]
    one.open()
    assert [one.observe(i) for i in (0, 3)] == [Verdict.NEW, Verdict.NEW]
    assert one.missing == 1 + 2
    assert one.missing_ids == [(1, 1), (1, 2)]


def test_the_first_frame_sets_the_shape() -> None:
    one = fit()
    assert one.unfit(frame(0)) == one.unfit(frame(1)) == ""
    assert one.unfit(frame(2, 4, 3)) == "shape"


def test_a_configured_shape_or_type_keeps_others_out() -> None:
    first = frame(0)
    assert fit(image_height=3, image_width=4, image_type="uint16").unfit(first) == ""
    assert fit(image_height=4).unfit(first) == "shape"
    assert fit(image_width=3).unfit(first) == "shape"
    assert fit(image_type="uint8").unfit(first) == "shape"


def test_other_dimensions_and_parts_do_not_fit() -> None:
    header, data = message(0, (3, 4))
    assert fit().unfit(array_1_0.decode([header, data, data])) == "parts"
    assert fit().unfit(frame(0, 12)) == "shape"
    assert fit().unfit(frame(0, 2, 3, 4)) == "shape"


@pytest.mark.parametrize(
    "changed",
    [
        {"dtype": "int16"},
        {"big_endian": True},
        {"shape": (4, 3)},
        {"encoding": "bitshuffle_lz4"},
        {"payloads": [b"", b""]},
    ],
)
def test_a_run_is_alike_in_everything_that_decides_how_it_is_stored(changed: dict[str, object]) -> None:
    one = fit(compresses=True)
    frames = [frame(i) for i in range(3)]
    assert not one.all_like_the_first(frames)  # there is none yet
    assert one.unfit(frames[0]) == ""
    assert one.all_like_the_first(frames)
    other = msgspec.structs.replace(frames[1], **changed)
    assert not one.all_like_the_first([frames[0], other])
    if "encoding" not in changed:
        assert one.unfit(other) in ("shape", "parts")


def test_a_run_goes_on_without_a_gap_a_doubt_or_a_place() -> None:
    one = Numbering(2)
    one.open()
    one.observe(10)
    assert one.continue_with([frame(12), frame(14)])
    assert not one.continue_with([frame(14), frame(16)])
    assert not one.continue_with([frame(12), frame(13)])
    one.book_run(2)
    assert one.observe(10) is Verdict.AGAIN
    assert not one.continue_with([frame(16), frame(18)])
    by_id = Numbering(by_id=True)
    by_id.open()
    by_id.observe(0)
    assert not by_id.continue_with([frame(1), frame(2)])
