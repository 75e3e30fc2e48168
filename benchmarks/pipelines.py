"""A transparent pipeline, from its input to its client, against a bare loop that forwards the same messages.

The pipeline is an instance as a pipeline server starts it: it decodes, checks and counts each message,
writes its own header, and adds what the configuration says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import zmq

from benchmarks import first_request
from benchmarks.ceilings import Output
from benchmarks.lanes import BARE_LOOPS
from benchmarks.loads import Load
from benchmarks.repeater import forwarding
from benchmarks.report import Row
from repstream.instances.local import LocalLauncher
from repstream.instances.registry import Instances

SIZES = {
    "1280 × 960": Load((960, 1280), 200, "camera"),
    "2016 × 2016": Load((2016, 2016), 60, "camera"),
}
ALL = ((zmq.PUSH, 1),)


def pipelines(rounds: int) -> Iterator[Row]:
    """What goes through a pipeline, and how soon it is there."""
    yield from transparent(rounds)
    yield from first_request.requests(rounds)


def transparent(rounds: int) -> Iterator[Row]:
    """Camera → transparent pipeline → one client."""
    for size, load in SIZES.items():
        yield Row(f"transparent, {size}", 0.8, forwarding(load, ALL, BARE_LOOPS, rounds, _pipeline))


@contextmanager
def _pipeline(load: Load, address: str, outputs: Sequence[Output]) -> Iterator[None]:
    with closing(LocalLauncher("127.0.0.1")) as launcher:
        pipelines = Instances("pipeline", launcher)
        configuration = {
            "function": "transparent",
            "camera_name": "camera",
            "input_stream": address,
            "input_mode": "PULL",
            "mode": "PUSH",
            "queue_size": load.hwm,
            "no_client_timeout": 0,
            "stream_timeout": 0,
            "port": int(outputs[0].address.rpartition(":")[2]),
        }
        pipelines.start("transparent", configuration)
        try:
            yield
        finally:
            pipelines.close()
