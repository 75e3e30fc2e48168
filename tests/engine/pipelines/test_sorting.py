"""Messages put in order, and messages of two streams put together."""

from hypothesis import given
from hypothesis import strategies as st

from repstream.pipelines.merging import Merger
from repstream.pipelines.sorting import Lanes, Sorter


def sorted_by(sorter, ids):
    return [out for each in ids for out in sorter.put(each, each)] + sorter.rest()


@given(ids=st.lists(st.integers(0, 50)), data=st.data())
def test_what_is_displaced_by_less_than_is_held_comes_in_order(ids, data):
    length = data.draw(st.integers(0, 8))
    ids = sorted(ids)
    for first in range(0, len(ids), length + 1):  # each group in an order of its own
        ids[first : first + length + 1] = data.draw(st.permutations(ids[first : first + length + 1]))
    assert sorted_by(Sorter(length), ids) == sorted(ids)


def test_without_a_length_messages_leave_as_they_come():
    assert sorted_by(Sorter(), [3, 1, 2]) == [3, 1, 2]


def test_a_message_that_is_too_late_leaves_at_once():
    sorter = Sorter(1)
    assert [sorter.put(each, each) for each in (5, 7, 9, 2, 11)] == [[], [5], [7], [2], [9]]


RISING = st.sets(st.integers(0, 40)).map(sorted)


@given(images=RISING, others=RISING, data=st.data())
def test_messages_of_equal_ids_meet_whoever_comes_first(images, others, data):
    merger = Merger(1000, 1000)
    pairs, left, right = [], list(images), list(others)
    while left or right:
        if left and (not right or data.draw(st.booleans())):
            pairs += merger.image(left[0], f"image {left.pop(0)}")
        else:
            pairs += merger.other(right[0], f"data {right.pop(0)}")
    both = [each for each in images if each in others]
    assert pairs == [(f"image {each}", f"data {each}") for each in both]
    alone = [each for each in images if each not in others and others and each < others[-1]]
    assert merger.images.given_up == len(alone)


def test_the_oldest_of_too_many_gives_way():
    merger = Merger(2, 2)
    for each in (1, 2, 3):
        merger.image(each, each)
    assert merger.images.given_up == 1
    assert merger.other(1, "x") == [] and merger.other(2, "y") == [(2, "y")]


def test_a_numbering_that_begins_anew_waits_for_nothing_old():
    merger = Merger(10, 10)
    merger.image(100, "old")
    merger.image(1, "new")
    assert merger.other(1, "data") == [("new", "data")]


@given(left_out=st.sets(st.integers(0, 99), max_size=3), spacing=st.sampled_from([1, 10]), data=st.data())
def test_lanes_that_are_each_in_order_come_in_order_together(left_out, spacing, data):
    lanes = Lanes(3, 1000)
    ids = [spacing * number for number in range(100) if number not in left_out]
    waiting = [ids[lane::3] for lane in range(3)]
    found = []
    while any(waiting):
        lane = data.draw(st.sampled_from([lane for lane in range(3) if waiting[lane]]))
        found += lanes.put(lane, waiting[lane][0], waiting[lane].pop(0), now=0.1)
    assert found + lanes.rest() == ids


def test_the_first_message_after_a_silence_waits_for_those_of_the_other_lanes():
    lanes = Lanes(2, 5)
    assert lanes.put(1, 11, 11, now=100.0) == []
    assert lanes.put(0, 10, 10, now=100.1) == [10]
    assert lanes.leaving(now=100.6) == [11]
    assert lanes.put(1, 15, 15, now=200.0) == []
    assert lanes.put(0, 14, 14, now=200.1) == [14]


def test_what_follows_evenly_spaced_messages_waits_for_nobody():
    lanes = Lanes(3, 5)
    for number in range(10):
        lanes.put(number % 3, 10 * number, 10 * number, now=1.0)
    assert lanes.leaving(now=1.6) == []
    assert lanes.put(1, 100, 100, now=2.0) == [100]
    assert lanes.put(0, 120, 120, now=3.0) == []
    assert lanes.put(2, 110, 110, now=3.1) == [110, 120]


def test_a_lane_that_is_silent_is_waited_for_once():
    lanes = Lanes(2, 2)
    assert lanes.put(0, 1, "a", now=10.0) == [] == lanes.put(0, 5, "b", now=10.3)
    assert lanes.leaving(now=10.4) == []
    assert lanes.leaving(now=10.6) == ["a", "b"]
    assert lanes.put(0, 10, "c", now=10.7) == ["c"]
    assert lanes.put(1, 20, "e", now=10.8) == []
    assert lanes.put(1, 21, "f", now=10.9) == [] and not lanes.has_room(1)
    assert lanes.put(0, 19, "d", now=11.0) == ["d"]
    assert lanes.leaving(now=11.5) == ["e", "f"]


def test_a_numbering_that_begins_anew_is_put_in_order_too():
    lanes = Lanes(2, 5)
    assert lanes.put(0, 100, 100, now=1.0) + lanes.put(1, 101, 101, now=1.0) == [100]
    assert lanes.leaving(now=1.6) == [101]
    assert lanes.put(1, 1, 1, now=9.0) == []
    assert lanes.put(0, 0, 0, now=9.1) == [0]
