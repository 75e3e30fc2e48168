"""The main job, end to end, driven from each control system, and what may go wrong with it."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from repstream.parameters.writer_status import CALLS
from repstream.protocol import Requester
from tests.conformance.client import Rejected
from tests.conformance.epics_client import EpicsClient
from tests.conformance.tango_client import TangoClient
from tests.integration.rig import SERVING, Rig, assert_holds, running_rig, until
from tests.sockets import keeping_context

ME = Requester("test")
front_ends = pytest.mark.parametrize("front_end", SERVING)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_rig(tmp_path) as rig:
        yield rig


def start(rig: Rig) -> None:
    rig.service.execute("engine.start", None, ME).wait(10)


def send_when_open(rig: Rig, frame_ids: range) -> None:
    until(lambda: rig.value("writers.1.gate") == "open", "the gate to open")
    rig.detector.send(frame_ids)


def until_begun(rig: Rig) -> None:
    """Wait for a new data plane: what a busy machine needs to start Python is in nobody's time-out."""
    name = Path(f"/proc/{rig.value('engine.process_id')}/comm")
    until(lambda: name.read_text() == "repstream-data\n", "the data plane to begin")


@front_ends
def test_an_acquisition_from_each_control_system(rig: Rig, front_end: str) -> None:
    client = rig.client(front_end)
    consumer = rig.consumer("all", zmq.PULL)
    client.write("writers.1.output_file", f"{rig.folder}/{front_end}.h5")
    client.write("writers.1.num_images", 60)
    client.execute("writers.1.arm")
    sender = threading.Thread(target=send_when_open, args=(rig, range(100, 190)))
    sender.start()
    client.execute("writers.1.start")
    assert client.read("writers.1.acq_state") == "FINISHED"
    assert client.read("writers.1.num_written") == 60
    assert_holds(rig.folder / f"{front_end}.h5", range(100, 160))
    sender.join()
    until(lambda: rig.value("source.received") == 90, "all frames to be received")
    client.execute("engine.stop")
    until(lambda: len(consumer.ids) == 90, "all frames to be repeated")
    assert consumer.ids == list(range(100, 190))
    until(lambda: rig.value("engine.draining") == 0, "the streams to drain")
    until(lambda: rig.value("streams.1.sent") == 90, "the last counts")
    assert [rig.value(f"streams.{slot}.sent") for slot in (2, 3)] == [18, 9]
    until(lambda: rig.value("writers.1.close_duration"), "the durations of the calls")
    calls = {call: json.loads(str(client.read(f"writers.1.{call}_duration"))) for call in CALLS}
    assert (calls["create"]["count"], calls["close"]["count"]) == (1, 1)
    assert all(call["le"]["+Inf"] == call["count"] > 0 < call["sum"] for call in calls.values())


@front_ends
def test_a_start_that_cannot_bind_is_refused(rig: Rig, front_end: str) -> None:
    client = rig.client(front_end)
    with keeping_context() as context, context.socket(zmq.PUSH) as squatter:
        squatter.bind(f"tcp://127.0.0.1:{rig.ports['fifth']}")
        with pytest.raises(Rejected, match=r"fifth.*Address already in use"):
            client.execute("engine.start")
        assert rig.value("engine.state") == "INITIALIZED"
        squatter.unbind(f"tcp://127.0.0.1:{rig.ports['fifth']}")
    client.execute("engine.start")
    assert rig.value("engine.state") == "RUNNING"


@front_ends
def test_a_killed_data_plane_is_told_and_mended(rig: Rig, front_end: str) -> None:
    client = rig.client(front_end)
    client.write("writers.1.output_file", f"{rig.folder}/killed.h5")
    client.execute("writers.1.arm")
    rig.service.execute("writers.main.start", None, ME)
    rig.detector.send(range(30))
    until(lambda: rig.value("writers.1.num_written") == 30, "30 images on the disk")
    os.kill(int(str(rig.value("engine.process_id"))), signal.SIGKILL)
    until(lambda: client.read("engine.state") == "ERROR", "the error to be shown")
    until(lambda: "SIGKILL" in str(client.read("engine.last_error")), "the reason")
    assert_holds(rig.folder / "killed.h5", range(30))
    with pytest.raises(Rejected, match="ERROR"):
        client.execute("engine.start")
    client.execute("engine.initialize")
    until_begun(rig)
    client.write("writers.1.output_file", f"{rig.folder}/after.h5")
    client.write("writers.1.num_images", 5)
    client.execute("writers.1.arm")
    handle = rig.service.execute("writers.main.start", None, ME)
    rig.detector.send(range(50, 55))
    assert handle.wait(20).ok
    assert_holds(rig.folder / "after.h5", range(50, 55))


def test_garbage_is_counted_and_stops_nothing(rig: Rig) -> None:
    start(rig)
    consumer = rig.consumer("all", zmq.PULL)
    rig.detector.send(range(5))
    rig.detector.send_parts([b"garbage"])
    rig.detector.send_parts([b'{"htype": "array-1.0"}', b"x"])
    rig.detector.send(range(5, 10))
    until(lambda: rig.value("source.messages") == 12, "all messages")
    until(lambda: rig.value("source.malformed") == 2, "what cannot be read")
    assert str(rig.value("source.malformed_reasons")).startswith("field 1, json 1")
    until(lambda: consumer.ids == list(range(10)), "all good frames to be repeated")


def test_losing_frames_shows_while_it_lasts(rig: Rig) -> None:
    tango, epics = rig.client("tango"), rig.client("epics")
    assert isinstance(tango, TangoClient)
    assert isinstance(epics, EpicsClient)
    repeater = tango.repeater
    start(rig)
    rig.detector.send(range(3))
    until(lambda: rig.value("source.received") == 3, "the first frames")
    assert tango.read("engine.losing") is False
    assert str(repeater.state()) == "RUNNING"
    assert epics.severity("engine.state") == 0
    rig.detector.send(range(7, 9))
    until(lambda: tango.read("engine.losing") is True, "Tango to show it")
    until(lambda: str(repeater.state()) == "ALARM", "the device to be in ALARM")
    until(lambda: epics.severity("engine.state") == 1, "EPICS to show it, as MINOR")
    until(lambda: rig.value("source.missing") == 4, "the number")
    until(lambda: "losing frames" in str(rig.value("engine.status")), "the sentence")


def test_a_restarted_numbering_is_written_in_the_next_file(rig: Rig) -> None:
    for name in ("one", "two"):
        rig.service.write(
            {"writers.main.output_file": f"{rig.folder}/{name}.h5", "writers.main.num_images": 20}, ME
        )
        rig.service.execute("writers.main.arm", None, ME).wait(10)
        handle = rig.service.execute("writers.main.start", None, ME)
        rig.detector.send(range(20))
        assert handle.wait(20).ok
        assert_holds(rig.folder / f"{name}.h5", range(20))


def test_what_is_told_of_a_file_stays_after_the_next_start(rig: Rig) -> None:
    def told() -> dict[str, object]:
        fields = ("acq_state", "full_file_name", "num_written", "progress", "file_size")
        return {field: rig.value(f"writers.main.{field}") for field in fields}

    rig.service.write({"writers.main.output_file": f"{rig.folder}/one.h5", "writers.main.num_images": 20}, ME)
    rig.service.execute("writers.main.arm", None, ME).wait(10)
    handle = rig.service.execute("writers.main.start", None, ME)
    rig.detector.send(range(20))
    assert handle.wait(20).ok
    before = told()
    assert before["num_written"] == 20
    assert rig.service.execute("engine.stop", None, ME).wait(20).ok
    start(rig)
    rig.detector.send(range(20, 25))
    until(lambda: rig.value("writers.main.skipped_reasons") == "idle 5", "frames without an acquisition")
    assert rig.value("writers.main.sent") == 0
    assert told() == before


def test_two_writers_each_with_their_own_policy(rig: Rig) -> None:
    other = {"folder": str(rig.folder), "file_name": "tenth", "policy": "send_every_nth", "every_nth": 10}
    rig.service.execute("engine.configure", json.dumps({"writers": {"previews": other}}), ME)
    rig.service.write({"writers.main.output_file": f"{rig.folder}/all.h5"}, ME)
    for writer in ("main", "previews"):
        rig.service.execute(f"writers.{writer}.arm", None, ME).wait(10)
        rig.service.execute(f"writers.{writer}.start", None, ME)
    rig.detector.send(range(45))
    until(lambda: rig.value("writers.main.num_written") == 45, "all images in one file")
    until(lambda: rig.value("writers.previews.num_written") == 5, "every tenth in the other")
    assert rig.value("writers.previews.skipped_reasons") == "policy 40"
    for writer in ("main", "previews"):
        assert rig.service.execute(f"writers.{writer}.stop", None, ME).wait(20).ok
    assert_holds(rig.folder / "all.h5", range(45))
    assert_holds(rig.folder / "tenth_000000.h5", range(0, 45, 10))


def test_stop_ends_the_acquisition_with_all_that_was_received(rig: Rig) -> None:
    rig.service.write({"writers.main.output_file": f"{rig.folder}/cut.h5"}, ME)
    rig.service.execute("writers.main.arm", None, ME).wait(10)
    handle = rig.service.execute("writers.main.start", None, ME)
    rig.detector.send(range(40))
    until(lambda: rig.value("source.received") == 40, "all frames")
    assert rig.service.execute("engine.stop", None, ME).wait(20).ok
    assert handle.wait(20).message == "Interrupted."
    assert rig.value("writers.main.acq_result") == "interrupted"
    assert_holds(rig.folder / "cut.h5", range(40))


def test_a_full_disk_fails_the_acquisition_only(rig: Rig) -> None:
    rig.service.write({"writers.main.output_file": f"{rig.folder}/full.h5"}, ME)
    rig.service.execute("writers.main.arm", None, ME).wait(10)
    consumer = rig.consumer("all", zmq.PULL)
    limit = f"prlimit --pid {rig.value('engine.process_id')} --fsize=2000000"
    assert os.system(limit) == 0
    handle = rig.service.execute("writers.main.start", None, ME)
    rig.detector.send(range(100))
    completion = handle.wait(20)
    assert not completion.ok
    assert "File too large" in completion.message
    assert rig.value("engine.state") == "RUNNING"
    until(lambda: len(consumer.ids) == 100, "the live stream to go on")
