"""What several receivers cost: processor time of N data planes that share a detector, against N bare loops.

One PUSH gives its messages to whoever has room; each data plane, or loop, sends them on by a PUSH of its
own, and one sink takes all. Where a stream is merged they send to one more data plane, or loop, which puts
nothing in order. It is the time of all together that counts, so it says what is paid for a frame and not how
fast a machine with fewer cores than that needs gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import zmq

from benchmarks import ceilings
from benchmarks.ceilings import NO_COPY_FROM, Output
from benchmarks.lanes import data_plane
from benchmarks.loads import SIZES, Load
from benchmarks.pairs import Contenders, child, compare_starts, free_addresses
from benchmarks.plane import Plane
from benchmarks.polled import cpu_seconds
from benchmarks.report import Row
from repstream.dataplane import control

RECEIVERS = (1, 2)
PER_FRAME = {"4 kB": 1.25, "123 kB": 1.1}
PER_BYTE = {"4.8 MB": 1.1}
"""Most of the bare loops' time; small frames show what is done for a frame, large ones what for a byte."""

Meter = Callable[[], float]
"""Processor time so far (s)."""

Middle = Callable[[ExitStack, Load, str, int], tuple[list[Meter], list[str]]]
"""Starts what forwards from an address, with so many receivers; the meters, and where messages come out."""

MERGED = {"4 kB": 1.25, "123 kB": 1.1}
"""Most of the time of two bare loops that send to a third."""


def receivers(rounds: int) -> Iterator[Row]:
    """1 input → N receivers, each → 1 PUSH; and all of them → 1 PUSH, in the order of ids."""
    for number in RECEIVERS:
        name = "1 receiver" if number == 1 else f"{number} receivers"
        lanes = partial(_lanes, receivers=number, ours=_planes, theirs=_loops)
        for size, target in PER_FRAME.items():
            measured = compare_starts(partial(lanes, SIZES[size], scale=1e6), rounds)
            yield Row(f"CPU time per frame, {size}, {name}", target, measured, unit="µs", most=True)
        for size, target in PER_BYTE.items():
            measured = compare_starts(partial(lanes, SIZES[size], scale=1e12 / SIZES[size].nbytes), rounds)
            yield Row(f"CPU time per MB, {size}, {name}", target, measured, unit="µs", most=True)
    merged = partial(_lanes, receivers=2, ours=_merging_planes, theirs=_merging_loops, scale=1e6)
    for size, target in MERGED.items():
        measured = compare_starts(partial(merged, SIZES[size]), rounds)
        yield Row(f"CPU time per frame, {size}, 2 receivers, merged", target, measured, unit="µs", most=True)


@contextmanager
def _lanes(load: Load, *, receivers: int, ours: Middle, theirs: Middle, scale: float) -> Iterator[Contenders]:
    """Data planes and the loops that are better at this size; a run returns time a message, times `scale`."""
    name = "loops with copying" if _copies(load) else "loops without copying"
    with ExitStack() as stack:
        planes = stack.enter_context(_lane(load, receivers, ours, scale))
        loops = stack.enter_context(_lane(load, receivers, theirs, scale))
        yield planes, {name: loops}


@contextmanager
def _lane(
    load: Load,
    receivers: int,
    middle: Middle,
    scale: float,
) -> Iterator[Callable[[], float]]:
    (address,) = free_addresses(1)
    with ExitStack() as stack:
        source = stack.enter_context(child(ceilings.source, load, address, 0.0))
        meters, others = middle(stack, load, address, receivers)
        sink = stack.enter_context(child(ceilings.shared_sink, load, others))

        def run() -> float:
            before = sum(meter() for meter in meters)
            sink.send(load.count)
            source.send(load.count)
            source.recv()
            sink.recv()
            return (sum(meter() for meter in meters) - before) / load.count * scale

        yield run


def _planes(stack: ExitStack, load: Load, address: str, receivers: int) -> tuple[list[Meter], list[str]]:
    others = free_addresses(receivers)
    planes = [
        stack.enter_context(data_plane(load, address, [Output(other, zmq.PUSH)], receivers=receivers))
        for other in others
    ]
    return [_plane_meter(running) for running in planes], others


def _merging_planes(
    stack: ExitStack, load: Load, address: str, receivers: int
) -> tuple[list[Meter], list[str]]:
    inner, out = free_addresses(2)
    lanes = tuple(range(receivers))
    merging = data_plane(
        load,
        inner,
        [Output(out, zmq.PUSH)],
        receivers=receivers,
        opening={"merge": control.Merge(lanes, 0.5, 5000, 512)},
        source={"connection": "bind"},
    )
    planes = [stack.enter_context(merging)]
    for number in lanes:
        lane = {"lane": control.Lane(number, ("s0",))}
        output = [Output(inner, zmq.PUSH)]
        planes.append(
            stack.enter_context(data_plane(load, address, output, receivers=receivers, opening=lane))
        )
    return [_plane_meter(running) for running in planes], [out]


def _loops(stack: ExitStack, load: Load, address: str, receivers: int) -> tuple[list[Meter], list[str]]:
    others = free_addresses(receivers)
    return [_loop(stack, load, address, other) for other in others], others


def _merging_loops(
    stack: ExitStack, load: Load, address: str, receivers: int
) -> tuple[list[Meter], list[str]]:
    *inner, out = free_addresses(receivers + 1)
    meters = [_loop(stack, load, address, other) for other in inner]
    return [*meters, _loop(stack, load, ",".join(inner), out)], [out]


def _plane_meter(running: Plane) -> Meter:
    return lambda: cpu_seconds(running.process_id)


def _loop(stack: ExitStack, load: Load, address: str, other: str) -> Meter:
    outputs = [Output(other, zmq.PUSH)]
    loop = stack.enter_context(child(ceilings.metered_loop, load, address, outputs, _copies(load)))

    def meter() -> float:
        loop.send(True)
        seconds: float = loop.recv()
        return seconds

    return meter


def _copies(load: Load) -> bool:
    """Whether a loop that copies is the better one."""
    return load.nbytes < NO_COPY_FROM
