"""`repstream look` as users run it."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from repstream.messages import array_1_0, bsread, dectris_v1, dectris_v2
from repstream.messages.pixels import packed
from repstream_cli.exits import Exit
from tests.cli.running import repstream, run_here
from tests.engine.ring.peers import Producer, tidy, unique_name
from tests.sockets import keeping_context

IMAGE = np.arange(600, dtype=np.uint16).reshape(20, 30)
THRESHOLDS = {"threshold_1": packed(IMAGE + 1), "threshold_2": packed(IMAGE, "bitshuffle_lz4")}


@contextmanager
def stream(parts: list[Any], kind: int = zmq.PUB) -> Iterator[str]:
    """The address of a stream that sends one message again and again."""
    ending = threading.Event()
    with keeping_context() as context, context.socket(kind) as socket:
        socket.linger = 0
        port = socket.bind_to_random_port("tcp://127.0.0.1")

        def send() -> None:
            while not ending.wait(0.02):
                try:
                    socket.send_multipart(parts, zmq.NOBLOCK)
                except zmq.Again:
                    pass

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{port}"
        finally:
            ending.set()
            thread.join()


def test_an_image_is_counted_and_saved(tmp_path: Path) -> None:
    png, npy = tmp_path / "image.png", tmp_path / "image.npy"
    with stream(array_1_0.encode(7, IMAGE)) as address:
        seen = repstream("look", address, "--save", png, "--save", npy, "--no-view")
    assert seen.returncode == Exit.OK, seen
    assert "image 7: 20 x 30 pixels, uint16" in seen.stdout
    assert "minimum 0, maximum 599, mean 299.5, sum 179700" in seen.stdout
    assert np.array_equal(np.load(npy), IMAGE)
    assert _size_of(png) == (20, 30)


def test_numbers_come_as_json_and_without_bad_pixels(tmp_path: Path) -> None:
    np.save(tmp_path / "mask.npy", IMAGE > 500)
    with stream(array_1_0.encode(7, IMAGE)) as address:
        seen = repstream("look", address, "--json", "--mask", tmp_path / "mask.npy")
    told = json.loads(seen.stdout)
    assert (told["image_id"], told["maximum"], told["bad"]) == (7, 500, 99)


@pytest.mark.parametrize(
    ("parts", "options"),
    [
        (bsread.encode(7, [bsread.Channel("cam", "uint16", IMAGE.shape)], [IMAGE]), ["--channel", "cam"]),
        (dectris_v1.encode_image(1, 7, packed(IMAGE, "bitshuffle_lz4")), []),
        (dectris_v2.encode_image(dectris_v2.Image(7, 1, THRESHOLDS)), ["--threshold", "threshold_2"]),
    ],
    ids=["bsread", "dectris v1", "dectris v2"],
)
def test_any_format_will_do(parts: list[Any], options: list[str]) -> None:
    with stream(parts, zmq.PUSH) as address:
        seen = run_here("look", address, "--mode", "pull", "--json", *options)
    assert json.loads(seen.stdout)["sum"] == IMAGE.sum()


def test_a_ring_buffer_will_do_too() -> None:
    producer, ending = Producer(unique_name(), IMAGE.shape, "uint16", 16), threading.Event()

    def produce() -> None:
        for image_id in itertools.count(7):
            producer.put(image_id, IMAGE.tobytes())
            if ending.wait(0.1):
                return

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        seen = repstream("look", f"ring://{producer.name}", "--ring-slots", 16, "--json")
        found = json.loads(seen.stdout)
        assert (found["sum"], found["shape"], found["dtype"]) == (IMAGE.sum(), [20, 30], "uint16")
    finally:
        ending.set()
        thread.join()
        producer.vanish()
        tidy(producer.name)


def test_the_png_fits_the_size_that_is_asked_for(tmp_path: Path) -> None:
    with stream(array_1_0.encode(7, IMAGE)) as address:
        run_here("look", address, "--save", tmp_path / "image.png", "--size", "10x10", "--log", "--no-view")
    assert _size_of(tmp_path / "image.png") == (7, 10)


def test_a_stream_without_images_ends_in_time_with_a_hint() -> None:
    seen = run_here("look", "tcp://127.0.0.1:1", "--timeout", 0.2)
    assert seen.returncode == Exit.NOTHING
    assert "--mode pull" in seen.stderr


def test_an_address_that_no_source_has_is_refused() -> None:
    seen = run_here("look", "http://127.0.0.1:8000")
    assert seen.returncode == Exit.USAGE
    assert "ring" in seen.stderr


def test_a_damaged_message_is_said() -> None:
    with stream([b"no header", b"no image"]) as address:
        seen = repstream("look", address)
    assert seen.returncode == Exit.FAULTS
    assert "json" in seen.stderr


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "image.png").write_text("mine")
    for target in (tmp_path / "image.png", tmp_path / "image.gif", tmp_path / "nowhere" / "image.png"):
        assert run_here("look", "tcp://127.0.0.1:1", "--save", target).returncode == Exit.USAGE
    assert (tmp_path / "image.png").read_text() == "mine"


def _size_of(png: Path) -> tuple[int, int]:
    data = png.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
