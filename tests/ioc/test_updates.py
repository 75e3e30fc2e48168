"""Updates that wait for a client: bounded, in order, the newest of each PV never left out."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from repstream_epics.server import IocServer
from repstream_epics.updates import _MOST, Backlog
from tests.integration.rig import until
from tests.ioc.board_engine import BoardEngine
from tests.ioc.clients import environment, running_tool

SIZE = 4
UPDATES = st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=120)


@given(UPDATES, st.sets(st.integers(0, 3)))
def test_the_newest_of_each_stay_in_order(added: list[tuple[int, bool]], wanted: set[int]) -> None:
    backlog = Backlog()
    for number, (subscription, only_newest) in enumerate(added):
        backlog.add(subscription, number.to_bytes(SIZE, "big"), only_newest)
    whole = backlog.take(dict.fromkeys(wanted))
    taken = [int.from_bytes(whole[at : at + SIZE], "big") for at in range(0, len(whole), SIZE)]
    assert taken == sorted(taken)
    for subscription in range(4):
        mine = [number for number, (whose, _) in enumerate(added) if whose == subscription]
        kept = [number for number in taken if number in mine]
        assert kept == (mine[-len(kept) :] if kept else [])
        assert bool(kept) == bool(mine and subscription in wanted) and len(kept) <= _MOST
        if all(not only_newest for whose, only_newest in added if whose == subscription) and kept:
            assert len(kept) == min(len(mine), _MOST)
    assert backlog.take({0: None, 1: None, 2: None, 3: None}) == b""


def test_large_updates_take_less_room() -> None:
    backlog = Backlog()
    large = b"x" * 600_000
    assert not backlog.add(0, large)
    assert backlog.add(0, large) and len(backlog.take({0: None})) == len(large)


def test_a_client_that_stops_reading_holds_up_nobody(tmp_path: Path) -> None:
    key, pv = "engine.config", "T:SLOW:Config_RBV"
    stopped, reading = tmp_path / "stopped.txt", tmp_path / "reading.txt"
    with ExitStack() as stack:
        engine = stack.enter_context(BoardEngine().running())
        ioc = stack.enter_context(IocServer({"a": engine}, "T:SLOW:", port=0))
        length = engine.catalogue.parameters[key].length
        clients = []
        for output in (stopped, reading):
            file = stack.enter_context(output.open("w"))
            watch = ("camonitor", "-w", "60", "-t", "n", "-S", pv)
            clients.append(stack.enter_context(running_tool(environment(ioc.port), *watch, stdout=file)))
        until(lambda: all(pv in output.read_text() for output in (stopped, reading)), "both clients")
        os.killpg(clients[0].pid, signal.SIGSTOP)
        rounds = 8_000_000 // length
        for n in range(rounds):
            engine.put({key: f"{n} ".ljust(length, "x")})
            if n % 50 == 0:
                until(lambda n=n: f" {n} " in reading.read_text(), f"round {n}")  # type: ignore[misc]
        last = f" {rounds - 1} "
        until(lambda: last in reading.read_text(), "the last value")
        assert last not in stopped.read_text()
        os.killpg(clients[0].pid, signal.SIGCONT)
        until(lambda: last in stopped.read_text(), "the last value of the client that reads again")
