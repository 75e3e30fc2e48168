"""Put completion: exactly once, on every path, after everything that belongs to it has been published."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest

from repstream.link.remote import RemoteEngine
from repstream.link.server import EngineServer
from repstream.protocol import Requester
from repstream_epics.server import IocServer
from tests.fakes import running_service
from tests.ioc.clients import Pyepics
from tests.ioc.conftest import PREFIX, Bench

MINOR, MAJOR, INVALID = 1, 2, 3
PATIENCE = 30.0


def acquiring(bench: Bench, images: int) -> Queue[dict[str, Any]]:
    """Start an acquisition; the queue gets the put's answer."""
    bench.put("Wr1:NumImages", images)
    with bench.ca.watch(f"{PREFIX}Wr1:Start") as button:
        answer = bench.press("Wr1:Start")
        while button.get(timeout=PATIENCE)["value"] != 1:
            pass
    return answer


def answered_once(answer: Queue[dict[str, Any]]) -> bool:
    taken = answer.get(timeout=PATIENCE)["result"]
    with pytest.raises(Empty):
        answer.get(timeout=0.3)
    return bool(taken)


def test_start_completes_when_the_repeater_runs(bench: Bench) -> None:
    bench.put("Start", 1)
    assert bench.get("State_RBV") == "RUNNING"
    assert bench.get("CmdStatus_RBV") == "OK"
    assert bench.get("Start") == "Off"


def test_a_writers_start_completes_when_the_file_is_closed(bench: Bench) -> None:
    answer = acquiring(bench, images=10)
    assert answer.empty()
    assert bench.get("CmdStatus_RBV") == "BUSY"
    assert bench.get("Wr1:State_RBV") == "WRITING"
    assert bench.get("Wr1:AcquisitionId_RBV")
    bench.plane.receive(10)
    assert answered_once(answer)
    assert bench.get("Wr1:Start") == "Off"
    assert bench.get("Wr1:AcqState_RBV") == "FINISHED"
    assert bench.get("Wr1:NumWritten_RBV") == 10
    assert bench.get("CmdStatus_RBV") == "OK"


def test_another_client_can_stop_what_a_put_waits_for(bench: Bench) -> None:
    answer = acquiring(bench, images=0)
    assert "ERROR" not in bench.tool("caput", "-c", "-w", "20", "@Wr1:Stop", "1")
    assert answered_once(answer)
    assert bench.get("Wr1:AcqResult_RBV") == "interrupted"
    assert bench.get("Wr1:Start") == "Off"


def test_the_same_client_can_stop_what_its_own_put_waits_for(bench: Bench) -> None:
    answer = acquiring(bench, images=0)
    bench.put("Wr1:Stop", 1)
    assert answered_once(answer)


ENDS = {"stop": ("Wr1:Stop", "interrupted"), "abort": ("Wr1:Abort", "aborted")}


@pytest.mark.parametrize("end", ENDS)
def test_a_start_that_another_client_ended_early_fails_for_who_looks(bench: Bench, end: str) -> None:
    _, result = ENDS[end]
    bench.put("Wr1:NumImages", 10)
    with ThreadPoolExecutor(1) as pool, bench.ca.watch(f"{PREFIX}Wr1:Gate_RBV") as gate:
        waiting = pool.submit(bench.tool, "caput", "-c", "-w", "30", "@Wr1:Start", "1")
        while gate.get(timeout=PATIENCE)["value"] != 1:
            pass
        bench.plane.receive(4)
        bench.service.execute(f"writers.main.{end}", None, Requester("test")).wait(PATIENCE)
        assert "request failed" in waiting.result()
    assert bench.get("CmdStatus_RBV") == result.upper()
    assert bench.get("Wr1:StartResult_RBV") == result
    assert bench.get("Wr1:StartId_RBV") == bench.get("Wr1:AcquisitionId_RBV") != ""
    if end == "stop":
        assert bench.get("Wr1:StartMessage_RBV").startswith("4 of 10 images")
        assert bench.get("Wr1:WriteStatus_RBV") == "ERROR"
        assert bench.get("Wr1:WriteMsg_RBV").startswith("4 of 10 images")
        assert bench.alarm("Wr1:StartResult_RBV")[1] == MINOR
    else:
        shown = (
            "CmdStatus_RBV",
            "CmdMsg_RBV",
            "Wr1:StartResult_RBV",
            "Wr1:AcqState_RBV",
            "Wr1:AcqResult_RBV",
        )
        assert [bench.alarm(pv)[1] for pv in shown] == [0] * len(shown)
        assert bench.get("Wr1:WriteStatus_RBV") == "OK"


def test_a_refused_start_does_not_show_the_result_of_the_run_before(bench: Bench) -> None:
    answer = acquiring(bench, images=2)
    bench.plane.receive(2)
    assert answered_once(answer)
    assert bench.get("Wr1:StartResult_RBV") == "completed"
    bench.put("Wr1:Enable", 0)
    bench.put("Wr1:Start", 1)
    assert bench.get("Wr1:AcqState_RBV") == "FINISHED"
    assert (bench.get("Wr1:StartResult_RBV"), bench.get("Wr1:StartId_RBV")) == ("refused", "")
    assert bench.alarm("Wr1:StartResult_RBV")[1] == MINOR


def test_a_failed_acquisition_completes_and_says_why(bench: Bench) -> None:
    answer = acquiring(bench, images=10)
    bench.plane.fail(1, "No space left on device")
    assert answered_once(answer)
    assert bench.get("CmdStatus_RBV") == "FAILED"
    assert bench.get("Wr1:WriteStatus_RBV") == "ERROR"
    assert "No space left" in bench.get("Wr1:WriteMsg_RBV")
    assert bench.alarm("Wr1:AcqResult_RBV")[1] == MAJOR


def test_the_death_of_the_data_plane_completes(bench: Bench) -> None:
    answer = acquiring(bench, images=10)
    bench.plane.die("killed by SIGKILL")
    assert answered_once(answer)
    assert bench.get("CmdStatus_RBV") == "FAILED"
    assert bench.get("State_RBV") == "ERROR"
    assert bench.alarm("State_RBV")[1] == MAJOR
    assert "SIGKILL" in bench.get("LastError_RBV")
    bench.put("Initialize", 1)
    bench.put("Start", 1)
    assert bench.get("State_RBV") == "RUNNING"


def test_a_lost_engine_completes_shows_unknown_and_is_found_again(tmp_path: Path) -> None:
    with running_service(tmp_path) as (service, plane):
        server = EngineServer(service, "tcp://127.0.0.1:*")
        server.start()
        remote = RemoteEngine(server.address, front_end="epics")
        try:
            remote.wait_connected(PATIENCE)
            with IocServer({"test": remote}, PREFIX, port=0) as ioc, Pyepics(ioc.port) as ca:
                bench = Bench(service, plane, ioc, ca)
                answer = acquiring(bench, images=10)
                server.close()
                assert answered_once(answer)
                assert bench.get("CmdStatus_RBV") == "FAILED"
                assert bench.get("State_RBV") == "UNKNOWN"
                assert bench.alarm("State_RBV")[1] == INVALID
                assert bench.alarm("Wr1:NumWritten_RBV")[1] == INVALID
                bench.put("Strm1:EveryNth", 3)
                assert bench.get("CmdStatus_RBV") == "TIMEOUT"
                bench.put("Stop", 1)
                assert bench.get("CmdStatus_RBV") == "TIMEOUT"
                with ca.watch(f"{PREFIX}State_RBV") as states:
                    server = EngineServer(service, server.address)
                    server.start()
                    while states.get(timeout=PATIENCE)["value"] != 1:
                        pass
                assert bench.alarm("State_RBV")[1] == 0
                bench.put("Strm1:EveryNth", 3)
                assert bench.get("Strm1:EveryNth_RBV") == 3
        finally:
            remote.close()
            server.close()


def test_fifty_times_the_state_is_right_at_the_very_moment_of_completion(bench: Bench) -> None:
    watched = [f"{PREFIX}{pv}" for pv in ("State_RBV", "AllowedCommands_RBV")]
    for n in range(50):
        command, state = (("Start", "RUNNING"), ("Stop", "STOPPED"))[n % 2]
        seen = bench.ca.do("cached_after_put", f"{PREFIX}{command}", 1, watched)
        assert seen[0] == state
        assert ("start" in seen[1].split()) is (state == "STOPPED")


def test_a_refused_command_completes_at_once_and_changes_nothing(bench: Bench) -> None:
    bench.put("Wr1:Enable", 0)
    said = bench.tool("caput", "-c", "-w", "20", "@Wr1:Start", "1")
    assert bench.get("CmdStatus_RBV") == "REJECTED"
    assert bench.get("Wr1:Start") == "Off"
    assert bench.get("State_RBV") == "INITIALIZED"
    assert bench.get("CmdMsg_RBV") == bench.get("Wr1:WriteMsg_RBV")
    assert "request failed" in said


def test_a_second_start_is_refused_while_the_first_goes_on(bench: Bench) -> None:
    answer = acquiring(bench, images=10)
    bench.tool("caput", "-c", "@Wr1:Start", "1")
    assert bench.get("CmdStatus_RBV") == "REJECTED"
    assert bench.get("Wr1:Start") == "On"
    bench.put("Strm1:EveryNth", 2)
    assert bench.get("CmdStatus_RBV") == "BUSY"
    bench.plane.receive(10)
    assert answered_once(answer)
    assert bench.get("CmdStatus_RBV") == "OK"


def test_writing_off_to_a_command_does_nothing(bench: Bench) -> None:
    bench.put("Start", 0)
    assert bench.get("State_RBV") == "INITIALIZED"
    assert bench.get("CmdStatus_RBV") == "IDLE"


def test_an_argument_is_given_once(bench: Bench) -> None:
    bench.put("Wr1:NumImages", 0)
    bench.put("Wr1:StartArg", 4)
    answer = bench.press("Wr1:Start")
    with bench.ca.watch(f"{PREFIX}Wr1:Gate_RBV") as gate:
        while gate.get(timeout=PATIENCE)["value"] != 1:
            pass
        bench.plane.receive(10)
        while gate.get(timeout=PATIENCE)["value"] != 0:
            pass
    assert bench.get("Wr1:NumWritten_RBV") == 4
    assert bench.get("Wr1:StartArg") == 0
    bench.put("Wr1:Stop", 1)
    answer.get(timeout=PATIENCE)


def test_configure_takes_json_of_any_length(bench: Bench) -> None:
    text = '{"streams": {"live": {"every_nth": 12}}}' + " " * 5000
    bench.put("ConfigureArg", text)
    bench.put("Configure", 1)
    assert bench.get("CmdStatus_RBV") == "OK", bench.get("CmdMsg_RBV")
    assert bench.get("Strm1:EveryNth_RBV") == 12
    assert not bench.get("ConfigureArg")


def test_a_needed_argument_that_is_missing_is_refused(bench: Bench) -> None:
    bench.put("Configure", 1)
    assert bench.get("CmdStatus_RBV") == "REJECTED"


def test_an_acquisition_that_fails_for_somebody_else_shows_at_the_writer(bench: Bench) -> None:
    handle = bench.service.execute("writers.1.start", None, Requester("test"))
    with bench.ca.watch(f"{PREFIX}Wr1:WriteStatus_RBV") as status:
        bench.plane.fail(1, "Permission denied")
        assert not handle.wait(PATIENCE).ok
        while status.get(timeout=PATIENCE)["value"] != 1:
            pass
    assert "Permission denied" in bench.get("Wr1:WriteMsg_RBV")
    assert bench.get("CmdStatus_RBV") == "IDLE"


def test_a_client_that_goes_away_does_not_stop_what_it_started(bench: Bench) -> None:
    with Pyepics(bench.ioc.port) as other, bench.ca.watch(f"{PREFIX}Wr1:Start") as button:
        other.ask("put", f"{PREFIX}Wr1:Start", 1)
        while button.get(timeout=PATIENCE)["value"] != 1:
            pass
    assert bench.get("Wr1:State_RBV") == "WRITING"
    with bench.ca.watch(f"{PREFIX}Wr1:Start") as button:
        bench.put("Wr1:Stop", 1)
        while button.get(timeout=PATIENCE)["value"] != 0:
            pass
    assert bench.get("Wr1:AcqState_RBV") == "FINISHED"
