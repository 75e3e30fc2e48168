"""The standard DAQ's services as commands: a producer written by hand, the driver's WebSocket, the files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zmq
from websockets.sync.client import ClientConnection, connect

from repstream.files.verify import verify
from tests.engine.ring.peers import GOOD, MISSING_PACKETS, Producer, message, tidy, unique_name
from tests.ports import free_port
from tests.sockets import keeping_context

SHAPE, SLOTS = (60, 80), 1000
MAINS = {
    "std_live_stream": "live_stream",
    "std_det_driver": "det_driver",
    "std_det_writer": "det_writer",
    "std_det_meta_writer_gf": "det_writer",
}


def command(name: str, *arguments: object) -> list[str]:
    main = "main_of_metadata" if name == "std_det_meta_writer_gf" else "main"
    code = f"from repstream_cli.std_daq.{MAINS[name]} import {main}; {main}()"
    return [sys.executable, "-c", code, *map(str, arguments)]


def document(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "detector_name": name,
        "detector_type": "gigafrost",
        "n_modules": 1,
        "bit_depth": 16,
        "image_pixel_height": SHAPE[0],
        "image_pixel_width": SHAPE[1],
        "start_udp_port": 2000,
        "module_positions": {"0": [0, 0, 79, 59]},
        "number_of_writers": 2,
        **changes,
    }


@contextmanager
def service(*arguments: Any, ready: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs meanwhile, from the line that holds `ready` on."""
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = []
            while ready not in (line := process.stdout.readline()):
                said.append(line)
                assert line, f"{arguments} ended: {said}"
            yield process
        finally:
            process.terminate()
            try:
                process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


@dataclass
class Daq:
    """The services of one detector, and the producer of its images."""

    name: str
    config: Path
    producer: Producer
    writers: dict[str, subprocess.Popen[str]]
    port: int
    socket: ClientConnection = field(init=False)

    def send(self, ids: range, broken: tuple[int, ...] = ()) -> None:
        for i in ids:
            gigafrost = message({1: 7, 2: 100 + i, 3: 200 + i, 4: 2**60 + i, 5: 5000})
            status = MISSING_PACKETS if i in broken else GOOD
            self.producer.put(i, pixels(i).tobytes(), status=status, extra={8: gigafrost})

    def start(self, folder: Path, prefix: str, images: int) -> None:
        order = {"command": "start", "path": str(folder), "file_prefix": prefix, "n_image": images}
        self.socket.send(json.dumps(order))
        self.until("waiting_for_first_image")

    def until(self, wanted: str) -> dict[str, Any]:
        """The first status of this name."""
        seen = []
        for _ in range(600):
            status: dict[str, Any] = json.loads(self.socket.recv(timeout=30))
            if status["status"] == wanted:
                return status
            seen.append(status)
            assert status["status"] != "error", status
        raise AssertionError(f"{wanted} did not come: {seen[-5:]}")


def pixels(image_id: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(image_id).integers(0, 2**16, SHAPE).astype("uint16")


@pytest.fixture
def daq(services: Daq) -> Iterator[Daq]:
    with connect(f"ws://127.0.0.1:{services.port}") as services.socket:
        services.until("idle")
        yield services


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daq]:
    name = unique_name().removesuffix("-image")
    config = tmp_path_factory.mktemp("daq") / "detector.json"
    config.write_text(json.dumps(document(name)))
    port, engine = free_port(), f"tcp://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        stack.callback(tidy, f"{name}-image")
        producer = Producer(f"{name}-image", SHAPE, "uint16", SLOTS)
        stack.callback(producer.vanish)
        starts: dict[str, tuple[Any, ...]] = {
            "0": ("std_det_writer", config, 0),
            "1": ("std_det_writer", config, 1),
            "meta": ("std_det_meta_writer_gf", config),
        }
        writers = {
            key: stack.enter_context(service(*arguments, ready="waiting for the driver"))
            for key, arguments in starts.items()
        }
        options = ("-p", port, "-m", "--engine_address", engine)
        stack.enter_context(service("std_det_driver", config, *options, ready="serving"))
        producer.wait_for_consumer()
        yield Daq(name, config, producer, writers, port)
    assert not list(Path("/tmp").glob(f"{name}-writer-*"))


def check(daq: Daq, folder: Path, prefix: str, ids: range) -> None:
    """Assert that the images lie in turn in the files of two writers, and their metadata in one."""
    for k in range(2):
        with h5py.File(folder / f"{prefix}{k}.h5") as file:
            mine = ids[k::2]
            assert file[daq.name]["data"].shape == (len(mine), *SHAPE)
            if mine:
                assert file[daq.name]["metadata"]["image_id"].tolist() == list(mine)
            for n, i in enumerate(mine):
                np.testing.assert_array_equal(file[daq.name]["data"][n], pixels(i))
    with h5py.File(folder / f"{prefix}Meta.h5") as file:
        rows = file[daq.name]["metadata"]
        kinds = {"image_id": "u8", "scan_id": "u8", "scan_time": "u4", "sync_time": "u4"}
        kinds |= {"frame_timestamp": "u8", "exposure_time": "u8"}
        assert {name: rows.dtype[name].str[1:] for name in kinds} == kinds
        assert rows["image_id"].tolist() == list(ids)
        assert rows["scan_time"].tolist() == [100 + i for i in ids]
        assert rows["frame_timestamp"].tolist() == [2**60 + i for i in ids]
    with h5py.File(folder / f"{prefix}.h5") as file:
        assert file[daq.name]["data"].shape == (len(ids), *SHAPE)
        for n, i in enumerate(ids):
            np.testing.assert_array_equal(file[daq.name]["data"][n], pixels(i))


def test_two_writers_write_in_turn(daq: Daq, tmp_path: Path) -> None:
    daq.start(tmp_path, "run", 41)
    daq.send(range(41), broken=(7, 8))
    daq.until("file_saved")
    check(daq, tmp_path, "run", range(41))
    with h5py.File(tmp_path / "runMeta.h5") as file:
        status = file[daq.name]["metadata"]["image_status"]
        assert np.flatnonzero(status == MISSING_PACKETS).tolist() == [7, 8]
    for name in ("run0.h5", "run1.h5", "runMeta.h5"):
        with h5py.File(tmp_path / name) as file:
            rows = file[daq.name]["metadata"]
            wanted = [MISSING_PACKETS if i in (7, 8) else GOOD for i in rows["image_id"]]
            assert rows["status"].tolist() == wanted
    found = verify(tmp_path / "run.h5")
    assert (found.problems, found.images, len(found.files)) == ([], 41, 3)


def test_a_single_image(daq: Daq, tmp_path: Path) -> None:
    daq.start(tmp_path, "one", 1)
    daq.send(range(100, 101))
    daq.until("file_saved")
    check(daq, tmp_path, "one", range(100, 101))


def test_a_file_that_exists_is_refused(daq: Daq, tmp_path: Path) -> None:
    (tmp_path / "old1.h5").write_text("precious")
    order = {"command": "start", "path": str(tmp_path), "file_prefix": "old", "n_image": 1}
    daq.socket.send(json.dumps(order))
    while (status := json.loads(daq.socket.recv(timeout=30)))["status"] != "error":
        assert status["status"] == "idle"
    assert "old1.h5 exists" in status["reason"]
    assert [path.name for path in tmp_path.iterdir()] == ["old1.h5"]


def test_a_second_service_of_a_part_is_refused(services: Daq) -> None:
    again = subprocess.run(
        command("std_det_writer", services.config, 1), capture_output=True, text=True, timeout=60, check=False
    )
    assert again.returncode == 2
    assert "another service listens there" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code"), [((2,), 0), ((31,), 0), ((), 2), (("--help",), 0), (("--version",), 0)]
)
def test_a_writer_beyond_their_number_ends_without_error(
    services: Daq, arguments: tuple[object, ...], code: int
) -> None:
    ended = subprocess.run(
        command("std_det_writer", services.config, *arguments), capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == code


def test_a_writer_that_dies_fails_the_acquisition_by_its_name(daq: Daq, tmp_path: Path) -> None:
    daq.start(tmp_path, "dead", 1000)
    daq.send(range(200, 220))
    while daq.until("recording")["count"] < 20:
        pass
    victim = daq.writers["1"]
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    deadline = time.monotonic() + 60
    while (status := json.loads(daq.socket.recv(timeout=30)))["status"] != "error":
        assert time.monotonic() < deadline
    assert (
        f"{daq.name}-writer-1 (process {victim.pid}), which writes {tmp_path}/dead1.h5, ended"
        in (status["reason"])
    )
    with h5py.File(tmp_path / "dead0.h5") as file:
        assert file[daq.name]["metadata"]["image_id"].tolist() == list(range(200, 220, 2))
        for n, i in enumerate(range(200, 220, 2)):
            np.testing.assert_array_equal(file[daq.name]["data"][n], pixels(i))
    with service("std_det_writer", daq.config, 1, ready="waiting for the driver"):
        daq.until("idle")
        daq.start(tmp_path, "next", 4)
        daq.send(range(300, 304))
        daq.until("file_saved")
        check(daq, tmp_path, "next", range(300, 304))
    daq.until("idle")
    daq.socket.send(json.dumps({"command": "start", "path": str(tmp_path), "file_prefix": "none"}))
    while (status := json.loads(daq.socket.recv(timeout=30)))["status"] != "error":
        assert time.monotonic() < deadline + 60
    assert f"no service listens at /tmp/{daq.name}-writer-1" in status["reason"]


def image_in(stream_type: str, parts: list[bytes]) -> tuple[int, bytes]:
    """The number and the pixels in a message of a live stream."""
    header = json.loads(parts[0])
    if stream_type == "array-1.0":
        assert (header["htype"], header["shape"], header["type"]) == ("array-1.0", list(SHAPE), "uint16")
        return header["frame"], parts[1]
    channel = json.loads(parts[1])["channels"][0]
    assert header["htype"].startswith("bsr_m-1.")
    assert (channel["shape"], channel["type"]) == (list(SHAPE[::-1]), "uint16")
    assert channel["name"] == "SARES11-CAMS"
    assert header["global_timestamp"] == {"sec": 1_700_000_000, "ns": 5}
    return header["pulse_id"], parts[2]


@pytest.mark.parametrize("stream_type", ["array-1.0", "bsread"])
def test_a_live_stream_has_the_policy_of_its_address(tmp_path: Path, stream_type: str) -> None:
    name, suffix = unique_name().removesuffix("-image"), "assembled"
    address = f"tcp://127.0.0.1:{free_port()}"
    policies = {address: {"type": "batch", "config": [2, 5]}}
    config = tmp_path / "detector.json"
    made = document(name, detector_type="pco", live_stream_configs=policies, a_key_of_a_newer_version=3)
    config.write_text(json.dumps(made))
    producer = Producer(f"{name}-{suffix}", SHAPE, "uint16", SLOTS)
    pco = {11: message({1: 1_700_000_000, 2: 5, 3: b"SARES11-CAMS"})}
    with keeping_context() as context, context.socket(zmq.SUB) as receiver:
        receiver.linger = 0
        receiver.subscribe(b"")
        receiver.connect(address)
        try:
            options = ("-t", stream_type, "-s", suffix)
            with service("std_live_stream", config, address, *options, ready="serving"):
                producer.wait_for_consumer()
                i = 0
                while not receiver.poll(20):  # connected and subscribed some time from now
                    producer.put(i, pixels(i).tobytes(), extra=pco)
                    i += 1
                begun = -(-i // 5) * 5
                for i in range(begun, begun + 20):
                    producer.put(i, pixels(i).tobytes(), extra=pco)
                wanted = [i for i in range(begun, begun + 20) if i % 5 < 2]
                while wanted:
                    assert receiver.poll(20_000), wanted
                    number, data = image_in(stream_type, receiver.recv_multipart())
                    if number >= begun:
                        assert number == wanted.pop(0)
                        assert data == pixels(number).tobytes()
        finally:
            producer.vanish()
            tidy(f"{name}-{suffix}")
