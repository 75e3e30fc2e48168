"""The way of a frame in docs/explanations/shape.md, held against that of a real one."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import zmq

import repstream
from repstream.dataplane.repeater import Repeater
from repstream.dataplane.storing.placement import Placed
from repstream.messages.frame import Frame
from tests.engine.dataplane.bench import PATIENCE, configuration, message, plan
from tests.sockets import keeping_context

ROOT = Path(repstream.__file__).parent
PAGE = Path(__file__).parents[2] / "docs/explanations/shape.md"
WAY = re.findall(r"^\| \d+ \| `(.*?)` \|", PAGE.read_text(), re.MULTILINE)


class Walk:
    """Which modules get hold of a frame, in that order, and from which of them."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.steps: set[tuple[str, str]] = set()

    def watch(self, called: FrameType, event: str, given: Any) -> None:
        """See a call or a return; what ``sys.setprofile`` wants."""
        module = _module(called)
        if module is None:
            return
        if event == "call" and any(map(_is_frame, called.f_locals.values())):
            self.steps.add((_caller(called), module))
        elif event != "return" or not _is_frame(given):
            return
        if module not in self.order:
            self.order.append(module)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """In this thread, and in those that it starts meanwhile."""
        threading.setprofile(self.watch)
        sys.setprofile(self.watch)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)


def _module(called: FrameType) -> str | None:
    path = Path(called.f_code.co_filename)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else None


def _caller(called: FrameType) -> str:
    above = called.f_back
    while above is not None and _module(above) is None:
        above = above.f_back
    return "" if above is None else _module(above) or ""


def _is_frame(value: Any) -> bool:
    """A frame, the parts that it is made of, or some of these."""
    if isinstance(value, (list, tuple, deque)):
        return len(value) > 0 and _is_frame(value[0])
    return isinstance(value, (Frame, Placed, zmq.Frame))


def walk_of_a_frame(folder: Path) -> Walk:
    """From a socket into a file, which takes this one."""
    walk = Walk()
    with keeping_context() as context, context.socket(zmq.PUSH) as detector, walk.watched():
        detector.bind(f"ipc://{folder}/in")
        repeater = Repeater(
            configuration(f"ipc://{folder}/in", writers={"file": {}}), lambda _: None, lambda: None
        )
        writer = repeater.writers[1]
        assert writer.arm(plan(folder / "a.h5", num_images=1)) == writer.open_gate(0) == ""
        detector.send_multipart(message(0))
        end = time.monotonic() + PATIENCE
        while writer.busy and time.monotonic() < end:
            repeater.receive(end, lambda: False)
            repeater.poll()
        assert writer.report().ledger.sent == 1
        repeater.close_source()
        repeater.close_streams(0)[0].join()
    return walk


def test_a_frame_walks_through_at_most_ten_modules_in_one_direction(tmp_path: Path) -> None:
    walk = walk_of_a_frame(tmp_path)
    assert len(WAY) <= 10
    assert [module for module in walk.order if module in WAY] == WAY
    handed_on = {(a, b) for a, b in walk.steps if {a, b} <= set(WAY) and a != b}
    assert all(WAY.index(giver) < WAY.index(taker) for giver, taker in handed_on)
    # The source is asked; everybody else has it from somebody before, without another module in between.
    assert {taker for _, taker in handed_on} == set(WAY[2:])
