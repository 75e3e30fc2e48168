"""Frames that wait in a file while the storage takes none."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.dataplane.bench import PATIENCE, image, message

from repstream.dataplane.storing.placement import Placed
from repstream.dataplane.writing.spill import SpillFile, SpillingQueue
from repstream.messages import array_1_0
from repstream.policies.slow_consumer import SlowRule

SHAPE = (30, 50)


def placed(frame_id: int) -> Placed:
    return Placed(array_1_0.decode(message(frame_id, SHAPE, image_attributes={"time_stamp": frame_id})))


NBYTES = placed(0).frame.nbytes + 2  # ids of up to three digits


def check(item: Placed, frame_id: int) -> None:
    assert item.frame.frame_id == frame_id
    assert array_1_0.attributes(item.frame.parts[0])["time_stamp"] == frame_id
    np.testing.assert_array_equal(array_1_0.array(item.frame), image(frame_id, SHAPE))


def test_frames_come_back_from_the_file_as_they_were(tmp_path: Path) -> None:
    file = SpillFile(str(tmp_path), 10 * NBYTES)
    for frame_id in range(4):
        assert file.put(placed(frame_id))
    assert list(tmp_path.iterdir()) == []  # nothing to clean up, whatever happens
    file.take_back()
    for frame_id in range(3):
        check(file.get(), frame_id)
    assert file.next_nbytes == 0
    file.close()


def test_the_file_takes_no_more_than_its_limit_until_it_was_empty(tmp_path: Path) -> None:
    file = SpillFile(str(tmp_path), 3 * NBYTES)
    assert [file.put(placed(i)) for i in range(4)] == [True, True, True, False]
    file.get()
    assert not file.put(placed(4))
    file.get()
    file.get()
    assert file.put(placed(5))
    file.close()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SpillFile(str(tmp_path / "no"), 1)


@contextmanager
def queue(
    folder: Path, rule: str, limit: int, memory: int = 4
) -> Iterator[tuple[SpillingQueue, threading.Condition]]:
    """One of so many frames in memory, and of `limit` in the file."""
    lock = threading.Lock()
    changed = threading.Condition(lock)
    of = SpillingQueue(SlowRule(rule), memory, 10**9, SpillFile(str(folder), limit * NBYTES))
    of.attach(lock, changed.notify_all, changed.notify_all)
    yield of, changed
    with changed:
        of.close()


def settle(of: SpillingQueue, changed: threading.Condition, spilled: int) -> None:
    with changed:
        assert changed.wait_for(lambda: of.spilled == spilled, PATIENCE), of.spilled


def take(of: SpillingQueue, changed: threading.Condition) -> Placed:
    with changed:
        assert changed.wait_for(lambda: len(of), PATIENCE)
        (item,) = of.take(1, 1)
        changed.notify_all()
        return item


class Attributes:
    """What a frame reads its attributes with, which may hold the whole message."""

    def __call__(self) -> dict[str, int]:
        return {"time_stamp": 7}


def test_nothing_of_a_message_is_held_while_it_is_in_the_file(tmp_path: Path) -> None:
    file, attributes = SpillFile(str(tmp_path), NBYTES), Attributes()
    held = weakref.ref(attributes)
    assert file.put(Placed(msgspec.structs.replace(placed(0).frame, read_attributes=attributes)))
    del attributes
    assert held() is None
    assert file.get().frame.read_attributes() == {"time_stamp": 7}
    file.close()


def test_several_go_in_at_once_where_nothing_waits_behind_the_front(tmp_path: Path) -> None:
    with queue(tmp_path, "block", limit=100) as (of, changed):
        with changed:
            assert of.offer_all([placed(0), placed(1)], [NBYTES, NBYTES])
            assert not of.offer_all([placed(2)], [NBYTES])  # the front half is full
            assert of.offer(placed(2), NBYTES).accepted
            assert [item.frame.frame_id for item in of.take(2, 10**9)] == [0, 1]
            assert not of.offer_all([placed(3)], [NBYTES])  # one waits in the back half
            changed.notify_all()
        check(take(of, changed), 2)
        with changed:
            assert of.offer_all([placed(3)], [NBYTES])
        check(take(of, changed), 3)


@pytest.mark.parametrize("rule", SlowRule)
def test_what_finds_no_room_goes_through_the_file_in_order(tmp_path: Path, rule: str) -> None:
    with queue(tmp_path, rule, limit=100) as (of, changed):
        for frame_id in range(50):
            with changed:
                assert changed.wait_for(lambda: of.has_room(NBYTES), PATIENCE)
                assert of.offer(placed(frame_id), NBYTES).accepted
                changed.notify_all()
        settle(of, changed, 48)  # two in memory before it, all others in the file
        assert of.backlog == 50
        for frame_id in range(50):
            check(take(of, changed), frame_id)
        assert (of.backlog, of.use) == (0, 0.0)


def test_a_full_file_leaves_the_rest_to_the_rule(tmp_path: Path) -> None:
    with queue(tmp_path, "drop_oldest", limit=3) as (of, changed):
        lost = []
        for frame_id in range(5):
            with changed:
                assert of.offer(placed(frame_id), NBYTES).accepted
                changed.notify_all()
            settle(of, changed, max(0, frame_id - 1))
        with changed:
            for frame_id in range(5, 10):
                lost += [item.frame.frame_id for item in of.offer(placed(frame_id), NBYTES).dropped]
                changed.notify_all()
        assert lost == [5, 6, 7]
        left = [take(of, changed).frame.frame_id for _ in range(7)]
        assert left == [0, 1, 2, 3, 4, 8, 9]


def test_a_queue_that_was_cleared_begins_anew(tmp_path: Path) -> None:
    with queue(tmp_path, "block", limit=100) as (of, changed):
        for frame_id in range(6):
            with changed:
                assert of.offer(placed(frame_id), NBYTES).accepted
                changed.notify_all()
            settle(of, changed, max(0, frame_id - 1))
        with changed:
            of.clear()
            assert of.backlog == 0
            assert of.offer(placed(9), NBYTES).accepted
            changed.notify_all()
        check(take(of, changed), 9)


@settings(max_examples=25)
@given(st.sampled_from(list(SlowRule)), st.integers(0, 8), st.lists(st.booleans(), min_size=1, max_size=60))
def test_every_frame_is_taken_once_and_in_order_or_dropped(
    tmp_path_factory: pytest.TempPathFactory, rule: SlowRule, limit: int, steps: list[bool]
) -> None:
    with queue(tmp_path_factory.mktemp("spill"), rule, limit) as (of, changed):
        taken: list[int] = []
        lost: list[int] = []
        refused: list[int] = []
        for frame_id, offers in enumerate(steps):
            if offers:
                with changed:
                    outcome = of.offer(placed(frame_id), NBYTES)
                    lost += [item.frame.frame_id for item in outcome.dropped]
                    refused += [frame_id] if outcome.full else []
                    changed.notify_all()
            elif of.backlog:
                taken.append(take(of, changed).frame.frame_id)
        while of.backlog:
            taken.append(take(of, changed).frame.frame_id)
        assert taken == sorted(taken)
        assert sorted(taken + lost + refused) == [i for i, offers in enumerate(steps) if offers]
        assert not (refused and rule is not SlowRule.BLOCK)
