from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from repstream.dataplane.storing.placement import MAX_JUMP, Place, Placement

IDS = st.integers(0, 50) | st.integers(0, 3 * MAX_JUMP) | st.integers(0, 2**64 - 1)


def numbers(ids: list[int]) -> list[int | None]:
    places = Placement()
    found = [places.place(frame_id) for frame_id in ids]
    return [None if place is None else place.number for place in found]


def test_the_first_id_is_the_first_place() -> None:
    assert numbers([100, 101, 105, 103]) == [0, 1, 5, 3]


def test_a_series_goes_on_behind_the_one_before() -> None:
    places = Placement()
    places.place(7)
    places.place(9)
    places.begin()
    assert places.place(0) == Place(3, 3)
    assert places.place(2) == Place(5, 3)


def test_a_jump_too_large_leaves_nothing_blank() -> None:
    assert numbers([0, MAX_JUMP + 1, MAX_JUMP + 2]) == [0, MAX_JUMP + 1, MAX_JUMP + 2]
    assert numbers([0, MAX_JUMP + 2, MAX_JUMP + 3]) == [0, 1, 2]
    assert numbers([0, 2**64 - 2, 2**64 - 1]) == [0, 1, 2]


def test_what_came_before_such_a_jump_is_too_late_afterwards() -> None:
    assert numbers([0, 10**9, 10**9 - 1]) == [0, 1, None]


def test_places_know_the_ids_of_their_series_only() -> None:
    place = Place(8, 5)
    assert [place.id_at(number, 103) for number in (4, 5, 7, 8)] == [0, 100, 102, 103]


@given(st.lists(IDS, unique=True, max_size=40))
def test_no_place_is_given_twice_and_none_is_far_behind_the_last(ids: list[int]) -> None:
    given_places = [number for number in numbers(ids) if number is not None]
    assert len(set(given_places)) == len(given_places)
    last = -1
    for number in given_places:
        assert 0 <= number <= last + 1 + MAX_JUMP
        last = max(last, number)


@given(st.lists(st.integers(0, 300), unique=True), st.integers(1, 7))
def test_with_a_step_no_place_is_given_twice(ids: list[int], step: int) -> None:
    places = Placement(step)
    found = [place for frame_id in ids if (place := places.place(frame_id)) is not None]
    assert len({place.number for place in found}) == len(found)


def test_with_a_step_ids_that_step_lie_side_by_side() -> None:
    places = Placement(10)
    assert [places.place(frame_id) for frame_id in (5, 25, 15)] == [
        Place(0, 0, 10),
        Place(2, 0, 10),
        Place(1, 0, 10),
    ]
    assert Place(2, 0, 10).id_at(1, 25) == 15
    assert places.place(28) == Place(3, 3, 10)
