from __future__ import annotations

import math
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from queue import Queue
from typing import Any

import pytest

from repstream.link.chronicle import LOSS_INTERVAL
from repstream_epics.server import IocServer
from tests.ioc.board_engine import BoardEngine
from tests.ioc.clients import TOOLS, Pyepics, environment
from tests.ioc.conftest import PREFIX, Bench

MINOR, MAJOR, INVALID = 1, 2, 3
PATIENCE = 30.0


@dataclass
class Shown:
    """Values that a test puts, and a client that sees them."""

    engine: BoardEngine
    ca: Pyepics


@pytest.fixture
def shown() -> Iterator[Shown]:
    with (
        BoardEngine().running() as engine,
        IocServer({"test": engine}, PREFIX, port=0) as ioc,
        Pyepics(ioc.port) as ca,
    ):
        yield Shown(engine, ca)


def until(updates: Queue[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    """The next update that has the wanted facts."""
    while True:
        update = updates.get(timeout=PATIENCE)
        if all(update[fact] == value for fact, value in wanted.items()):
            return update


def test_losing_frames_is_a_minor_alarm_of_the_state(shown: Shown) -> None:
    with shown.ca.watch(f"{PREFIX}State_RBV") as states:
        until(states, value=1, severity=0)
        shown.engine.put({"engine.losing": True})
        until(states, value=1, severity=MINOR)
        shown.engine.put({"engine.losing": False})
        until(states, value=1, severity=0)


def test_the_log_is_a_pv_and_its_warnings_another(shown: Shown) -> None:
    with shown.ca.watch(f"{PREFIX}LogWarnings_RBV") as warnings:
        shown.engine.put({"engine.state": "STOPPED"})
        shown.engine.put({"source.missing": 3})
        while not (text := warnings.get(timeout=PATIENCE)["value"]):
            pass
    assert text.rstrip().endswith(" warning source: 3 frames missing since the start")
    assert "STOPPED" not in text
    with shown.ca.watch(f"{PREFIX}Log_RBV") as lines:  # once a second
        while "3 frames missing" not in (both := lines.get(timeout=PATIENCE)["value"]):
            pass
    assert both.index("-> STOPPED") < both.index("3 frames missing")


def test_lines_of_the_log_are_chosen_by_level_and_text(shown: Shown) -> None:
    shown.engine.put({"source.missing": 0})
    shown.engine.put({"source.missing": 4})
    shown.engine.put({"source.duplicates": 2})
    shown.ca.do("put", f"{PREFIX}LogFilter", "level=warning text=4 Frames", True)
    lines = shown.ca.value(f"{PREFIX}LogChosen_RBV").splitlines()
    assert lines and all("4 frames missing" in line for line in lines)
    with shown.ca.watch(f"{PREFIX}LogChosen_RBV") as chosen:
        chosen.get(timeout=PATIENCE)
        time.sleep(LOSS_INTERVAL)  # one that comes sooner is said with the next event
        shown.engine.put({"source.missing": 14})
        text = chosen.get(timeout=PATIENCE)["value"]
    assert text.splitlines()[:-1] == lines and "14 frames missing" in text.splitlines()[-1]
    shown.ca.do("put", f"{PREFIX}LogFilter", "level=loud", True)
    assert "level=loud must be one of" in shown.ca.value(f"{PREFIX}CmdMsg_RBV")
    assert shown.ca.value(f"{PREFIX}LogFilter") == "level=warning text=4 Frames"


def test_a_time_can_be_read_as_one(shown: Shown) -> None:
    with shown.ca.watch(f"{PREFIX}LastErrorTimeText_RBV") as times:
        shown.engine.put({"engine.last_error_time": 1767225600.25})
        text = until(times, severity=0)["value"]
        while not text:
            text = times.get(timeout=PATIENCE)["value"]
    assert datetime.fromisoformat(text).timestamp() == 1767225600.25


def test_times_are_the_engines(shown: Shown) -> None:
    with shown.ca.watch(f"{PREFIX}Src:Resets_RBV") as updates:
        updates.get(timeout=PATIENCE)
        shown.engine.put({"source.resets": 5}, at=1_700_000_000.25)
        until(updates, value=5)
    assert shown.ca.do("get", f"{PREFIX}Src:Resets_RBV")["timestamp"] == 1_700_000_000.25


def test_counters_beyond_53_bits_are_exact_as_text(shown: Shown) -> None:
    with shown.ca.watch(f"{PREFIX}Src:ReceivedText_RBV") as texts:
        shown.engine.put({"source.received": 2**64 - 1})
        until(texts, value=str(2**64 - 1))
    assert shown.ca.value(f"{PREFIX}Src:Received_RBV") == 2.0**64


def test_levels_raise_alarms_and_none_is_invalid(shown: Shown) -> None:
    with shown.ca.watch(f"{PREFIX}Strm1:QueueUse_RBV") as updates:
        for value, severity in ((10.0, 0), (75.0, MINOR), (95.0, MAJOR), (10.0, 0)):
            shown.engine.put({"streams.1.queue_use": value})
            until(updates, value=value, severity=severity)
        shown.engine.put({"streams.1.queue_use": None})
        until(updates, severity=INVALID)


def test_text_longer_than_its_pv_is_cut_and_says_so(shown: Shown) -> None:
    with shown.ca.watch(f"{PREFIX}LastError_RBV") as updates:
        shown.engine.put({"engine.last_error": "x" * 5000})
        until(updates, value="x" * 1021 + "...")


def test_alarm_levels_reach_clients(shared_bench: Bench) -> None:
    facts = shared_bench.ca.do("info", f"{PREFIX}Strm1:QueueUse_RBV")
    assert (facts["upper_warning_limit"], facts["upper_alarm_limit"]) == (70, 90)
    assert math.isnan(facts["lower_warning_limit"])
    assert shared_bench.get("Strm1:QueueUse_RBV.HIHI") == 90


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("State_RBV.RTYP", "mbbi"),
        ("Start.RTYP", "bo"),
        ("Strm1:EveryNth.RTYP", "longout"),
        ("Wr1:RunId_RBV.RTYP", "waveform"),
        ("Src:Messages_RBV.EGU", "messages"),
        ("State_RBV.ONST", "RUNNING"),
        ("Strm8:EveryNth_RBV.SEVR", "INVALID"),
        ("Strm8:EveryNth_RBV.STAT", "UDF"),
        ("State_RBV.SEVR", "NO_ALARM"),
    ],
)
def test_records_have_their_fields(shared_bench: Bench, field: str, text: str) -> None:
    assert shared_bench.tool("caget", "-t", f"@{field}").strip() == text


def test_a_field_follows_its_record(bench: Bench) -> None:
    assert bench.get("State_RBV.SEVR") == "NO_ALARM"
    bench.plane.die()
    with bench.ca.watch(f"{PREFIX}State_RBV") as states:
        until(states, severity=MAJOR)
    assert bench.get("State_RBV.SEVR") == "MAJOR"


@pytest.mark.parametrize(
    ("pv", "title"),
    [
        ("Strm1:Burst_RBV", "Burst length"),
        ("Strm1:Burst", "Burst length"),
        ("Wr1:PreviousDroppedReasons_RBV", "Previous: frames dropped by reason"),
        ("Wr1:Start", "Start writing"),
        ("Wr1:StartArg", "Start writing: argument"),
    ],
)
def test_a_description_is_the_title(shared_bench: Bench, pv: str, title: str) -> None:
    assert shared_bench.get(f"{pv}.DESC") == title


def test_a_pv_that_is_not_there_is_not_found(shared_bench: Bench) -> None:
    assert "not found" in shared_bench.tool("caget", "-w", "0.5", "@NoSuchThing_RBV", "@State_RBV.NOFIELD")


def test_camonitor_shows_changes_as_they_come(bench: Bench) -> None:
    with subprocess.Popen(
        [str(TOOLS / "camonitor"), f"{PREFIX}State_RBV"],
        env=environment(bench.ioc.port),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # the command starts another, which is the tool
    ) as monitor:
        assert monitor.stdout is not None
        try:
            assert "INITIALIZED" in monitor.stdout.readline()
            bench.put("Start", 1)
            assert "RUNNING" in monitor.stdout.readline()
            bench.plane.die()
            assert "ERROR" in (last := monitor.stdout.readline())
            assert "MAJOR" in last
        finally:
            os.killpg(monitor.pid, signal.SIGKILL)


def test_many_updates_arrive_without_loss_while_requests_are_answered(shown: Shown) -> None:
    """2,000 a second: 200 values at 10 Hz, as an engine under load has them."""
    keys = [k for k, p in shown.engine.catalogue.parameters.items() if p.maximum == 2**64 - 1]
    with shown.ca.watch(f"{PREFIX}Src:Received_RBV") as updates:
        updates.get(timeout=PATIENCE)
        for n in range(1, 21):
            shown.engine.put(dict.fromkeys(keys, n))
            assert shown.ca.value(f"{PREFIX}State_RBV") == "RUNNING"
            time.sleep(0.1)
        assert [updates.get(timeout=PATIENCE)["value"] for _ in range(20)] == list(range(1, 21))
