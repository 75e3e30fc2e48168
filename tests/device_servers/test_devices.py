"""The devices as a DeviceProxy in another process sees them."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
import tango
from tango import AttrQuality, DevState

from tests.device_servers.conftest import ELSEWHERE, Bench
from tests.device_servers.serving import REPEATER, stream, until, writer
from tests.device_servers.watching import watching

LONGEST_LABEL = 60


def refused(act: Callable[[], object]) -> tango.DevError:
    """The error that a user sees first."""
    with pytest.raises(tango.DevFailed) as failed:
        act()
    return failed.value.args[0]


def test_a_write_reaches_the_engine_and_everybody_reads_it(bench: Bench) -> None:
    bench.writer.NumImages = 250
    bench.repeater.Stream1Policy = "send_every_nth"
    assert bench.service.read("writers.main.num_images").value == 250
    assert bench.service.read("streams.live.policy").value == "send_every_nth"
    assert bench.writer.NumImages == 250


def test_a_change_from_elsewhere_comes_as_an_event_and_moves_the_setpoint(bench: Bench) -> None:
    with watching(bench.repeater, "Stream2EveryNth") as watch:
        bench.elsewhere(streams__preview__every_nth=31)
        told = watch.next_value(31)
    assert told.w_value == 31
    assert bench.repeater.read_attribute("Stream2EveryNth").w_value == 31


def test_an_event_carries_the_engines_time(bench: Bench) -> None:
    with watching(bench.repeater, "Stream2EverySec") as watch:
        bench.elsewhere(streams__preview__every_sec=2.5)
        told = watch.next_value(2.5)
    assert told.time.totime() == pytest.approx(bench.service.read("streams.preview.every_sec").time, abs=1e-5)
    read = bench.repeater.read_attribute("Stream2EverySec")
    assert read.time.totime() == pytest.approx(told.time.totime(), abs=1e-5)


def test_a_time_can_be_read_as_one(bench: Bench) -> None:
    with watching(bench.writer, "StartTimeText") as watch:
        bench.writer.Arm()
        started = float(str(bench.service.read("writers.main.start_time").value))
        text = watch.next_where(lambda told: told.value).value
        bench.writer.Abort()
    assert datetime.fromisoformat(text).timestamp() == pytest.approx(started, abs=1e-3)
    assert bench.writer.StartTimeText == text


def test_how_bad_a_value_is_shows_in_its_quality(bench: Bench) -> None:
    bench.repeater.Start()
    bench.writer.Arm()
    with watching(bench.writer, "AcqResult") as watch:
        bench.plane.fail(1, "No space left on device")
        told = watch.next_where(lambda told: told.quality == AttrQuality.ATTR_ALARM)
    assert told.value == bench.writer.AcqResult
    assert bench.writer.read_attribute("AcqResult").quality == AttrQuality.ATTR_ALARM
    bench.repeater.Reset()


def test_a_write_is_told_to_the_other_subscribers(bench: Bench) -> None:
    other = tango.DeviceProxy(bench.trl(writer(1)))
    with watching(other, "FileName") as watch:
        bench.writer.FileName = "told"
        assert watch.next_value("told").w_value == "told"


def test_a_refused_write_says_why_and_changes_neither_value_nor_setpoint(bench: Bench) -> None:
    bench.writer.FileName = "good"
    error = refused(lambda: setattr(bench.writer, "FileName", "a/b"))
    assert error.reason == "Refused"
    assert "must be a name without a folder" in error.desc
    assert error.origin == f"{writer(1)}/FileName"
    after = bench.writer.read_attribute("FileName")
    assert (after.value, after.w_value) == ("good", "good")


def test_a_value_beyond_the_limits_is_refused_by_tango_itself(bench: Bench) -> None:
    error = refused(lambda: setattr(bench.repeater, "Stream1EveryNth", 0))
    assert error.reason == "API_WAttrOutsideLimit"
    assert bench.service.read("streams.live.every_nth").value != 0


def test_what_needs_an_idle_repeater_is_refused_while_it_runs(bench: Bench) -> None:
    bench.repeater.Start()
    error = refused(lambda: setattr(bench.repeater, "SourceIoThreads", 3))
    assert error.reason == "Refused"
    assert "RUNNING" in error.desc


def test_a_command_that_the_state_forbids_names_the_states_that_allow_it(bench: Bench) -> None:
    bench.repeater.Start()
    error = refused(bench.repeater.Initialize)
    assert (error.reason, error.origin) == ("Refused", f"{REPEATER}/Initialize")
    assert "not possible in RUNNING, only in INITIALIZED, ERROR, STOPPED" in error.desc
    assert bench.repeater.State() == DevState.RUNNING


def test_the_new_state_is_there_when_a_command_returns(bench: Bench) -> None:
    for _ in range(20):
        bench.repeater.Start()
        assert bench.repeater.State() == DevState.RUNNING
        assert bench.repeater.read_attribute("State").value == DevState.RUNNING
        bench.repeater.Stop()
        assert bench.repeater.State() == DevState.OFF


def test_state_and_status_are_pushed(bench: Bench) -> None:
    with watching(bench.repeater, "State") as state, watching(bench.repeater, "Status") as status:
        bench.service.execute("engine.start", None, ELSEWHERE)
        state.next_value(DevState.RUNNING)
        status.next_where(lambda told: told.value.startswith("Running"))
        bench.service.execute("engine.stop", None, ELSEWHERE)
        state.next_value(DevState.OFF)


def test_a_failed_acquisition_is_alarm_until_the_next_start(bench: Bench) -> None:
    bench.writer.NumImages = 5
    bench.writer.Start()
    bench.plane.fail(1, "No space left on device")
    with watching(bench.writer, "State") as watch:
        watch.next_value(DevState.ALARM)
    assert [bench.writer.State() for _ in range(5)] == [DevState.ALARM] * 5
    assert "No space left on device" in bench.writer.Status()
    bench.writer.Start()
    assert bench.writer.State() == DevState.RUNNING


def test_an_abort_is_no_alarm_and_says_what_became_of_it(bench: Bench) -> None:
    bench.writer.NumImages = 5
    bench.writer.Start()
    bench.writer.Abort()
    until(lambda: bench.writer.State() != DevState.RUNNING, "the end of the acquisition")
    assert bench.writer.State() == DevState.STANDBY
    assert "aborted" in bench.writer.Status()


def test_an_acquisition_runs_to_its_end(bench: Bench) -> None:
    bench.writer.NumImages = 5
    with watching(bench.writer, "State") as state, watching(bench.writer, "NumWritten") as written:
        bench.writer.Start()
        assert bench.writer.State() == DevState.RUNNING
        assert bench.repeater.State() == DevState.RUNNING
        state.next_value(DevState.RUNNING)
        bench.plane.receive(9)
        state.next_value(DevState.STANDBY)
        written.next_value(5)
    assert (bench.writer.NumWritten, bench.writer.AcqResult) == (5, 1)


def test_start_frames_shuts_the_gate_with_the_file_open(bench: Bench) -> None:
    bench.writer.NumImages = 10
    bench.writer.StartFrames(3)
    bench.plane.receive(8)
    until(lambda: bench.writer.NumWritten == 3 and bench.writer.Gate == 0, "the gate to shut")
    assert bench.writer.State() == DevState.RUNNING
    bench.writer.Stop()
    until(lambda: bench.writer.State() == DevState.STANDBY, "the file to be closed")


def test_configure_changes_all_or_nothing(bench: Bench) -> None:
    bench.repeater.Stream1EveryNth = 3
    streams = {"live": {"every_nth": 8}}
    wrong = json.dumps({"streams": streams, "source": {"io_threads": 99}})
    error = refused(lambda: bench.repeater.Configure(wrong))
    assert (error.reason, error.origin) == ("Refused", f"{REPEATER}/Configure")
    assert "source.io_threads" in error.desc
    assert bench.repeater.Stream1EveryNth == 3
    bench.repeater.Configure(json.dumps({"streams": streams, "source": {"io_threads": 4}}))
    assert (bench.repeater.Stream1EveryNth, bench.repeater.SourceIoThreads) == (8, 4)


def test_the_configuration_is_read_as_json_and_taken_back(bench: Bench) -> None:
    bench.writer.RunId = "kept"
    before = json.loads(bench.repeater.Config)
    assert before["writers"]["main"]["run_id"] == "kept"
    bench.writer.RunId = "other"
    bench.repeater.Configure(json.dumps(before))
    assert bench.writer.RunId == "kept"


def test_an_empty_slot_is_invalid_and_refuses_writes(bench: Bench) -> None:
    empty = tango.DeviceProxy(bench.trl(writer(2)))
    assert bench.repeater.read_attribute("Stream7EveryNth").quality == AttrQuality.ATTR_INVALID
    assert empty.read_attribute("NumImages").quality == AttrQuality.ATTR_INVALID
    assert empty.State() == DevState.UNKNOWN
    assert "no writer in slot 2" in empty.Status()
    assert "slot is empty" in refused(lambda: setattr(empty, "NumImages", 4)).desc


def test_a_stream_that_is_added_fills_its_slot_and_goes_again(bench: Bench) -> None:
    added = {"streams": {"third": {"address": "tcp://127.0.0.1:19612", "every_nth": 6}}}
    with watching(bench.repeater, "Stream3EveryNth") as watch:
        bench.repeater.Configure(json.dumps(added))
        watch.next_value(6)
    assert bench.repeater.Stream3Name == "third"


def test_counters_and_large_numbers_keep_every_digit(bench: Bench) -> None:
    assert bench.repeater.get_attribute_config("SourceReceived").data_type == tango.CmdArgType.DevULong64
    bench.repeater.Start()
    bench.plane.receive(2**53 + 1)
    until(lambda: bench.repeater.SourceReceived == 2**53 + 1, "the counter")
    assert bench.repeater.SourceReceivedBytes == bench.service.read("source.received_bytes").value


def test_latin_1_text_passes_and_an_error_is_readable(bench: Bench) -> None:
    bench.writer.RunId = "µm 100 %"
    assert bench.service.read("writers.main.run_id").value == "µm 100 %"
    assert bench.writer.RunId == "µm 100 %"
    bench.elsewhere(writers__main__run_id="λ=1")
    until(lambda: bench.writer.RunId == "\\u03bb=1", "the text from elsewhere")


def test_the_engine_is_told_who_asks(bench: Bench) -> None:
    bench.repeater.Initialize()
    assert str(bench.service.read("engine.last_command_by").value).startswith("tango pid ")
    assert str(bench.service.read("engine.last_command_by").value).endswith("@127.0.0.1")


def test_a_lock_of_somebody_else_keeps_tango_out_but_for_stop(bench: Bench) -> None:
    bench.service.execute("engine.lock", None, ELSEWHERE)
    assert "somebody@elsewhere" in refused(bench.repeater.Start).desc
    bench.repeater.Stop()
    bench.repeater.Unlock("force")
    bench.repeater.Start()


def test_init_touches_the_device_only(bench: Bench) -> None:
    bench.repeater.Start()
    with watching(bench.repeater, "Stream1EveryNth") as watch:
        bench.repeater.Init()
        bench.writer.Init()
        until(lambda: bench.repeater.State() == DevState.RUNNING, "the device after Init")
        assert bench.service.read("engine.state").value == "RUNNING"
        bench.elsewhere(streams__live__every_nth=77)
        watch.next_value(77)


@pytest.mark.parametrize(("end", "result"), [("stop", "interrupted"), ("abort", "aborted")])
def test_a_start_that_another_ended_early_has_its_own_result(bench: Bench, end: str, result: str) -> None:
    bench.writer.NumImages = 10
    bench.writer.Start()
    start = bench.writer.StartId
    bench.plane.receive(4)
    bench.service.execute(f"writers.main.{end}", None, ELSEWHERE).wait(20)
    until(lambda: bench.writer.State() != DevState.RUNNING, "the file to be closed")
    assert bench.writer.State() == DevState.STANDBY  # neither is an alarm of the device
    assert bench.writer.StartId == bench.writer.AcquisitionId == start != ""
    seen = bench.writer.read_attribute("StartResult")
    assert (bench.writer.StartResult.name, seen.quality == tango.AttrQuality.ATTR_WARNING) == (
        result,
        result == "interrupted",
    )
    if result == "interrupted":
        assert bench.writer.StartMessage.startswith("4 of 10 images")


def test_a_refused_start_does_not_show_the_result_of_the_run_before(bench: Bench) -> None:
    bench.writer.NumImages = 2
    bench.writer.Start()
    bench.plane.receive(2)
    until(lambda: bench.writer.StartResult.name == "completed", "the run before")
    bench.elsewhere(writers__1__enable=False)
    with pytest.raises(tango.DevFailed):
        bench.writer.Start()
    bench.elsewhere(writers__1__enable=True)
    assert (bench.writer.StartResult.name, bench.writer.StartId) == ("refused", "")


def test_a_start_names_its_acquisition_and_can_be_waited_for(bench: Bench) -> None:
    bench.writer.NumImages = 3
    started = bench.writer.Start()
    assert started == bench.writer.StartId == bench.writer.AcquisitionId != ""
    assert refused(lambda: bench.writer.WaitFinished(0.0)).reason == "NotFinished"
    waiter = tango.DeviceProxy(bench.trl(writer(1)))
    waiter.set_timeout_millis(30_000)
    with ThreadPoolExecutor() as pool:
        result = pool.submit(waiter.WaitFinished, 25.0)
        for _ in range(20):  # others are served meanwhile
            assert bench.writer.State() == DevState.RUNNING
        assert not result.done()
        bench.plane.receive(3)
        assert result.result(30) == "completed"
    assert bench.writer.WaitFinished(0.0) == "completed"


def test_the_log_is_read_and_filtered(bench: Bench) -> None:
    bench.writer.NumImages = 2
    started = bench.writer.Start()
    bench.plane.receive(2)
    assert bench.writer.WaitFinished(2.5) == "completed"
    lines: list[str] = []
    until(lambda: lines.extend(bench.repeater.ReadLog(f"acquisition={started}")) or lines, "the lines")
    assert all(f" writers.main [{started}]: " in line for line in lines)
    until(lambda: "FINISHED" in bench.repeater.ReadLog("subject=writers last=1")[0], "the end")
    assert len(bench.repeater.ReadLog("")) > len(bench.repeater.ReadLog("subject=engine last=1")) == 1
    assert "'loud' is none of level" in refused(lambda: bench.repeater.ReadLog("loud=1")).desc
    assert "must be one of info" in refused(lambda: bench.repeater.ReadLog("level=loud")).desc
    assert "a number from 1 on" in refused(lambda: bench.repeater.ReadLog("last=none")).desc


def test_a_wait_ends_with_the_device_and_has_limits(bench: Bench) -> None:
    assert "must be 0 to 3600" in refused(lambda: bench.writer.WaitFinished(-1.0)).desc
    bench.writer.NumImages = 3
    bench.writer.Start()
    waiter = tango.DeviceProxy(bench.trl(writer(1)))
    waiter.set_timeout_millis(60_000)
    with ThreadPoolExecutor() as pool:
        result = pool.submit(refused, lambda: waiter.WaitFinished(50.0))

        def ended() -> bool:
            bench.writer.Init()
            return result.done()

        until(ended, "an end of waiting")
        assert result.result().reason == "NotFinished"


def test_the_origin_of_a_refusal_is_the_command_that_was_called(bench: Bench) -> None:
    bench.elsewhere(writers__1__enable=False)
    error = refused(lambda: bench.writer.StartFrames(3))
    bench.elsewhere(writers__1__enable=True)
    assert error.origin == f"{writer(1)}/StartFrames"


def test_lists_show_every_slot_of_the_streams_in_its_place(bench: Bench) -> None:
    names = list(bench.repeater.StreamNames)
    slots = range(1, len(names) + 1)
    assert names[:2] == ["live", "preview"]
    assert names == [bench.repeater.read_attribute(f"Stream{slot}Name").value or "" for slot in slots]
    rates = bench.repeater.StreamRates
    assert [math.isnan(rate) for rate in rates] == [not name for name in names]
    with watching(bench.repeater, "StreamSent") as watch:
        bench.repeater.Start()
        bench.plane.receive(40)
        until(lambda: bench.repeater.Stream1Sent > 0, "frames that were sent")
        total = bench.repeater.Stream1Sent
        told = watch.next_where(lambda told: told.value[0] == total)
    assert {int(sent) for sent, name in zip(told.value, names, strict=True) if not name} == {0}
    assert list(bench.repeater.StreamDropped) == [
        bench.repeater.read_attribute(f"Stream{slot}Dropped").value or 0 for slot in slots
    ]


@pytest.mark.parametrize("name", [REPEATER, writer(1), stream(1)])
def test_no_two_attributes_of_a_device_have_the_same_label(bench: Bench, name: str) -> None:
    proxy = tango.DeviceProxy(bench.trl(name))
    told = proxy.get_attribute_config([str(attribute) for attribute in proxy.get_attribute_list()])
    named = Counter(one.label.casefold() for one in told)
    assert [text for text, times in named.items() if times > 1] == []
    assert [one.label for one in told if not 0 < len(one.label) <= LONGEST_LABEL] == []
