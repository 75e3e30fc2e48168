"""The last image of a run is shown, however it was left out of its stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import pytest
import zmq
from tests.engine.dataplane.bench import configuration, routing, send

from repstream.dataplane import control as plane_control
from repstream.parameters.configuration import Configuration
from repstream.pictures import asks, control
from repstream.pictures.loop import Loop
from repstream.pictures.remote import RemotePictures
from repstream.pictures.server import PictureServer

PATIENCE = 30.0


class Process:
    """The pictures' process in a thread, and the service's end of its pipe."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        ready = control.notices.receive(pipe)
        assert isinstance(ready, control.Ready)
        self.address = ready.address

    def follow(self, configuration: Configuration, last_frames: str = "") -> None:
        control.requests.send(self._pipe, control.Follow(1, configuration.model_dump_json()))
        if last_frames:
            control.requests.send(self._pipe, control.LastFrames(last_frames))

    def until(self, image_id: int) -> list[int]:
        """The ids of the images that were counted, up to this one."""
        seen, end = list[int](), time.monotonic() + PATIENCE
        while image_id not in seen:
            assert self._pipe.poll(max(0.0, end - time.monotonic())), f"only {seen} came"
            notice = control.notices.receive(self._pipe)
            if not isinstance(notice, control.Numbers) or notice.slot != 1:
                continue
            if notice.fields.get("image_id") is not None:
                seen.append(int(notice.fields["image_id"]))  # type: ignore[arg-type]
        return seen


@contextmanager
def process() -> Iterator[Process]:
    ours, theirs = Pipe()
    thread = threading.Thread(target=Loop(theirs, "tcp://127.0.0.1:*").run, daemon=True)
    thread.start()
    with ours:
        yield Process(ours)
    thread.join(PATIENCE)
    assert not thread.is_alive()


@contextmanager
def detector(address: str) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.linger = 0
        socket.bind(address)
        yield socket


def shown(folder: Path, **stream: Any) -> Configuration:
    """A stream of this kind, and a picture of it."""
    live = {"address": f"ipc://{folder}/live", "mode": "PUB", **stream}
    made = configuration(f"ipc://{folder}/in", streams={"live": live})
    pictures = {"1": {"stream": "live", "rate": 50}}
    return Configuration.model_validate({**made.model_dump(), "pictures": pictures})


@pytest.mark.parametrize(
    "stream",
    [{}, {"policy": "periodic", "burst_rate": 5.0}, {"policy": "send_every_sec", "every_sec": 0.2}],
    ids=["all frames", "periodic", "every second"],
)
def test_an_image_that_nobody_heard_is_shown_all_the_same(tmp_path: Path, stream: dict[str, Any]) -> None:
    asked = shown(tmp_path, **stream)
    with routing() as plane, detector(f"ipc://{tmp_path}/in") as source:
        assert plane.open(asked) == ""
        send(source, range(10))
        report = plane.report(lambda r: r.source.ledger.frames == 10)
        with process() as pictures:  # which connects after the last image
            pictures.follow(asked, report.last_frames)
            assert pictures.until(9) == [9]


def test_the_last_image_follows_where_the_stream_leaves_most_out(tmp_path: Path) -> None:
    asked = shown(tmp_path, policy="periodic", burst_rate=5.0)
    with routing() as plane, detector(f"ipc://{tmp_path}/in") as source, process() as pictures:
        assert plane.open(asked) == ""
        pictures.follow(asked, plane.report().last_frames)
        plane.report(lambda r: r.streams[1].clients == 1)
        for last in (29, 59, 89):
            send(source, range(last - 29, last + 1))
            assert pictures.until(last)[-1] == last


def test_an_image_that_was_shown_is_not_counted_again(tmp_path: Path) -> None:
    asked = shown(tmp_path)
    with routing() as plane, detector(f"ipc://{tmp_path}/in") as source, process() as pictures:
        assert plane.open(asked) == ""
        pictures.follow(asked, plane.report().last_frames)
        plane.report(lambda r: r.streams[1].clients == 1)
        send(source, range(1))
        pictures.until(0)
        time.sleep(1.0)  # it is asked for meanwhile
        send(source, range(1, 2))
        assert pictures.until(1) == [1]


def test_an_image_nobody_wants_to_see_keeps_nobody_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asks, "LEASE", 0.3)
    turns: list[float] = []
    receive = PictureServer.receive

    def counting(server: PictureServer) -> None:
        turns.append(time.monotonic())
        receive(server)

    monkeypatch.setattr(PictureServer, "receive", counting)
    asked = shown(tmp_path)
    picture = asked.pictures["1"].changed({"enable": False, "rate": 0.1})
    asked = asked.model_copy(update={"pictures": {"1": picture}})
    with routing() as plane, detector(f"ipc://{tmp_path}/in") as source, process() as pictures:
        assert plane.open(asked) == ""
        pictures.follow(asked, plane.report().last_frames)
        viewer = RemotePictures(pictures.address)
        came = threading.Event()
        viewer.next(1, lambda _: came.set())
        send(source, range(10))
        assert came.wait(PATIENCE)
        send(source, range(10, 20))  # more come while it still counts as looking
        time.sleep(1.0)
        viewer.close()
        before = len(turns)
        time.sleep(1.0)
        assert len(turns) - before < 100


def test_a_report_names_the_place_of_last_frames_only_where_there_are_pictures(tmp_path: Path) -> None:
    without = shown(tmp_path).model_copy(update={"pictures": {}})
    with routing() as plane:
        assert plane.open(without) == ""
        assert plane.report().last_frames == ""
        assert plane.ask(plane_control.Update, configuration=shown(tmp_path).model_dump_json()) == ""
        assert plane.report().last_frames.startswith("ipc://@repstream-")
