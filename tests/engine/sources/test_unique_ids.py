"""Images and ids that come as PVs of their own, put together."""

from hypothesis import given
from hypothesis import strategies as st

from repstream.sources.unique_ids import MOST_WITHOUT, PATIENCE, UniqueIds


def test_an_array_has_the_id_that_is_posted_after_it():
    ids = UniqueIds(True)
    assert ids.unique_id(0.9, 6) == []  # that of the array before
    assert ids.image(1.0, "a", 0) == []
    assert ids.unique_id(1.001, 7) == [(7, "a")]
    assert ids.image(2.0, "b", 1) == []
    assert ids.unique_id(2.001, 9) == [(9, "b")]


def test_either_may_come_first_where_times_are_equal():
    ids = UniqueIds(True)
    assert ids.unique_id(1.0, 7) == []
    assert ids.image(1.0, "a", 0) == [(7, "a")]


def test_an_array_whose_id_is_left_out_has_the_next_number():
    ids = UniqueIds(True, 5)
    ids.image(1.0, "a", 0)
    assert ids.image(2.0, "b", 1) == [(5, "a")]
    assert ids.unique_id(2.001, 6) == [(6, "b")]


def test_a_server_without_ids_is_counted_and_soon_waited_for_no_more():
    ids = UniqueIds(True)
    seen = []
    for number in range(MOST_WITHOUT + 1):
        seen += ids.image(float(number), number, number)
        assert ids.late(number + 0.9 * PATIENCE) == []
        seen += ids.late(number + 1.1 * PATIENCE)
    assert seen == [(n, n) for n in range(MOST_WITHOUT + 1)]
    assert ids.image(9.0, 9, 9) == [(MOST_WITHOUT + 1, 9)]


@given(kept=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_images_stay_in_order_and_those_whose_id_comes_have_it(kept):
    """Whatever a server leaves out: an array, its id, or both."""
    ids, seen = UniqueIds(True), []
    for number, (array, unique) in enumerate(kept):
        if array:
            seen += ids.image(float(number), number, float(number))
        if unique:
            seen += ids.unique_id(number + 0.5, number)
    known = {number for number, (array, unique) in enumerate(kept) if array and unique}
    assert [image for _, image in seen] == sorted(image for _, image in seen)
    if not ids._without:
        assert {number for number, image in seen if number == image} >= known & {image for _, image in seen}
