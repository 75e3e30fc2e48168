"""Lanes: a source, something that forwards, and a sink, which stay up from run to run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any

import zmq

from benchmarks import ceilings, plane
from benchmarks.ceilings import Output
from benchmarks.loads import Load
from benchmarks.pairs import child, free_addresses

Middle = Callable[[Load, str, Sequence[Output]], AbstractContextManager[Any]]
"""What forwards from an address to outputs, while the context lasts."""

Kinds = Sequence[tuple[int, int]]
"""The outputs of a lane: socket type, and one in how many messages it gets."""


@contextmanager
def lane(load: Load, kinds: Kinds, middle: Middle) -> Iterator[Callable[[], float]]:
    """Yields a function that makes one run and returns messages a second at the sink."""
    address, *others = free_addresses(1 + len(kinds))
    outputs = [Output(other, *kind) for other, kind in zip(others, kinds, strict=True)]
    with ExitStack() as stack:
        source = stack.enter_context(child(ceilings.source, load, address, 0.0))
        stack.enter_context(middle(load, address, outputs))
        sink = stack.enter_context(child(ceilings.sink, load, outputs))

        def run() -> float:
            sink.send(load.count)
            source.send(load.count)
            source.recv()
            rate: float = sink.recv()
            return rate

        yield run


@contextmanager
def data_plane(
    load: Load,
    address: str,
    outputs: Sequence[Output],
    receivers: int = 1,
    *,
    opening: Mapping[str, Any] = MappingProxyType({}),
    source: Mapping[str, Any] = MappingProxyType({}),
    **settings: Any,
) -> Iterator[plane.Plane]:
    """The repeater's own process, configured to lose nothing on a PUSH; `settings` go to all streams.

    With `receivers` it is one of so many. `opening` as in `control.Open`, `source` are settings of the input.
    """
    streams = {
        f"s{number}": {
            "address": output.address,
            "mode": "PUSH" if output.kind == zmq.PUSH else "PUB",
            "on_slow": "block" if output.kind == zmq.PUSH else "drop_oldest",
            "policy": "forward" if output.every == 1 else "send_every_nth",
            "every_nth": output.every,
            "buffer_size": load.hwm,
            **settings,
        }
        for number, output in enumerate(outputs)
    }
    whole = {**plane.source(load, address), "receivers": receivers, **source}
    with plane.running({"source": whole, "streams": streams}, **opening) as running:
        yield running


def _bare(load: Load, address: str, outputs: Sequence[Output], copy: bool) -> Any:
    return child(ceilings.bare_loop, load, address, outputs, copy)


BARE_LOOPS: dict[str, Middle] = {
    "loop without copying": partial(_bare, copy=False),
    "loop with copying": partial(_bare, copy=True),
}


def proxy(load: Load, address: str, outputs: Sequence[Output]) -> Any:
    return child(ceilings.proxy, load, address, outputs)
