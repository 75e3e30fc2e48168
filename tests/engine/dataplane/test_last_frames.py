"""The last frame of a stream is there for who missed it, and only then."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import zmq
from tests.engine.dataplane.bench import message

from repstream.dataplane.last_frames import LastFrames
from repstream.dataplane.outputs import StreamOutput
from repstream.messages import array_1_0, formats
from repstream.messages.frame import Frame
from repstream.parameters.stream import StreamConfig


class Nowhere:
    """A transport that takes everything."""

    room = None
    consumers = disconnects = 0

    def send(self, parts: object) -> bool:
        return True

    def update(self) -> None: ...

    def close(self, linger: float) -> None: ...


def frame(frame_id: int) -> Frame:
    made = formats.FrameDecoder().decode(message(frame_id))
    assert isinstance(made, Frame)
    return made


@pytest.fixture
def frames() -> Iterator[LastFrames]:
    made = LastFrames()
    yield made
    made.close()


@pytest.fixture
def asker(frames: LastFrames) -> Iterator[zmq.Socket[bytes]]:
    frames.of("live")
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(frames.address)
        yield socket


def asked(frames: LastFrames, asker: zmq.Socket[bytes], *ask: bytes) -> list[bytes]:
    """The answer; empty where there is none."""
    asker.send_multipart(ask)
    assert frames.socket is not None and frames.socket.poll(10_000)
    frames.answer()
    return asker.recv_multipart() if asker.poll(50) else []


def test_nothing_is_open_where_no_stream_is_kept(frames: LastFrames) -> None:
    assert (frames.socket, frames.address) == (None, "")


def test_the_last_frame_is_given_once(frames: LastFrames, asker: zmq.Socket[bytes]) -> None:
    assert asked(frames, asker, b"live", b"0") == []
    for frame_id in (4, 5):
        frames.of("live").note(frame(frame_id))
    name, number, *parts = asked(frames, asker, b"live", b"0")
    assert (name, array_1_0.decode(parts).frame_id) == (b"live", 5)
    assert asked(frames, asker, b"live", number) == []
    assert asked(frames, asker, b"other", b"0") == asked(frames, asker, b"live") == []
    frames.clear()
    assert asked(frames, asker, b"live", b"0") == []


def test_a_frame_that_only_the_time_kept_back_waits_for_that_time(
    frames: LastFrames, asker: zmq.Socket[bytes]
) -> None:
    frames.of("live").note(frame(1), due=time.monotonic() + 5)
    assert asked(frames, asker, b"live", b"0") == []
    frames.of("live").note(frame(2), due=time.monotonic())
    assert asked(frames, asker, b"live", b"0") != []


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ({"policy": "forward"}, 13),
        ({"policy": "send_every_nth", "every_nth": 5}, 10),
        ({"policy": "modulo", "modulo": 4}, 11),
        ({"policy": "send_every_sec", "every_sec": 60}, 13),
        ({"policy": "periodic", "burst_rate": 0.01}, 13),
    ],
)
def test_what_a_policy_chose_by_id_stays_left_out(
    frames: LastFrames, policy: dict[str, object], kept: int
) -> None:
    output = StreamOutput("live", StreamConfig.model_validate({"mode": "PUB", **policy}), Nowhere())
    output.keep(last := frames.of("live"))
    for frame_id in range(14):
        output.offer(frame(frame_id), now=0.01 * frame_id)
    assert last.frame is not None and last.frame.frame_id == kept
    output.keep(None)
    output.offer(frame(20), now=1.0)
    assert last.frame.frame_id == kept
