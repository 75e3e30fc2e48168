"""What several receivers cost: processor time of N data planes that share a detector, against N bare loops.

One PUSH gives its messages to whoever has room; each data plane, or loop, sends them on by a PUSH of its
own, and one sink takes all. It is the time of all N together that counts, so it says what is paid for a frame
and not how fast a machine with fewer cores than that needs gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

import zmq

from benchmarks import ceilings
from benchmarks.ceilings import NO_COPY_FROM, Output
from benchmarks.lanes import data_plane
from benchmarks.loads import SIZES, Load
from benchmarks.pairs import Contenders, child, compare_starts, free_addresses
from benchmarks.polled import cpu_seconds
from benchmarks.report import Row

RECEIVERS = (1, 2)
PER_FRAME = {"4 kB": 1.25, "123 kB": 1.1}
PER_BYTE = {"4.8 MB": 1.1}
"""Most of the bare loops' time; small frames show what is done for a frame, large ones what for a byte."""

Meter = Callable[[], float]
"""Processor time so far (s)."""

Middle = Callable[[Load, str, str, int], AbstractContextManager[Meter]]
"""Forwards from one address to another, as one of so many, while the context lasts."""


def receivers(rounds: int) -> Iterator[Row]:
    """1 input → N receivers, each → 1 PUSH."""
    for number in RECEIVERS:
        name = "1 receiver" if number == 1 else f"{number} receivers"
        for size, target in PER_FRAME.items():
            measured = compare_starts(partial(_lanes, SIZES[size], number, 1e6), rounds)
            yield Row(f"CPU time per frame, {size}, {name}", target, measured, unit="µs", most=True)
        for size, target in PER_BYTE.items():
            scale = 1e12 / SIZES[size].nbytes
            measured = compare_starts(partial(_lanes, SIZES[size], number, scale), rounds)
            yield Row(f"CPU time per MB, {size}, {name}", target, measured, unit="µs", most=True)


@contextmanager
def _lanes(load: Load, receivers: int, scale: float) -> Iterator[Contenders]:
    """Data planes and the loops that are better at this size; a run returns time a message, times `scale`."""
    name = "loops with copying" if _copies(load) else "loops without copying"
    with ExitStack() as stack:
        ours = stack.enter_context(_lane(load, receivers, _planes, scale))
        loops = stack.enter_context(_lane(load, receivers, _loops, scale))
        yield ours, {name: loops}


@contextmanager
def _lane(
    load: Load,
    receivers: int,
    middle: Middle,
    scale: float,
) -> Iterator[Callable[[], float]]:
    address, *others = free_addresses(1 + receivers)
    with ExitStack() as stack:
        source = stack.enter_context(child(ceilings.source, load, address, 0.0))
        meters = [stack.enter_context(middle(load, address, other, receivers)) for other in others]
        sink = stack.enter_context(child(ceilings.shared_sink, load, others))

        def run() -> float:
            before = sum(meter() for meter in meters)
            sink.send(load.count)
            source.send(load.count)
            source.recv()
            sink.recv()
            return (sum(meter() for meter in meters) - before) / load.count * scale

        yield run


@contextmanager
def _planes(load: Load, address: str, other: str, receivers: int) -> Iterator[Meter]:
    with data_plane(load, address, [Output(other, zmq.PUSH)], receivers=receivers) as plane:
        yield lambda: cpu_seconds(plane.process_id)


@contextmanager
def _loops(load: Load, address: str, other: str, receivers: int) -> Iterator[Meter]:
    outputs = [Output(other, zmq.PUSH)]
    with child(ceilings.metered_loop, load, address, outputs, _copies(load)) as loop:

        def meter() -> float:
            loop.send(True)
            seconds: float = loop.recv()
            return seconds

        yield meter


def _copies(load: Load) -> bool:
    """Whether a loop that copies is the better one."""
    return load.nbytes < NO_COPY_FROM
