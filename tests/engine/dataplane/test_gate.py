"""The gate: what it lets through, and how it counts gaps."""

from __future__ import annotations

from tests.engine.dataplane.bench import message

from repstream.dataplane.writing.gate import Gate
from repstream.messages import array_1_0
from repstream.parameters.source import SourceConfig


def gate(limit: int = 10, **source: object) -> Gate:
    return Gate(limit, SourceConfig.model_validate(source))


def test_it_opens_for_some_frames_or_for_all() -> None:
    one = gate(10)
    one.open(taken=2, frames=3)
    assert (one.is_open, one.limit) == (True, 5)
    one.shut()
    one.open(taken=5, frames=0)
    assert (one.is_open, one.limit) == (True, 10)
    one.open(taken=8, frames=50)
    assert one.limit == 10


def test_each_opening_begins_a_new_series() -> None:
    one = gate()
    one.open(0, 0)
    assert [one.is_duplicate(i) for i in (0, 2, 2)] == [False, False, True]
    one.open(3, 0)
    assert [one.is_duplicate(i) for i in (0, 3)] == [False, False]
    assert one.missing == 1 + 2


def test_the_first_frame_sets_the_shape() -> None:
    one = gate()
    assert one.unfit(array_1_0.decode(message(0, (3, 4)))) == ""
    assert one.unfit(array_1_0.decode(message(1, (3, 4)))) == ""
    assert one.unfit(array_1_0.decode(message(2, (4, 3)))) == "shape"


def test_a_configured_shape_or_type_keeps_others_out() -> None:
    frame = array_1_0.decode(message(0, (3, 4)))
    assert gate(image_height=3, image_width=4, image_type="uint16").unfit(frame) == ""
    assert gate(image_height=4).unfit(frame) == "shape"
    assert gate(image_width=3).unfit(frame) == "shape"
    assert gate(image_type="uint8").unfit(frame) == "shape"


def test_other_dimensions_and_parts_do_not_fit() -> None:
    header, data = message(0, (3, 4))
    assert gate().unfit(array_1_0.decode([header, data, data])) == "parts"
    assert gate().unfit(array_1_0.decode(message(0, (12,)))) == "shape"
    assert gate().unfit(array_1_0.decode(message(0, (2, 3, 4)))) == "shape"
