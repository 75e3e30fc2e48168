"""A stream that several receivers send as one: real processes, one consumer, every image, in order."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from repstream.errors import Refused
from repstream.messages import bsread, dectris_v1
from repstream.messages.formats import FrameDecoder
from repstream.messages.frame import Frame
from repstream.messages.pixels import array_of, packed
from tests.integration.rig import IMAGES, Consumer, free_port, until
from tests.integration.test_receivers import ME, N, Site, site_with

MERGED = "streams.whole."


def merging_site(folder: Path, stack: ExitStack, detectors: int, **stream: Any) -> Site:
    whole = {"address": f"tcp://127.0.0.1:{free_port()}", "merged": True, "merge_time": 3.0, **stream}
    return site_with(folder, stack, detectors, streams={"whole": whole})


def address(site: Site) -> str:
    return str(site.value(f"{MERGED}address"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        yield merging_site(tmp_path_factory.mktemp("merged"), stack, N)


@pytest.fixture
def running(site: Site) -> Iterator[Site]:
    site.start()
    yield site
    site.command("engine.stop").wait(60)


@pytest.fixture
def consumer(running: Site) -> Iterator[Consumer]:
    consumer = Consumer(address(running), zmq.PULL)
    yield consumer
    consumer.close()


def counts(site: Site) -> dict[str, int]:
    """The counters at one moment."""
    values: dict[str, Any] = site.service.snapshot().values
    return {name: values[f"streams.1.{name}"] for name in ("offered", "sent", "skipped", "dropped", "queued")}


def assert_sums(site: Site, **expected: int) -> None:
    """The counters get there, and their sums are exact on the way and then."""

    def there() -> bool:
        found = counts(site)
        assert found["offered"] == sum(found.values()) - found["offered"]
        return all(found[name] == count for name, count in expected.items())

    until(there, f"{expected}, not {counts(site)}")


def test_one_consumer_gets_every_image_in_the_order_of_the_ids(running: Site, consumer: Consumer) -> None:
    ids = [*range(150), *range(160, 300)]
    # One receiver is ahead of the other by some ten images, now this and now that.
    for first in range(0, 300, 20):
        for detector in (0, 1) if first % 40 else (1, 0):
            for frame_id in range(first, first + 20):
                if frame_id % N == detector and frame_id in ids:
                    running.detectors[detector].send(range(frame_id, frame_id + 1))
    until(lambda: len(consumer.ids) == len(ids), "all images")
    assert consumer.ids == ids  # their pixels were compared when they came
    assert_sums(running, offered=290, sent=290, skipped=0, dropped=0, queued=0)
    assert running.value(f"{MERGED}clients") == 1
    assert running.value(f"{MERGED}sent_bytes") >= 290 * IMAGES(0).nbytes
    until(lambda: running.value("source.missing") == 10, "what is missing")


def test_a_numbering_that_begins_anew_follows_the_one_before(running: Site, consumer: Consumer) -> None:
    for _ in range(3):
        running.send(range(24))
    until(lambda: len(consumer.ids) == 72, "all images")
    assert consumer.ids == [*range(24)] * 3


def test_what_comes_too_late_is_dropped_and_said(running: Site, consumer: Consumer) -> None:
    running.send(range(20))
    until(lambda: len(consumer.ids) == 20, "the first images")
    running.detectors[0].send(range(30, 31))
    until(lambda: consumer.ids[-1] == 30, "that which has waited for those before it")
    running.detectors[1].send(range(25, 26))
    assert_sums(running, sent=21, dropped=1)
    assert running.value(f"{MERGED}dropped_reasons") == "late 1"
    until(lambda: running.value("engine.losing"), "the alarm")
    assert consumer.ids == [*range(20), 30]


def test_policies_act_once_for_all_receivers(running: Site) -> None:
    running.service.write({f"{MERGED}policy": "modulo", f"{MERGED}modulo": 4}, ME)
    consumer = Consumer(address(running), zmq.PULL)
    try:
        running.send(range(40))
        until(lambda: len(consumer.ids) == 10, "one in four")
        assert_sums(running, offered=40, sent=10, skipped=30, queued=0)
        running.service.write({f"{MERGED}policy": "send_every_nth", f"{MERGED}every_nth": 5}, ME)
        running.send(range(40, 100))
        until(lambda: len(consumer.ids) == 22, "every fifth id")
        assert consumer.ids[10:] == [*range(40, 100, 5)]
        assert_sums(running, offered=100, sent=22, skipped=78, queued=0)
    finally:
        consumer.close()
        running.service.write({f"{MERGED}policy": "forward"}, ME)


def test_a_stop_sends_on_all_that_was_received(site: Site) -> None:
    site.start()
    consumer = Consumer(address(site), zmq.PULL)
    try:
        site.detectors[1].send(range(1, 2))  # waits for one that does not come
        site.send(range(2, 200))
        site.received(199)
        site.command("engine.stop").wait(60)
        until(lambda: len(consumer.ids) == 199, "all images")
        assert consumer.ids == list(range(1, 200))
        assert_sums(site, offered=199, sent=199, dropped=0, queued=0)
    finally:
        consumer.close()


def test_an_address_that_is_taken_refuses_the_start_of_all(site: Site) -> None:
    taken = int(address(site).rpartition(":")[2])
    refusal = r"merges stream whole: streams.whole.address refused: cannot bind"
    with socket.create_server(("127.0.0.1", taken)), pytest.raises(Refused, match=refusal):
        site.command("engine.start").wait(60)
    assert site.value("engine.state") in ("INITIALIZED", "STOPPED")
    site.start()
    site.command("engine.stop").wait(60)


def children(site: Site) -> set[int]:
    """The processes of the data plane."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        if entry.name.isdigit() and stat.rpartition(")")[2].split()[1] == str(os.getpid()):
            found.add(int(entry.name))
    return found


def merging_process(site: Site) -> int:
    receivers = {site.receiver_pid(receiver) for receiver in range(N)}
    (merger,) = {pid for pid in children(site) if is_data_plane(pid)} - receivers
    return merger


def test_one_that_merges_and_stands_still_for_a_while_loses_nothing(
    running: Site, consumer: Consumer
) -> None:
    merger, patience = merging_process(running), running.value("engine.stall_patience")
    running.service.write({"engine.stall_patience": 0.0}, ME)
    running.send(range(50))
    until(lambda: len(consumer.ids) == 50, "the first images")
    assert_sums(running, offered=50, sent=50, queued=0)
    os.kill(merger, signal.SIGSTOP)
    try:
        running.send(range(50, 100))
        running.send(range(103, 150))
        running.received(147)
        silent = "the process that merges stream whole does not answer"
        until(lambda: silent in running.value("engine.last_error"), "the silence")
        assert_sums(running, offered=147, sent=50, dropped=0, queued=97)
    finally:
        os.kill(merger, signal.SIGCONT)
        running.service.write({"engine.stall_patience": patience}, ME)
    until(lambda: len(consumer.ids) == 147, "all images")
    assert consumer.ids == [*range(100), *range(103, 150)]
    assert_sums(running, offered=147, sent=147, dropped=0, queued=0)
    until(lambda: running.value("source.missing") == 3, "what is missing")


def test_a_death_costs_what_was_on_its_way_and_all_goes_on(running: Site) -> None:
    merger = merging_process(running)
    consumer = Consumer(address(running), zmq.PULL)
    try:
        running.send(range(50))
        until(lambda: len(consumer.ids) == 50, "the first images")
        assert_sums(running, sent=50)
        os.kill(merger, signal.SIGKILL)
        until(lambda: "merges stream whole died" in running.value("engine.last_error"), "the death")
        running.send(range(50, 100))
        until(lambda: consumer.ids[-1] == 99, "images from another process")
        assert consumer.ids == sorted(set(consumer.ids))
        lost = 100 - len(consumer.ids)
        assert_sums(running, offered=100, sent=len(consumer.ids), dropped=lost, queued=0)
        os.kill(running.receiver_pid(1), signal.SIGKILL)
        until(lambda: "receiver 2 died" in running.value("engine.last_error"), "the death")
        until(lambda: running.value("source.connected"), "both receivers")
        running.send(range(100, 150))
        until(lambda: consumer.ids[-1] == 149, "images from both")
        assert consumer.ids[-50:] == list(range(100, 150))
        assert_sums(running, offered=150, sent=150 - lost, queued=0)
    finally:
        consumer.close()


def is_data_plane(pid: int) -> bool:
    return b"repstream.dataplane.process" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_what_is_converted_is_converted_once_behind_all(tmp_path: Path) -> None:
    with ExitStack() as stack:
        site = merging_site(tmp_path, stack, 1, format="bsread", compression="bitshuffle_lz4", mode="PUB")
        site.start()
        context = stack.enter_context(zmq.Context())
        receiver = stack.enter_context(context.socket(zmq.SUB))
        receiver.subscribe(b"")
        receiver.connect(address(site))
        until(lambda: site.value(f"{MERGED}clients") == 1, "the consumer")
        site.send(range(20))
        decode = FrameDecoder().decode
        for frame_id in range(20):
            assert receiver.poll(30_000)
            frame = decode(receiver.recv_multipart())
            assert frame.format == bsread.HTYPE and frame.frame_id == frame_id  # type: ignore[union-attr]
            site.command("engine.stop").wait(60)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An engine with three receivers, and a detector for each."""
    with ExitStack() as stack:
        whole = {"address": f"tcp://127.0.0.1:{free_port()}", "merged": True, "merge_time": 3.0}
        yield site_with(tmp_path_factory.mktemp("three"), stack, 3, streams={"whole": whole}, receivers=3)


def test_three_receivers_in_bursts_of_now_this_one_and_now_that(three: Site) -> None:
    three.start()
    consumer = Consumer(address(three), zmq.PULL)
    try:
        ids = [*range(100), *range(107, 240)]
        for first in range(0, 240, 24):
            burst = [frame_id for frame_id in ids if first <= frame_id < first + 24]
            for turn in range(3):
                three.send(frame_id for frame_id in burst if frame_id % 3 == (first // 24 + turn) % 3)
        until(lambda: len(consumer.ids) == len(ids), "all images")
        assert consumer.ids == ids
        assert_sums(three, offered=233, sent=233, skipped=0, dropped=0, queued=0)
        until(lambda: three.value("source.missing") == 7, "what is missing")
    finally:
        consumer.close()
        three.command("engine.stop").wait(60)


def test_series_of_three_receivers_have_their_images_between_beginning_and_end(three: Site) -> None:
    three.start()
    image, images = np.arange(12, dtype=np.uint16).reshape(3, 4), 30
    expected: list[str | int] = []
    found: list[str | int] = []
    with zmq.Context() as context, context.socket(zmq.PULL) as receiver:
        receiver.connect(address(three))
        decode = FrameDecoder().decode
        for series in (1, 2):
            # Whoever gets the first or the last message knows of it alone.
            three.detectors[series].send_parts(dectris_v1.encode_start(series, {"count_time": 0.5}))
            for number in range(images):
                parts = dectris_v1.encode_image(series, number, packed(image + number, ""))
                three.detectors[number % 3].send_parts(parts)
            three.detectors[0].send_parts(dectris_v1.encode_end(series))
            expected += ["SeriesStart", *range(images), "SeriesEnd"]
            while len(found) < len(expected):
                assert receiver.poll(30_000), found
                message = decode(receiver.recv_multipart())
                if isinstance(message, Frame):
                    found.append(message.frame_id)
                    assert np.array_equal(array_of(message), image + message.frame_id)
                else:
                    found.append(type(message).__name__)
    assert found == expected
    until(lambda: three.value("source.received") == 2 * images, "the last report")
    assert_sums(three, sent=len(expected), dropped=0, queued=0)
    assert (three.value("source.missing"), three.value("source.duplicates")) == (0, 0)
    three.command("engine.stop").wait(60)
