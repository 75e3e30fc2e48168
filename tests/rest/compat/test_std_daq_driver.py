"""The WebSocket of the standard DAQ's driver, with the library that its Python clients use."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from repstream.protocol import Requester
from repstream.service.service import Service
from repstream_http import HttpServer
from repstream_http.compat.std_daq_driver import course
from repstream_http.compat.std_daq_driver.app import create_app
from repstream_http.compat.std_daq_driver.command import parse
from repstream_http.compat.std_daq_driver.driver import Watcher
from tests.fakes import FakePlane
from tests.integration.rig import IMAGES, running_rig, until

ME = Requester("test")
Status = dict[str, Any]


@pytest.fixture
def client(running: tuple[Service, FakePlane]) -> Iterator[Callable[[], ClientConnection]]:
    """Makes a connection that ends with the test."""
    with HttpServer(create_app(running[0]), port=0) as server, ExitStack() as stack:
        url = server.url.replace("http", "ws")
        yield lambda: stack.enter_context(connect(url))


def read_until(socket: ClientConnection, last: str, most: int = 500) -> list[Status]:
    """Statuses up to the one of this name, those that only repeat the one before left out."""
    seen: list[Status] = []
    for _ in range(most):
        status = json.loads(socket.recv(timeout=20))
        if not seen or seen[-1] != status:
            seen.append(status)
        if status["status"] == last:
            return seen
    raise AssertionError(f"{last} did not come: {seen}")


def words(statuses: list[Status]) -> list[str]:
    """Their names, one for each run of the same."""
    names = [status["status"] for status in statuses]
    return [name for n, name in enumerate(names) if not n or names[n - 1] != name]


def say(socket: ClientConnection, **command: object) -> None:
    socket.send(json.dumps(command))


def test_the_recorded_example(
    client: Callable[[], ClientConnection], running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    """The dialogue in the driver's documentation: a start, six images, a stop, and connected all the time."""
    plane = running[1]
    socket, watcher = client(), client()
    for _ in range(3):
        assert json.loads(socket.recv(timeout=20)) == {"status": "idle"}
    say(socket, command="start", path=str(tmp_path), file_prefix="test_prefix.", n_image=100000)
    assert words(read_until(socket, "waiting_for_first_image"))[-2:] == [
        "creating_file",
        "waiting_for_first_image",
    ]
    counts = []
    for _ in range(6):
        plane.receive(1)
        counts.append(read_until(socket, "recording")[-1]["count"])
    assert counts == sorted(counts)
    until(lambda: running[0].read("writers.1.num_written").value == 6, "six images")
    say(socket, command="stop")
    end = read_until(socket, "saving_file")
    assert words(end)[-2:] == ["stop", "saving_file"]
    assert end[-1] == {"count": 6, "status": "saving_file"}
    assert words(read_until(socket, "idle")) == ["saving_file", "file_saved", "idle"][-2:]
    assert running[0].read("writers.1.full_file_name").value == str(tmp_path / "test_prefix.0.h5")
    assert json.loads(socket.recv(timeout=20)) == {"status": "idle"}
    assert words(read_until(watcher, "file_saved")) == [
        "idle",
        "creating_file",
        "waiting_for_first_image",
        "recording",
        "stop",
        "saving_file",
        "file_saved",
    ]


def test_a_status_that_comes_as_the_interval_ends_is_not_overtaken() -> None:
    async def run() -> object:
        watcher = Watcher()
        waiting = asyncio.create_task(watcher.get(0.02))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.02, watcher.put, {"status": "creating_file"})
        time.sleep(0.1)  # the loop is held up, and finds both due
        return await waiting

    assert asyncio.run(run()) == {"status": "creating_file"}


def test_every_status_comes_to_every_client_however_fast_it_passes(
    client: Callable[[], ClientConnection], running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    sockets = [client() for _ in range(3)]
    for socket in sockets:
        assert json.loads(socket.recv(timeout=20)) == {"status": "idle"}
    for n in range(5):
        running[1].open_gate_gives(4)
        say(sockets[n % 3], command="start", path=str(tmp_path), file_prefix=f"run{n}_", n_image=4)
        for socket in sockets:
            seen = read_until(socket, "file_saved")
            assert words(seen)[-5:] == list(course.WAY[:3]) + list(course.WAY[4:])
            assert seen[-2]["count"] == 4
            read_until(socket, "idle")


def test_a_status_comes_ten_times_a_second(client: Callable[[], ClientConnection]) -> None:
    socket = client()
    begun = time.monotonic()
    for _ in range(6):
        assert json.loads(socket.recv(timeout=20)) == {"status": "idle"}
    assert 0.4 < time.monotonic() - begun < 10


def test_a_start_while_busy_is_rejected_and_the_connection_stays(
    client: Callable[[], ClientConnection], running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    running[0].write({"writers.main.num_images": 5}, ME)
    running[0].execute("writers.main.start", None, ME)
    socket, other = client(), client()
    say(socket, command="start", path=str(tmp_path))
    rejected = {"status": "rejected", "reason": "driver is busy!"}
    assert read_until(socket, "rejected")[-1] == rejected
    running[1].receive(5)
    assert words(read_until(socket, "idle"))[-3:] == ["saving_file", "file_saved", "idle"]
    assert rejected not in read_until(other, "idle")
    say(socket, command="start", path=str(tmp_path), n_image=1)
    read_until(socket, "waiting_for_first_image")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '"start"', "3", '{"command": "pause"}', '{"command": ["start"]}', "[" * 100_000]
)
def test_what_is_no_command_is_an_error_and_the_connection_stays(
    client: Callable[[], ClientConnection], text: str
) -> None:
    socket = client()
    socket.send(text)
    error = read_until(socket, "error")[-1]
    assert error["reason"].startswith("Invalid command!")
    assert len(error["reason"]) < 400
    assert words(read_until(socket, "idle"))[-1] == "idle"


@pytest.mark.parametrize(
    "field",
    [
        {"n_image": 0},
        {"n_image": "5"},
        {"n_image": 2**31},
        {"start_id": -1},
        {"file_prefix": 3},
        {"path": [1]},
    ],
)
def test_a_field_that_is_wrong_is_named(client: Callable[[], ClientConnection], field: Status) -> None:
    socket = client()
    say(socket, **{"command": "start", "path": "/data", **field})
    assert next(iter(field)) in read_until(socket, "error")[-1]["reason"]
    read_until(socket, "idle")


def test_a_start_without_path_closes_the_connection(client: Callable[[], ClientConnection]) -> None:
    socket = client()
    say(socket, command="start", n_image=3)
    assert "start with path parameter" in read_until(socket, "error")[-1]["reason"]
    with pytest.raises(ConnectionClosed):
        while True:
            socket.recv(timeout=20)


def test_what_the_engine_refuses_is_an_error_that_all_see_and_changes_nothing(
    client: Callable[[], ClientConnection], running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    keys = [f"writers.1.{name}" for name in ("output_file", "num_images", "first_image_id")]
    before = [running[0].read(key).value for key in keys]
    socket, watcher = client(), client()
    say(socket, command="start", path=str(tmp_path / "gone"), start_id=7)
    for each in (socket, watcher):
        assert "gone" in read_until(each, "error")[-1]["reason"]
        read_until(each, "idle")
    say(socket, command="start", path="/etc")
    assert "allowed" in read_until(socket, "error")[-1]["reason"]
    assert [running[0].read(key).value for key in keys] == before


def test_the_first_image_asked_for_counts_for_that_start_alone(
    client: Callable[[], ClientConnection], running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    service = running[0]
    service.write({"writers.1.first_image_id": 3}, ME)
    socket = client()
    for number in (7, 8):
        say(socket, command="start", path=str(tmp_path), file_prefix=f"run{number}", start_id=number)
        read_until(socket, "waiting_for_first_image")
        assert service.read("writers.1.first_image_id").value == number
        say(socket, command="stop")
        read_until(socket, "idle")
    until(lambda: service.read("writers.1.first_image_id").value == 3)


def test_a_stop_of_nothing_is_no_error(client: Callable[[], ClientConnection]) -> None:
    socket = client()
    say(socket, command="stop")
    assert {json.loads(socket.recv(timeout=20))["status"] for _ in range(5)} == {"idle"}


def test_a_writer_that_fails_is_an_error_with_its_reason(
    client: Callable[[], ClientConnection], running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    socket = client()
    say(socket, command="start", path=str(tmp_path))
    read_until(socket, "waiting_for_first_image")
    running[1].fail(1, "No space left on device")
    assert read_until(socket, "error")[-1] == {"status": "error", "reason": "No space left on device"}
    assert words(read_until(socket, "idle"))[-1] == "idle"


def test_a_dead_data_plane_is_an_error_until_a_stop(
    client: Callable[[], ClientConnection], running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    socket = client()
    say(socket, command="start", path=str(tmp_path))
    read_until(socket, "waiting_for_first_image")
    running[1].die()
    until(lambda: running[0].read("writers.1.state").value == "UNKNOWN", "the loss")
    say(socket, command="start", path=str(tmp_path))
    for _ in range(3):
        assert read_until(socket, "error")[-1]["reason"]
    say(socket, command="stop")
    assert words(read_until(socket, "idle"))[-1] == "idle"


def test_writing_begins_with_the_image_asked_for(tmp_path: Path) -> None:
    with running_rig(tmp_path) as rig, HttpServer(create_app(rig.service), port=0) as server:
        with connect(server.url.replace("http", "ws")) as socket:
            say(socket, command="start", path=str(tmp_path), n_image=5, start_id=7)
            read_until(socket, "waiting_for_first_image")
            rig.detector.send(range(4))
            rig.detector.send(range(6, 20))
            assert read_until(socket, "saving_file")[-1]["count"] == 5
            read_until(socket, "file_saved")
        assert rig.value("writers.1.num_missing") == 0
        with h5py.File(tmp_path / "file0.h5") as file:
            rows = file["/detector/metadata"]
            assert rows["image_id"].tolist() == list(range(7, 12))
            assert rows["status"].tolist() == [1] * 5, "the standard DAQ's word for a good image"
            assert np.array_equal(file["/detector/data"][0], IMAGES(7))


STATES = ("NONE", "WAITING_IMAGES", "ACQUIRING_IMAGES", "FLUSHING_IMAGES", "FINISHED", "FAILED")


@settings(max_examples=200)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(STATES), st.booleans(), st.integers(0, 5))))
def test_the_statuses_of_a_file_keep_their_order_whatever_is_seen_of_it(
    seen: list[tuple[bool, str, bool, int]],
) -> None:
    """Changes in any order, as where some were missed: nothing comes twice, early or after the end."""
    fields: dict[str, Any] = {"state": "READY", "acquisition_id": "", "acq_state": "NONE", "acq_message": ""}
    fields |= {"num_written": 0, "left": 0}
    followed, passed = course.Course(fields), list[str]()
    for n, (begins, state, stops, written) in enumerate(seen):
        ended = state in ("FINISHED", "FAILED")
        fields = {
            **fields,
            "acq_state": state,
            "state": "READY" if ended else "WRITING",
            "num_written": written,
        }
        if begins or not fields["acquisition_id"]:
            fields["acquisition_id"] = f"{n}"
        passed += [status["status"] for status in followed.take(fields)]
        passed += [status["status"] for status in followed.stop()] if stops else []
    order = [*course.WAY, course.Stage.ERROR, course.Stage.IDLE]
    for before, after in itertools.pairwise(passed):
        rises = order.index(course.Stage(before)) < order.index(course.Stage(after))
        assert rises or after == "creating_file"
        assert after != "idle" or before in ("file_saved", "error")


@given(st.text() | st.dictionaries(st.text(), st.none() | st.integers() | st.text()).map(json.dumps))
def test_whatever_is_said_is_a_command_or_refused_with_a_reason(text: str) -> None:
    try:
        parse(text)
    except Exception as error:
        assert "Invalid command!" in getattr(error, "reason", "")


def test_the_example_of_the_documentation(
    running: tuple[Service, FakePlane], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path("docs/how-to/coming-from-std-daq.md").read_text()
    block = next(b for b in page.split("```") if "ws://127.0.0.1:8080" in b).removeprefix("python\n")
    running[1].open_gate_gives(100)
    with HttpServer(create_app(running[0]), port=0) as server:
        address = server.url.replace("http", "ws")
        exec(block.replace("ws://127.0.0.1:8080", address).replace('"/data"', repr(str(tmp_path))), {})
    said = [eval(line)["status"] for line in capsys.readouterr().out.splitlines()]
    assert "recording" in said
    assert said[-1] == "file_saved"
