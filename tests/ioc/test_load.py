"""Many updates to many clients of every PV."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from repstream.garbage_collection import leave_alone
from repstream.parameters.facts import Kind
from repstream_epics import names
from repstream_epics.server import IocServer
from tests.integration.rig import until
from tests.ioc.board_engine import BoardEngine
from tests.ioc.clients import environment, running_tool

PREFIX = "T:LOAD:"
RATE, KEYS = 2000, 200
LAG = 0.2


@contextmanager
def monitors(port: int, pvs: list[str], folder: Path, clients: int) -> Iterator[list[Path]]:
    """Clients that monitor all of these PVs, and what each of them has printed."""
    outputs = [folder / f"client{n}.txt" for n in range(clients)]
    with ExitStack() as stack:
        for output in outputs:
            file = stack.enter_context(output.open("w"))
            watch = ("camonitor", "-w", "90", "-t", "n", *pvs)
            stack.enter_context(running_tool(environment(port), *watch, stdout=file))
        yield outputs


@contextmanager
def lag_of(ioc: IocServer) -> Iterator[list[float]]:
    """How late the loop of the IOC takes its turns (s)."""
    lags, end = list[float](), threading.Event()

    def measure() -> None:
        while not end.wait(0.02):
            asked = time.monotonic()
            assert ioc._loop is not None
            ioc._loop.call_soon_threadsafe(lambda at=asked: lags.append(time.monotonic() - at))  # type: ignore[misc]

    thread = threading.Thread(target=measure)
    thread.start()
    try:
        yield lags
    finally:
        end.set()
        thread.join()


def last_values(output: Path) -> dict[str, str]:
    """The last value of each PV that a client has printed; an empty text is printed as nothing."""
    whole = output.read_text().rpartition("\n")[0]
    lines = ((*line.split(maxsplit=2), "")[:2] for line in whole.splitlines() if "***" not in line)
    return dict(lines)  # type: ignore[arg-type]  # two words each


@pytest.mark.parametrize(
    ("seconds", "clients", "everything"),
    [(2, 2, False), pytest.param(60, 5, True, marks=(pytest.mark.soak, pytest.mark.timeout(900)))],
)
def test_no_final_value_is_lost_and_the_loop_keeps_up(
    tmp_path: Path, seconds: int, clients: int, everything: bool
) -> None:
    with BoardEngine().running() as engine, IocServer({"a": engine}, PREFIX, port=0) as ioc:
        shown = [p for p in engine.catalogue.parameters.values() if not p.writable]
        busy = [p for p in shown if p.kind in (Kind.INT, Kind.FLOAT)][:KEYS]
        assert len(busy) == KEYS
        busy_pvs = [PREFIX + names.readback(p) for p in busy]
        watched = list(ioc.channels) if everything else busy_pvs
        with monitors(ioc.port, watched, tmp_path, clients) as outputs:
            until(lambda: all(len(last_values(o)) == len(watched) for o in outputs), "all PVs", 90)
            leave_alone()  # as the programs do that serve
            rounds = seconds * RATE // KEYS
            with lag_of(ioc) as lags:
                begin = time.monotonic()
                for n in range(rounds):
                    engine.put({p.key: n for p in busy})
                    time.sleep(max(begin + (n + 1) * KEYS / RATE - time.monotonic(), 0))
            last = dict.fromkeys(busy_pvs, str(rounds - 1))
            until(lambda: all(last.items() <= last_values(o).items() for o in outputs), "the last values", 60)
    lags.sort()
    median, worst = lags[len(lags) // 2], lags[-1]
    print(f"{RATE} updates/s to {clients} clients: loop lag median {median:.3f} s, worst {worst:.3f} s")
    assert median < LAG or not everything  # a figure of a machine that does nothing else
