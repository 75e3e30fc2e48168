"""Pictures of a running engine: numbers that belong to one image, in every front end; deaths without loss."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from repstream.link.server import EngineServer
from repstream.pictures.picture import FULL, Picture
from repstream.pictures.remote import RemotePictures
from repstream.protocol import Change, Event
from repstream.service import pictures as keeper
from tests.integration.rig import IMAGES, SERVING, until
from tests.integration.studio import ME, Studio


@pytest.fixture
def studio(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Studio]:
    running = Studio(tmp_path, **getattr(request, "param", {}))
    yield running
    running.close()


def test_all_numbers_of_an_event_are_of_one_image(studio: Studio) -> None:
    changes: list[Change] = []

    def note(event: Event) -> None:
        if isinstance(event, Change) and "pictures.1.image_id" in event.values:
            changes.append(event)

    held: dict[str, Any] = {}
    subscription = studio.service.subscribe(note)
    studio.send()
    until(lambda: len(changes) > 10, "numbers")
    subscription.close()
    for change in changes:
        held |= change.values
        image = IMAGES(int(held["pictures.1.image_id"]))
        assert held["pictures.1.sum"] == image.sum()
        assert held["pictures.1.maximum"] == image.max()
        assert held["pictures.1.mean"] == pytest.approx(image.mean())
        assert held["pictures.1.roi1_sum"] == image[10:40, 20:60].sum()


@pytest.mark.parametrize("front_end", ["tango", "epics", "http"])
def test_a_scan_can_count_on_a_region(studio: Studio, front_end: str) -> None:
    server = EngineServer(studio.service, "tcp://127.0.0.1:*")
    server.start()
    studio.send()
    until(lambda: studio.value("roi1_sum") is not None, "numbers")
    studio.stop_sending()
    until(lambda: studio.value("picture_rate") == 0, "the end of the pictures")
    try:
        with SERVING[front_end](studio.service, server.address) as client:
            image = IMAGES(studio.value("image_id"))
            until(
                lambda: client.read("pictures.1.roi1_sum") == image[10:40, 20:60].sum(),
                f"the region in {front_end}",
            )
    finally:
        server.close()


def test_pictures_come_while_somebody_looks(studio: Studio) -> None:
    studio.service.write({"pictures.1.enable": False}, ME)
    studio.send()
    until(lambda: studio.value("address") != "", "the pictures' address")
    until(lambda: studio.value("state") == "waiting", "a picture that waits")
    counted = studio.value("pictures")
    pictures = RemotePictures(studio.value("address"))
    came: list[Picture] = []
    subscription = pictures.subscribe(1, came.append)
    until(lambda: len(came) > 3, "pictures")
    full = pictures.latest(1, FULL, timeout=20)
    subscription.close()
    pictures.close()
    assert counted == 0
    assert full is not None
    assert np.array_equal(full.data, IMAGES(full.image_id))
    assert [p.number for p in came] == sorted({p.number for p in came})
    at_end = studio.value("pictures")
    until(lambda: studio.value("picture_rate") == 0, "an end of the counting when nobody looks")
    assert studio.value("pictures") < at_end + 200


def runs_of_one_image(studio: Studio, runs: range) -> None:
    """Each is shown, though its image comes when nobody may be connected yet."""
    for run in runs:
        assert studio.service.execute("engine.stop", None, ME).wait(20).ok
        assert studio.service.execute("engine.start", None, ME).wait(20).ok
        studio.detector.send(range(run, run + 1))
        until(lambda run=run: studio.value("image_id") == run, f"image {run}")


def test_the_only_image_of_a_run_is_shown(studio: Studio) -> None:
    runs_of_one_image(studio, range(4))


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_only_image_of_a_run_is_shown_on_a_busy_machine(studio: Studio) -> None:
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        runs_of_one_image(studio, range(100))
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_a_change_of_a_region_leaves_no_number_of_the_old_one(studio: Studio) -> None:
    studio.send()
    until(lambda: studio.value("roi1_sum") is not None, "numbers")
    studio.stop_sending()
    until(lambda: studio.value("picture_rate") == 0, "the end of the pictures")
    studio.service.write({"pictures.1.roi1_height": 7, "pictures.1.roi1_x": 0}, ME)
    at_once = studio.value("roi1_sum")
    until(lambda: studio.value("roi1_sum") is not None, "numbers")
    right = IMAGES(studio.value("image_id"))[10:17, :40].sum()
    assert at_once in (None, right)
    assert studio.value("roi1_sum") == right


def test_a_stream_that_would_be_robbed_is_refused_in_words(studio: Studio) -> None:
    studio.service.write({"pictures.2.stream": "push"}, ME)
    until(lambda: studio.value("state", 2) == "failed", "a refusal")
    assert "PUSH" in studio.value("message", 2)
    studio.service.write({"pictures.2.stream": ""}, ME)
    until(lambda: studio.value("state", 2) == "off", "nothing to refuse")


def test_without_a_stream_there_is_no_process(studio: Studio) -> None:
    until(lambda: studio.process() > 0, "the process")
    studio.service.write({"pictures.1.stream": ""}, ME)
    until(lambda: studio.process() == 0, "the end of the process")
    until(lambda: studio.value("state") == "off", "a picture that is off")
    studio.service.write({"pictures.1.stream": "preview"}, ME)
    until(lambda: studio.value("state") == "waiting", "the process again")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "halted"])
def test_the_death_of_the_process_loses_no_frame(
    studio: Studio, how: signal.Signals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(keeper, "SILENCE", 2.0)
    studio.service.execute("writers.main.start", None, ME)
    studio.send()
    until(lambda: studio.value("state") == "live", "pictures")
    pictures = RemotePictures(studio.value("address"))
    came: list[Picture] = []
    subscription = pictures.subscribe(1, came.append)
    until(lambda: len(came) > 0, "pictures")
    old = studio.process()
    os.kill(old, how)
    expected = "killed by SIGKILL" if how == signal.SIGKILL else "did not answer"
    until(lambda: expected in str(studio.service.read("engine.last_error").value), "a report")
    seen = len(came)
    until(lambda: studio.value("state") == "live" and studio.process() not in (0, old), "pictures again", 60)
    until(lambda: len(came) > seen, "pictures for who looked before")
    subscription.close()
    pictures.close()
    studio.stop_sending()
    until(lambda: studio.service.read("source.received").value == studio.sent, "all frames")
    handle = studio.service.execute("writers.main.stop", None, ME)
    assert handle.wait(20).ok
    assert studio.service.read("writers.main.num_written").value == studio.sent
    assert studio.service.read("source.missing").value == 0
    assert studio.service.read("engine.state").value == "RUNNING"


@pytest.mark.parametrize("studio", [{"stream": "all", "gate_writer": "main"}], indirect=True)
def test_a_step_scan_reads_one_complete_number_a_point(studio: Studio) -> None:
    studio.send()
    # The first picture may be the stream's last frame, asked for before its own come.
    until(lambda: studio.value("pictures") > 2, "pictures")
    studio.service.execute("writers.main.arm", None, ME).wait(20)
    acquisition = studio.service.read("writers.main.acquisition_id").value
    sums = []
    for point in range(1, 5):
        assert studio.service.execute("writers.main.start", 7, ME).wait(20).ok
        until(
            lambda point=point: studio.value("gate_number") == point and studio.value("gate_state") != "open",
            "the numbers of a point",
        )
        assert studio.value("gate_acquisition_id") == acquisition
        assert (studio.value("gate_state"), studio.value("gate_message")) == ("complete", "")
        assert (studio.value("gate_images"), studio.value("gate_expected")) == (7, 7)
        sums.append(studio.value("gate_roi1_sum"))
    studio.service.execute("writers.main.stop", None, ME).wait(20)
    path = str(studio.service.read("writers.main.full_file_name").value)
    with h5py.File(path) as file:
        ids = file["/detector/metadata"]["image_id"].tolist()
    assert len(ids) == 28
    for point, told in enumerate(sums):
        images = [IMAGES(n)[10:40, 20:60].sum() for n in ids[7 * point : 7 * point + 7]]
        assert told == sum(int(one) for one in images)


@pytest.mark.parametrize("studio", [{"stream": "preview", "gate_writer": "main"}], indirect=True)
def test_a_stream_that_leaves_images_out_makes_a_point_incomplete(studio: Studio) -> None:
    studio.send()
    until(lambda: studio.value("state") == "live", "pictures")
    assert studio.service.execute("writers.main.start", 50, ME).wait(20).ok
    until(lambda: studio.value("gate_state") == "incomplete", "the numbers of a point")
    assert studio.value("gate_expected") == 50
    assert studio.value("gate_images") < 50
    assert studio.value("gate_message")
