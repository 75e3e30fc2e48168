"""What many clients of Tango cost the frame path: CPU time of the data plane per frame.

An engine with all front ends, as in `polled`. Runs under the load of the soak of Tango alternate with runs
without: 20 clients that poll 60 attributes ten times a second each, and 5 that are subscribed to what changes
1,000 times a second meanwhile. Every one of them must see the last values.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.device_servers.serving import REPEATER
from tests.soak import tango_load

from benchmarks.loads import SIZES, Load
from benchmarks.pairs import compare
from benchmarks.polled import POLLED, RUN_SECONDS, TARGET, Beamline, await_port, ceiling_of
from benchmarks.report import Row
from repstream import Client

RISE = 10_000
"""More than the changes of one run."""

CLIENTS = f"{tango_load.POLLERS} Tango clients poll, {tango_load.SUBSCRIBERS} subscribe"


def under_load(rounds: int) -> Iterator[Row]:
    """With the clients, and without."""
    for size in POLLED:
        ceiling = ceiling_of(SIZES[size])
        load = Load(SIZES[size].shape, round(RUN_SECONDS * ceiling / 2))
        with Beamline.running(load, ceiling / 2) as beamline, _Changes.of(beamline) as changes:

            def watched(beamline: Beamline = beamline, changes: _Changes = changes) -> float:
                with changes.seen_by_all():
                    return beamline.cost()

            measured = compare(watched, {"no clients": beamline.cost}, rounds)
            beamline.check()
        yield Row(f"CPU time per frame, {size}, {CLIENTS}", TARGET, measured, unit="µs", most=True)


class _Changes:
    """What the clients see changing; numbers rise from run to run."""

    def __init__(self, engine: Client, device: str) -> None:
        self._engine, self._device = engine, device
        self._numbers = itertools.count(1)
        self._end = threading.Event()

    @classmethod
    @contextmanager
    def of(cls, beamline: Beamline) -> Iterator[_Changes]:
        await_port(beamline.ports["tango"])
        device = f"tango://127.0.0.1:{beamline.ports['tango']}/{REPEATER}#dbase=no"
        with Client(f"tcp://127.0.0.1:{beamline.ports['engine']}", timeout=60) as engine:
            yield cls(engine, device)

    @contextmanager
    def seen_by_all(self) -> Iterator[None]:
        """Within the block all clients are there; RuntimeError where one has not seen the last values."""
        last = next(self._numbers) + RISE
        with tango_load.clients(self._device, last) as clients:
            self._end.clear()
            thread = threading.Thread(target=self._change, name="changes")
            thread.start()
            try:
                yield
            finally:
                self._end.set()
                thread.join()
            self._write(last)
            self._numbers = itertools.count(last + 1)
            seen = [one for ones in tango_load.seen(clients).values() for one in ones]
        if behind := sum(not one["is_done"] for one in seen):
            raise RuntimeError(f"{behind} clients have not seen the last values")

    def _change(self) -> None:
        while not self._end.wait(tango_load.PERIOD):
            self._write(next(self._numbers))

    def _write(self, number: int) -> None:
        self._engine.write(dict.fromkeys(tango_load.KEYS, number))
