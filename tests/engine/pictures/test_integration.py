"""Adding up over the openings of a gate: complete, or it says why not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from repstream.dataplane.control import Opening
from repstream.pictures.integration import BEFORE, BEHIND, ON_ITS_WAY, PATIENCE, Integral, Integration, Part


def opening(ids: list[int], begin: float = 100.0, end: float | None = 101.0, number: int = 1) -> Opening:
    """An opening that let these images through."""
    return Opening(number, begin, end, len(ids), ids[0] if ids else None, ids[-1] if ids else None)


def counted(ids: list[int], begin: float = 100.0) -> Integration:
    """An integration that has counted these images, each 10 ms after the last; sum is the id."""
    made = Integration()
    for n, frame_id in enumerate(ids):
        made.count(frame_id, begin + n / 100, [Part(4, frame_id), Part(1, 10 * frame_id)])
    return made


def settled(
    made: Integration, what: Opening, now: float = 101.0, caught_up: float = 101.0
) -> Integral | None:
    made.hear("acq", what)
    return made.settle(now, caught_up)


def test_an_opening_is_added_up_as_soon_as_all_its_images_are_here() -> None:
    found = settled(counted([1, 2, 3, 4, 5]), opening([2, 3, 4]))
    assert found == Integral("acq", 1, 3, 3, (Part(12, 9), Part(3, 90)), "")


def test_what_went_through_nothing_is_complete_and_has_no_numbers() -> None:
    assert settled(Integration(), opening([])) == Integral("acq", 1, 0, 0, (), "")


def test_images_that_are_on_their_way_are_waited_for() -> None:
    made = counted([1, 2])
    assert settled(made, opening([1, 2, 3]), caught_up=101.0 + ON_ITS_WAY / 2) is None
    made.count(3, 101.05, [Part(4, 3), Part(1, 30)])
    found = made.settle(101.06, 101.06)
    assert found is not None
    assert (found.images, found.reason) == (3, "")


def test_a_missing_image_makes_it_incomplete() -> None:
    found = settled(counted([1, 2, 4]), opening([1, 2, 3, 4]), caught_up=101.0 + ON_ITS_WAY)
    assert found is not None
    assert (found.expected, found.images, found.reason) == (4, 3, "3 of 4 images were counted")


def test_a_last_image_that_never_comes_is_given_up() -> None:
    made = counted([1, 2])
    assert settled(made, opening([1, 2, 3]), now=102.0, caught_up=100.5) is None
    found = made.settle(101.0 + PATIENCE, 100.5)
    assert found is not None
    assert (found.images, found.reason) == (0, "images 1 to 3 did not all come here")


def test_a_repeated_image_counts_once() -> None:
    found = settled(counted([1, 2, 2, 3, 2]), opening([1, 2, 3]))
    assert found is not None
    assert (found.images, found.parts[0].sum, found.reason) == (3, 6, "")


def test_a_repeat_does_not_make_up_for_a_missing_image() -> None:
    found = settled(counted([1, 2, 2, 4]), opening([1, 2, 3, 4]), caught_up=102.0)
    assert found is not None
    assert found.reason == "3 of 4 images were counted"


def test_images_of_the_same_ids_before_the_opening_are_not_taken_for_it() -> None:
    made = counted([0, 1, 2], begin=99.0)
    for n in range(3):
        made.count(n, 100.1 + n / 100, [Part(1, 100)])
    found = settled(made, opening([0, 1, 2]))
    assert found is not None
    assert found.parts == (Part(3, 300),)


def test_images_that_may_have_waited_since_before_are_not_trusted() -> None:
    made = Integration()
    for n in range(3):
        made.count(n, 100.5, [Part(1, 1)], behind=BEHIND + 0.1)
    found = settled(made, opening([0, 1, 2]), caught_up=102.0)
    assert found is not None
    assert "behind" in found.reason
    assert found.parts == ()


def test_what_was_counted_with_other_regions_is_not_added_up() -> None:
    made = counted([1, 2])
    made.restart()
    made.count(3, 100.5, [Part(4, 3)])
    found = settled(made, opening([1, 2, 3]), caught_up=102.0)
    assert found is not None
    assert found.reason


def test_an_opening_goes_on_until_it_is_shut() -> None:
    made = counted([1, 2, 3])
    assert made.hear("acq", opening([1, 2], end=None))
    assert made.settle(200.0, 200.0) is None
    assert not made.is_waited_for
    assert not made.hear("acq", opening([1, 2, 3], end=101.0))
    assert made.is_waited_for
    assert made.settle(101.0, 101.0) is not None
    assert not made.hear("acq", opening([1, 2, 3], end=101.0))
    assert made.settle(300.0, 300.0) is None


def test_an_opening_whose_end_was_missed_says_so() -> None:
    made = counted([1, 2, 3])
    made.hear("acq", opening([1], end=None))
    made.hear("next", opening([2], begin=100.0, end=101.0))
    first = made.settle(101.0, 101.0)
    second = made.settle(101.0, 101.0)
    assert first is not None
    assert (first.acquisition_id, first.reason) == ("acq", "its end was missed")
    assert second is not None
    assert (second.acquisition_id, second.reason) == ("next", "")


def test_nothing_is_kept_for_ever_while_no_gate_is_open() -> None:
    made = counted(list(range(3000)))
    assert len(made._counted) <= 100 * BEFORE + 1


@given(
    points=st.lists(st.integers(1, 6), min_size=1, max_size=6),
    lost=st.sets(st.integers(0, 35), max_size=2),
    restarts=st.booleans(),
)
def test_a_step_scan_gets_each_point_right_or_says_that_it_is_not(
    points: list[int], lost: set[int], restarts: bool
) -> None:
    """Points of some images each, ids going on or from 0 at each point; some images never come here."""
    made, time, image = Integration(), 100.0, 0
    for number, size in enumerate(points, 1):
        begin, ids, right = time, [], 0
        whole = True
        for n in range(size):
            frame_id = n if restarts else image
            ids.append(frame_id)
            time += 0.01
            if image in lost:
                whole = False
            else:
                made.count(frame_id, time, [Part(1, image)])
                right += image
            image += 1
        time += 0.01
        made.hear("acq", opening(ids, begin, time, number))
        found = made.settle(time, time) or made.settle(time + 1, time + 1)
        assert found is not None
        assert (found.reason == "") == whole
        assert found.number == number
        if whole:
            assert found.parts == (Part(size, right),)
        time += 0.01
