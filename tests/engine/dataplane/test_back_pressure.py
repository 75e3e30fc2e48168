"""What a consumer that is slow, absent, reconnecting or killed does to counters and other outputs.

Every case for both socket types and every rule; `docs/explanations/back-pressure.md` says the same
in words.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import zmq
from tests.engine.dataplane.bench import Plane, configuration, frame_ids, message, receive, send
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_acquisitions import sums

from repstream.dataplane import control

Address = Callable[[str], str]
Socket = zmq.Socket[bytes]
QUEUE = 5
LARGE = (600, 1000)  # 1.2 MB: a PUSH socket holds 27 of them
MANY = 60

CASES = pytest.mark.parametrize(
    "case",
    [(mode, rule) for mode in ("PUSH", "PUB") for rule in ("block", "drop_oldest", "drop_newest")],
    ids="-".join,
)
Case = tuple[str, str]


class Scene:
    """A stream under test beside one whose consumer takes all."""

    def __init__(self, plane: Plane, address: Address, peer: Opener, case: Case) -> None:
        self.plane = plane
        self.mode, self.rule = case
        self.address = address("tested")
        self._peer = peer
        tested = {"address": self.address, "mode": self.mode, "on_slow": self.rule, "buffer_size": QUEUE}
        streams = {"tested": tested, "free": {"address": address("free")}}
        config = configuration(address("in"), streams=streams)
        # Little room at the input too, so that it is full where an output blocks.
        source = config.source.changed({"buffer_memory": 16})
        assert plane.open(config.model_copy(update={"source": source})) == ""
        self.source = peer(zmq.PUSH, bind=address("in"))
        self.free = peer(zmq.PULL, connect=address("free"))
        plane.report(lambda r: r.source.connected and r.streams[2].clients == 1)

    @property
    def pushes(self) -> bool:
        return self.mode == "PUSH"

    def consumer(self) -> Socket:
        """One that has connected, and whose subscription has arrived."""
        sink = self._peer(zmq.PULL if self.pushes else zmq.SUB, connect=self.address, hwm=1)
        self.plane.stream(1, lambda s: s.clients > 0)
        if not self.pushes:
            self.subscribe(lambda: bool(sink.poll(50)))
            while sink.poll(100):
                sink.recv_multipart()
        return sink

    def subscribe(self, arrives: Callable[[], bool]) -> None:
        """Send frames until one arrives."""
        while not arrives():
            self.source.send_multipart(message(0, LARGE))
            self.free.recv_multipart()

    def send(self, ids: range) -> control.StreamReport:
        """Send large frames; the tested stream before that, all queues being empty."""
        before = self.plane.stream(1, lambda s: s.ledger.queued == 0)
        send(self.source, ids, shape=LARGE)
        return before

    def check_sums(self) -> control.Report:
        report = self.plane.report()
        for stream in report.streams.values():
            assert sums(stream.ledger) == stream.ledger.offered == report.source.ledger.frames
        return report

    def free_gets(self, ids: range) -> None:
        assert frame_ids(receive(self.free, len(ids))) == list(ids)

    def settled(self, offered: int) -> control.Report:
        return self.plane.report(lambda r: r.streams[1].ledger.offered == offered)


@pytest.fixture
def scene(plane: Plane, address: Address, peer: Opener, case: Case) -> Scene:
    return Scene(plane, address, peer, case)


@CASES
def test_no_consumer(scene: Scene) -> None:
    send(scene.source, range(30))
    if scene.rule == "block" and scene.pushes:
        held = scene.plane.report(lambda r: r.streams[1].blocking)
        assert held.source.ledger.frames == QUEUE + 1  # the queue, and one that found it full
        scene.free_gets(range(QUEUE + 1))
        assert scene.check_sums().losses == 0
        return
    scene.free_gets(range(30))
    report = scene.settled(30)
    ledger = report.streams[1].ledger
    if scene.pushes:
        assert (ledger.sent, ledger.queued, ledger.dropped) == (0, QUEUE, {"queue": 30 - QUEUE})
        assert report.losses == 30 - QUEUE
    else:
        assert (ledger.sent, ledger.queued, ledger.dropped) == (30, 0, {})  # published to nobody
        assert report.losses == 0
    assert not report.streams[1].blocking
    scene.check_sums()


@CASES
def test_slow_consumer(scene: Scene) -> None:
    sink = scene.consumer()
    before = scene.send(range(MANY)).ledger
    if scene.rule == "block":
        scene.plane.report(lambda r: r.streams[1].blocking)
        held = scene.plane.report()
        got = held.source.ledger.frames - before.offered
        assert QUEUE < got < MANY
        scene.free_gets(range(got))
        assert scene.plane.report().source.ledger.frames == held.source.ledger.frames
        assert frame_ids(receive(sink, MANY)) == list(range(MANY))  # it takes them up: nothing is lost
        scene.free_gets(range(got, MANY))
        assert scene.check_sums().losses == 0
        return
    scene.free_gets(range(MANY))
    report = scene.settled(before.offered + MANY)
    ledger = report.streams[1].ledger
    assert not report.streams[1].blocking
    if not scene.pushes:
        # libzmq drops for each slow subscriber on its own, and tells nobody.
        assert (ledger.sent - before.sent, ledger.dropped, report.losses) == (MANY, {}, 0)
        assert 0 < len(rest_of(sink)) < MANY
        return
    lost = ledger.dropped["queue"]
    assert 0 < lost == report.losses
    ids = frame_ids(receive(sink, MANY - lost))
    assert ids == sorted(ids)
    assert (ids[-1] == MANY - 1) is (scene.rule == "drop_oldest")
    assert (ids == list(range(MANY - lost))) is (scene.rule == "drop_newest")
    assert scene.plane.stream(1, lambda s: s.ledger.queued == 0).ledger.sent - before.sent == MANY - lost
    scene.check_sums()


def test_a_consumer_that_comes_later_gets_no_larger_share(
    plane: Plane, address: Address, peer: Opener
) -> None:
    scene = Scene(plane, address, peer, ("PUSH", "drop_oldest"))
    first = scene.consumer()
    scene.send(range(1))
    receive(first, 1)
    first.close(0)
    plane.stream(1, lambda s: s.clients == 0)
    second = scene.consumer()
    scene.send(range(1, MANY))
    scene.free_gets(range(MANY))
    lost = scene.settled(MANY).streams[1].ledger.dropped["queue"]
    assert len(receive(second, MANY - 1 - lost)) < MANY - 1


@pytest.mark.parametrize("mode", ["PUSH", "PUB"])
def test_frames_that_become_smaller_while_all_is_full_stall_nothing(
    plane: Plane, address: Address, peer: Opener, mode: str
) -> None:
    scene = Scene(plane, address, peer, (mode, "block"))
    sink = scene.consumer()
    scene.send(range(MANY))
    plane.report(lambda r: r.streams[1].blocking)
    send(scene.source, range(MANY, 20 * MANY))
    assert frame_ids(receive(sink, 20 * MANY)) == list(range(20 * MANY))
    scene.free_gets(range(20 * MANY))


def rest_of(sink: Socket) -> list[list[bytes]]:
    found = []
    while sink.poll(300):
        found.append(sink.recv_multipart())
    return found


@CASES
def test_consumer_that_reconnects(scene: Scene) -> None:
    sink = scene.consumer()
    scene.send(range(10))
    if scene.pushes or scene.rule == "block":
        assert frame_ids(receive(sink, 10)) == list(range(10))
    scene.free_gets(range(10))
    sink.close(0)
    gone = scene.plane.stream(1, lambda s: s.clients == 0)
    assert gone.disconnects == 1
    scene.send(range(10, 14))
    scene.free_gets(range(10, 14))
    offered = gone.ledger.offered + 4
    away = scene.settled(offered).streams[1]
    assert (away.blocking, away.ledger.dropped) == (False, {})
    assert away.ledger.queued == (4 if scene.pushes else 0)
    again = scene.consumer()
    if scene.pushes:
        assert frame_ids(receive(again, 4)) == list(range(10, 14))  # they waited for it
    send(scene.source, [14])
    scene.free_gets(range(14, 15))
    assert frame_ids(receive(again, 1)) == [14]
    assert scene.check_sums().losses == 0


CONSUMER = """
import sys, time, zmq
kind, address = sys.argv[1:]
sink = zmq.Context().socket(getattr(zmq, kind))
sink.rcvhwm = 1
if kind == "SUB":
    sink.subscribe(b"")
sink.connect(address)
sink.recv_multipart()
print("one", flush=True)
time.sleep(600)
"""


@pytest.fixture
def hung(scene: Scene) -> Iterator[subprocess.Popen[bytes]]:
    """A consumer in a process of its own that takes one frame and then no more."""
    kind = "PULL" if scene.pushes else "SUB"
    command = [sys.executable, "-c", CONSUMER, kind, scene.address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    scene.plane.stream(1, lambda s: s.clients == 1)
    told = zmq.Poller()
    told.register(process.stdout, zmq.POLLIN)
    scene.subscribe(lambda: bool(told.poll(50)))
    yield process
    process.kill()
    process.communicate()


@CASES
def test_consumer_that_is_killed(scene: Scene, hung: subprocess.Popen[bytes]) -> None:
    before = scene.send(range(MANY)).ledger
    if scene.rule == "block":
        scene.plane.report(lambda r: r.streams[1].blocking)
        stuck = scene.plane.report()
    else:
        stuck = scene.settled(before.offered + MANY)
    taken = stuck.streams[1].ledger.sent - before.sent
    hung.kill()
    assert scene.plane.stream(1, lambda s: s.clients == 0).disconnects == 1
    if not scene.pushes:
        # Nobody is left to wait for: everything goes out, to nobody.
        last = scene.settled(before.offered + MANY).streams[1]
        assert (last.ledger.sent - before.sent, last.ledger.dropped) == (MANY, {})
        scene.free_gets(range(MANY))
        scene.check_sums()
        return
    # What was in the socket went with it and counts as sent; what waited here goes to the next one.
    if scene.rule == "block":
        left = list(range(taken, MANY))
    elif scene.rule == "drop_newest":
        left = list(range(taken, taken + QUEUE))
    else:
        left = list(range(MANY - QUEUE, MANY))
    assert frame_ids(receive(scene.consumer(), len(left))) == left
    scene.free_gets(range(MANY))
    dropped = scene.settled(before.offered + MANY).losses
    assert dropped == (0 if scene.rule == "block" else MANY - taken - QUEUE)
    scene.check_sums()
