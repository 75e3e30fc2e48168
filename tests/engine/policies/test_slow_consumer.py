"""The bounded queue of an output: limits, rules, exact counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.policies.slow_consumer import OutputQueue, SlowRule

# A number offers an item of so many bytes, a list offers several at once, None takes one, a pair takes
# so many items or bytes.
SIZES = st.integers(0, 60)
SEVERAL, TAKEN = st.lists(SIZES, min_size=1, max_size=6), st.tuples(st.integers(1, 6), st.integers(1, 99))
ACTIONS = st.lists(st.none() | SIZES | SEVERAL | TAKEN, max_size=200)


def queue(rule: SlowRule, max_messages: int = 3, max_bytes: int = 100) -> OutputQueue[str]:
    return OutputQueue(rule, max_messages, max_bytes)


def fill(full: OutputQueue[str], items: str, nbytes: int = 10) -> OutputQueue[str]:
    assert all(full.offer(item, nbytes).accepted for item in items)
    return full


def test_block_leaves_a_full_queue_as_it_is() -> None:
    full = fill(queue(SlowRule.BLOCK), "abc")
    outcome = full.offer("d", 10)
    assert (outcome.full, outcome.accepted, outcome.dropped) == (True, False, ())
    assert full.clear() == ("a", "b", "c")


def test_a_cleared_queue_has_room_for_as_much_again() -> None:
    cleared = fill(queue(SlowRule.BLOCK), "abc", 33)
    assert cleared.clear() == ("a", "b", "c")
    assert (len(cleared), cleared.nbytes, cleared.use) == (0, 0, 0.0)
    fill(cleared, "def", 33)


def test_drop_newest_loses_what_is_offered() -> None:
    full = fill(queue(SlowRule.DROP_NEWEST), "abc")
    outcome = full.offer("d", 10)
    assert (outcome.full, outcome.accepted, outcome.dropped) == (False, False, ("d",))
    assert full.clear() == ("a", "b", "c")


def test_drop_oldest_makes_room() -> None:
    full = fill(queue(SlowRule.DROP_OLDEST), "abc")
    outcome = full.offer("d", 10)
    assert (outcome.full, outcome.accepted, outcome.dropped) == (False, True, ("a",))
    assert full.clear() == ("b", "c", "d")


def test_drop_oldest_makes_room_in_bytes() -> None:
    full = fill(queue(SlowRule.DROP_OLDEST), "abc", 30)
    assert full.offer("d", 50).dropped == ("a", "b")
    assert (len(full), full.nbytes) == (2, 80)


@pytest.mark.parametrize("rule", SlowRule)
def test_an_item_beyond_the_byte_budget_passes_alone(rule: SlowRule) -> None:
    one = queue(rule)
    assert one.offer("huge", 1000).accepted
    assert (one.use, one.has_room(1)) == (1.0, False)
    assert one.pop() == "huge"
    assert one.nbytes == 0
    assert one.offer("next", 10).accepted


def test_the_head_stays_until_it_is_taken() -> None:
    some = fill(queue(SlowRule.BLOCK), "ab")
    assert (some.head(), some.head(), some.pop(), some.head()) == ("a", "a", "a", "b")


def test_use_is_of_the_limit_that_is_nearer() -> None:
    some = fill(queue(SlowRule.BLOCK, max_messages=4), "a")
    assert some.use == 0.25
    some.offer("b", 65)
    assert some.use == 0.75


def test_an_empty_queue_has_nothing_to_take() -> None:
    with pytest.raises(IndexError):
        queue(SlowRule.BLOCK).pop()


@pytest.mark.parametrize("limits", [(0, 1), (1, 0), (-1, 5)])
def test_limits_below_one_are_refused(limits: tuple[int, int]) -> None:
    with pytest.raises(ValueError):
        OutputQueue(SlowRule.BLOCK, *limits)


@given(st.sampled_from(SlowRule), st.integers(1, 8), st.integers(1, 100), ACTIONS)
def test_every_item_is_taken_dropped_refused_or_waiting(
    rule: SlowRule, max_messages: int, max_bytes: int, actions: list[int | list[int] | tuple[int, int] | None]
) -> None:
    tested: OutputQueue[int] = OutputQueue(rule, max_messages, max_bytes)
    sizes: dict[int, int] = {}
    taken: list[int] = []
    dropped: list[int] = []
    refused: list[int] = []
    for action in actions:
        item = len(sizes)
        match action:
            case int():
                sizes[item] = action
                room = tested.has_room(action)
                outcome = tested.offer(item, action)
                assert room == (outcome.accepted and not outcome.dropped)
                dropped += outcome.dropped
                refused += [item] if outcome.full else []
            case list():
                several = dict(enumerate(action, item))
                before = len(tested), tested.nbytes
                fit = before[0] + len(action) <= max_messages and before[1] + sum(action) <= max_bytes
                assert tested.offer_all(list(several), action) is fit
                if not fit:
                    assert (len(tested), tested.nbytes) == before
                sizes |= several if fit else {}
            case (most, nbytes):
                some = tested.take(most, nbytes)
                assert len(some) <= most
                assert sum(sizes[one] for one in some[:-1]) < nbytes
                assert len(some) == most or not len(tested) or sum(sizes[one] for one in some) >= nbytes
                taken += some
            case None:
                if len(tested):
                    taken.append(tested.pop())
        assert len(tested) <= max_messages
        assert tested.nbytes <= max_bytes or len(tested) == 1
        assert 0 <= tested.use <= 1
    nbytes, waiting = tested.nbytes, list(tested.clear())
    assert nbytes == sum(sizes[item] for item in waiting)
    assert sorted(taken + dropped + refused + waiting) == sorted(sizes)
    assert taken + waiting == sorted(taken + waiting)
    assert not refused or rule is SlowRule.BLOCK
    assert not dropped or rule is not SlowRule.BLOCK


def test_the_budget_may_be_used_up() -> None:
    one = fill(queue(SlowRule.BLOCK), "a", 60)
    assert (one.has_room(40), one.has_room(41)) == (True, False)
    assert one.offer("b", 40).accepted


def test_no_more_is_taken_than_asked_for() -> None:
    full = fill(queue(SlowRule.BLOCK), "abc")
    assert full.take(2, 100) == ["a", "b"]
    assert (full.take(2, 1), full.nbytes) == (["c"], 0)
