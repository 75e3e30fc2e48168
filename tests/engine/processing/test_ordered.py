"""Tasks of several threads: all results, in order, with room for so many."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.processing.recorded import arrays
from tests.waiting import until

from repstream.errors import ProcessingError
from repstream.processing.axes import counted
from repstream.processing.camera import View
from repstream.processing.channels import Channels
from repstream.processing.ordered import Done, Ordered
from repstream.processing.pipeline import Pipeline, Pulse


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 4), st.lists(st.booleans(), max_size=40), st.integers(1, 10))
def test_results_come_in_the_order_of_the_tasks(threads: int, fail: list[bool], room: int) -> None:
    ordered: Ordered[int] = Ordered(threads, room)
    found: list[Done[int]] = []
    for number, fails in enumerate(fail):
        while not ordered.put(task(number, fails)):
            found += ordered.take(wait=10)
    until(lambda: found.extend(ordered.take(wait=1)) or not len(ordered), "all tasks")
    ordered.close()
    assert [done.result for done in found] == [None if fails else n for n, fails in enumerate(fail)]
    assert [done.error is not None for done in found] == fail


def task(number: int, fails: bool) -> Callable[[int], int]:
    def done(thread: int) -> int:
        if fails:
            raise ProcessingError("on purpose")
        return number

    return done


def test_what_is_done_can_be_polled_and_waits_for_what_was_before_it() -> None:
    ordered: Ordered[str] = Ordered(2, 10)
    gate = threading.Event()
    ordered.put(lambda _: "first" if gate.wait(30) else "never")
    ordered.put(lambda _: "second")
    assert select.select([ordered], [], [], 30)[0]
    assert ordered.take() == []
    gate.set()
    assert select.select([ordered], [], [], 30)[0]
    assert [done.result for done in ordered.take(wait=30)] == ["first", "second"]
    ordered.close()


def test_there_is_room_for_so_many() -> None:
    ordered: Ordered[int] = Ordered(1, 2)
    gate = threading.Event()
    assert ordered.put(lambda _: int(gate.wait(30)))
    assert ordered.put(lambda _: 2)
    assert not ordered.put(lambda _: 3)
    gate.set()
    until(lambda: ordered.take() or not len(ordered))
    ordered.close()


@pytest.mark.usefixtures("solvers")
def test_several_threads_make_what_one_makes() -> None:
    configuration = {
        "image_averaging": 2,
        "image_good_region": {"threshold": 0.3},
        "image_slices": {"number_of_slices": 3},
    }
    image = arrays("images")["gauss_u16"]
    views = [View(image + np.uint16(n), counted(120), counted(90)) for n in range(12)]
    one, several = Pipeline(configuration), Pipeline(configuration)
    wanted = [one.process(view, Pulse(n, (n, 0))) for n, view in enumerate(views)]
    ordered: Ordered[Channels | None] = Ordered(3, 20)
    for number, view in enumerate(views):
        rest = several.begin(view, Pulse(number, (number, 0)))
        assert rest is not None
        ordered.put(lambda _, rest=rest: rest())  # type: ignore[misc]
    found: list[Done[Channels | None]] = []
    until(lambda: found.extend(ordered.take(wait=1)) or not len(ordered))
    ordered.close()
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.error is None and ours.result is not None and theirs is not None
        for name, value in theirs.items():
            if isinstance(value, str):
                assert ours.result[name] == value
            else:  # sums depend on how numpy's memory lies
                np.testing.assert_allclose(ours.result[name], value, rtol=1e-12, err_msg=name)  # type: ignore[arg-type]
