"""Parameters and commands over PV Access: p4p's client, and the tools of EPICS base."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from p4p.client.thread import Context, RemoteError

from repstream.link.server import EngineServer
from repstream.parameters.catalogue import build
from repstream.parameters.facts import Kind
from repstream.protocol import Requester
from repstream.service.service import Service
from repstream_epics import names
from repstream_epics.access import WriteAccess
from repstream_epics.pva.server import PvaServer
from tests.fakes import FakePlane, running_service
from tests.ioc.board_engine import BoardEngine
from tests.ioc.clients import TOOLS, running_tool
from tests.ioc.pva_client import PREFIX, client, serving
from tests.ioc.test_server import console
from tests.ports import free_port
from tests.waiting import until

ME = Requester("test")
NONE, MINOR, MAJOR, INVALID = range(4)


@dataclass
class Bench:
    service: Service
    plane: FakePlane
    server: PvaServer
    pva: Context

    def get(self, name: str) -> Any:
        return self.pva.get(PREFIX + name, timeout=20)

    def put(self, name: str, value: Any) -> None:
        self.pva.put(PREFIX + name, value, timeout=20, wait=True)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with (
        running_service(tmp_path_factory.mktemp("pva")) as (service, plane),
        serving({"test": service}) as server,
        client(server) as pva,
    ):
        yield Bench(service, plane, server, pva)


def environment(bench: Bench) -> dict[str, str]:
    """Of a client that searches for PVs on this host only."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("EPICS_")},
        "EPICS_PVA_ADDR_LIST": "127.0.0.1",
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVA_BROADCAST_PORT": str(bench.server.search_port),
    }


def tool(bench: Bench, name: str, *arguments: str) -> str:
    """What a tool of EPICS base says; ``@`` stands for the prefix."""
    command = [str(TOOLS / name), "-w", "20", *(a.replace("@", PREFIX) for a in arguments)]
    done = subprocess.run(
        command, env=environment(bench), capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def test_every_parameter_has_the_value_that_the_engine_holds(bench: Bench) -> None:
    parameters = list(bench.service.catalogue.parameters.values())
    pvs = [PREFIX + names.readback(p) for p in parameters]
    until(lambda: bench.service.read("writers.1.free_space").value is not None, "the folder")
    before = bench.service.snapshot().values
    seen = bench.pva.get(pvs, timeout=60)
    after = bench.service.snapshot().values
    for parameter, got in zip(parameters, seen, strict=True):
        value = before[parameter.key]
        if value != after[parameter.key]:
            continue  # it moves by itself
        if value is None:
            assert got.severity == INVALID, parameter.key
        else:
            shown = str(got) if parameter.kind is Kind.CHOICE else got
            assert shown == value, parameter.key


def test_limits_units_and_levels_are_those_declared(bench: Bench) -> None:
    every = bench.service.catalogue.parameters["streams.1.every_nth"]
    raw = bench.get("Strm1:EveryNth").raw
    assert (raw.display.limitLow, raw.display.limitHigh) == (every.minimum, every.maximum)
    assert (raw.control.limitLow, raw.display.units) == (every.minimum, every.unit)
    assert raw.display.description == every.title
    use = bench.get("Strm1:QueueUse_RBV").raw.valueAlarm
    assert (use.active, use.highWarningLimit, use.highAlarmLimit) == (True, 70, 90)
    assert (use.highWarningSeverity, use.highAlarmSeverity, use.lowAlarmSeverity) == (MINOR, MAJOR, NONE)
    assert bench.get("Src:ImageType_RBV").raw.value.choices[0] == "any"


def test_a_write_is_in_force_when_its_put_completes(bench: Bench) -> None:
    for number in (3, 4, 5):
        bench.put("Strm1:EveryNth", number)
        assert bench.service.read("streams.1.every_nth").value == number
        assert bench.get("Strm1:EveryNth_RBV") == bench.get("Strm1:EveryNth") == number
    bench.put("Wr1:FileName", "mü")  # PV Access carries what Channel Access cannot
    assert bench.get("Wr1:FileName_RBV") == "mü"
    bench.put("Wr1:FileName", "file")
    policy = str(bench.get("Strm1:Policy_RBV"))
    bench.put("Strm1:Policy", "send_every_nth")
    assert str(bench.get("Strm1:Policy_RBV")) == "send_every_nth"
    bench.put("Strm1:Policy", policy)


def test_a_refused_put_says_why_and_changes_nothing(bench: Bench) -> None:
    before = bench.get("Strm1:EveryNth_RBV")
    with pytest.raises(RemoteError, match=r"every_nth.*from 1 to"):
        bench.put("Strm1:EveryNth", 0)
    with pytest.raises(RemoteError, match="read-only"):
        bench.put("Strm1:EveryNth_RBV", 3)
    assert bench.get("Strm1:EveryNth_RBV") == before == bench.get("Strm1:EveryNth")


def test_a_change_from_elsewhere_is_announced_with_its_time(bench: Bench) -> None:
    updates: Queue[Any] = Queue()
    with bench.pva.monitor(PREFIX + "Strm1:EveryNth_RBV", updates.put):
        updates.get(timeout=20)
        bench.service.write({"streams.1.every_nth": 17}, ME)
        new = updates.get(timeout=20)
    assert new == 17
    assert new.timestamp == pytest.approx(bench.service.read("streams.1.every_nth").time, abs=1e-6)


def test_the_log_is_a_table_and_answers_calls(bench: Bench) -> None:
    tables: Queue[Any] = Queue()
    with bench.pva.monitor(PREFIX + "Log", tables.put):
        tables.get(timeout=20)
        bench.service.write({"streams.1.every_nth": 23}, ME)
        log = tables.get(timeout=20).value
    assert [*log.keys()] == ["time", "level", "subject", "acquisition", "text"]
    assert log.level[-1] == "info" and "23" in log.text[-1] and log.time[-1] > 1.7e9
    assert log.text[-1] in tool(bench, "pvcall", "@Log", "last=1")
    assert "must be one of info, warning, error" in tool(bench, "pvcall", "@Log", "level=loud")
    assert log.text[-1] not in tool(bench, "pvcall", "@Log", "last=1", "text=no such line")


def test_a_command_completes_when_it_has_ended(bench: Bench) -> None:
    bench.put("Wr1:NumImages", 5)
    ended = threading.Event()
    results: list[Any] = []

    def start() -> None:
        try:
            bench.put("Wr1:Start", "On")
            results.append(str(bench.get("Wr1:AcqState_RBV")))
        except Exception as error:
            results.append(error)
        ended.set()

    thread = threading.Thread(target=start)
    thread.start()
    until(lambda: bench.service.read("writers.1.state").value == "WRITING", "the writer")
    until(lambda: str(bench.get("Wr1:Start")) == "On", "the button")
    assert not ended.is_set()
    bench.put("Wr1:Stop", 1)
    thread.join(30)
    assert isinstance(results[0], RemoteError), results
    assert "5" in str(results[0]) or "interrupted" in str(results[0]).lower()
    assert str(bench.get("Wr1:Start")) == "Off"
    bench.put("Stop", 1)
    assert str(bench.get("State_RBV")) == "STOPPED"


def test_a_refused_command_says_why(bench: Bench) -> None:
    bench.put("LoadConfigArg", "/nowhere/at/all.json")
    assert bench.get("LoadConfigArg") == "/nowhere/at/all.json"
    with pytest.raises(RemoteError, match=r"/nowhere/at/all\.json"):
        bench.put("LoadConfig", 1)


def test_streams_are_a_table_and_follow(bench: Bench) -> None:
    # A context of its own: after a table p4p's takes values of other types apart no more.
    with client(bench.server) as pva:
        _check_tables(bench, pva)


def _check_tables(bench: Bench, pva: Context) -> None:
    columns = pva.get(PREFIX + "Streams", timeout=20).value
    there = [bench.service.read(f"streams.{slot}.name").value for slot in range(1, 9)]
    assert list(columns.name) == [name for name in there if name is not None]
    assert columns.address[0] == bench.service.read("streams.1.address").value
    tables: Queue[Any] = Queue()
    with pva.monitor(PREFIX + "Streams", tables.put):
        bench.service.write({"streams.1.every_nth": 29}, ME)
        until(lambda: tables.get(timeout=20).value.every_nth[0] == 29, "the table")
    assert list(pva.get(PREFIX + "Writers", timeout=20).value.name) == ["main"]


def test_tools_of_epics_base_read_write_and_watch(bench: Bench) -> None:
    assert str(bench.get("State_RBV")) in tool(bench, "pvget", "@State_RBV")
    assert "epics:nt/NTEnum:1.0" in tool(bench, "pvinfo", "@State_RBV")
    assert "address" in tool(bench, "pvget", "@Streams")
    tool(bench, "pvput", "@Strm1:EveryNth", "31")
    assert bench.service.read("streams.1.every_nth").value == 31
    assert "from 1 to" in tool(bench, "pvput", "@Strm1:EveryNth", "0")
    with monitoring(bench, "Strm1:EveryNth_RBV", " 31 ") as lines:
        bench.service.write({"streams.1.every_nth": 37}, ME)
        assert any(" 37 " in line for line in lines)


@contextmanager
def monitoring(bench: Bench, name: str, value: str) -> Iterator[Iterator[str]]:
    """The lines of pvmonitor behind the first one, which has this value.

    It answers an event that comes before its own constructor has ended with "bad_weak_ptr", and is deaf from
    then on, or ends: with a server as near as this one that happens, and it is started again.
    """
    for _ in range(20):
        with running_tool(environment(bench), "pvmonitor", PREFIX + name, stdout=subprocess.PIPE) as tool:
            lines = iter(tool.stdout or ())
            first = next((line for line in lines if value in line or "bad_weak_ptr" in line), "")
            if value in first:
                yield lines
                return
    raise AssertionError(f"pvmonitor did not show {value}")


def test_who_may_not_write_is_told_so(tmp_path: Path) -> None:
    with (
        running_service(tmp_path) as (service, _),
        serving({"test": service}, access=WriteAccess.of(["nobody-here"])) as server,
        client(server) as pva,
    ):
        with pytest.raises(RemoteError, match="may not write"):
            pva.put(PREFIX + "Strm1:EveryNth", 3, timeout=20)
        assert pva.get(PREFIX + "Strm1:EveryNth_RBV", timeout=20) != 3


def test_the_ioc_serves_both_protocols_until_sigterm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPICS_PVAS_BROADCAST_PORT", str(free_port()))
    with running_service(tmp_path) as (service, _):
        engine = EngineServer(service, "tcp://127.0.0.1:*")
        engine.start()
        try:
            options = ("--port", "0", "--pva", "--pva-port", "0", "--prefix", PREFIX)
            with console(engine.address, *options) as process:
                said = next(line for line in process.stdout or () if "over PV Access" in line)
                with client(int(said.rpartition(":")[2])) as pva:
                    assert str(pva.get(f"{PREFIX}State_RBV", timeout=20)) == "INITIALIZED"
                    pva.put(f"{PREFIX}Start", 1, timeout=20, wait=True)
                assert service.read("engine.state").value == "RUNNING"
                process.send_signal(signal.SIGTERM)
                assert process.wait(30) == 0
        finally:
            engine.close()


def test_two_engines_need_their_names_in_the_prefix(tmp_path: Path) -> None:
    board = BoardEngine(build())
    with pytest.raises(ValueError, match="ENGINE"):
        PvaServer({"a": board, "b": board}, "T:")
    assert "T:a:State_RBV" in PvaServer({"a": board, "b": board}, "T:$(ENGINE):").names
