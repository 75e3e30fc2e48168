"""One thread publishes for all devices; engines are attached once an address."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from queue import Queue

from repstream.parameters.catalogue import Catalogue, build
from repstream.parameters.facts import Value
from repstream.protocol import Change, Event, Handle, Reading, Requester, Snapshot
from repstream_tango.publisher import MOST_WAITING, Publisher


class SmallEngine:
    """Fills `Attachable`; events are what the test emits."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.values: dict[str, Value] = {"engine.heartbeat": 0}
        self.sequence = 0
        self.callback: Callable[[Event], None] | None = None
        self.closed = False

    @property
    def catalogue(self) -> Catalogue:
        return build()

    def emit(self, sequence: int, **values: Value) -> None:
        assert self.callback is not None
        self.callback(Change("e", sequence, float(sequence), dict(values)))

    def snapshot(self) -> Snapshot:
        return Snapshot("e", self.sequence, 0.0, dict(self.values), dict.fromkeys(self.values, 0.0))

    def read(self, key: str) -> Reading:
        return Reading(self.values[key], 0.0)

    def write(self, values: Mapping[str, Value], requester: Requester) -> None:
        raise AssertionError("a publisher does not write")

    def execute(self, command: str, argument: Value, requester: Requester) -> Handle:
        raise AssertionError("a publisher gives no command")

    def subscribe(self, callback: Callable[[Event], None]) -> SmallEngine:
        self.callback = callback
        return self

    def close(self) -> None:
        self.closed = True


class SmallDevice:
    """Fills `Publishing`; keeps what it is given."""

    def __init__(self, fails: bool = False) -> None:
        self.published: Queue[tuple[dict[str, Value], float]] = Queue()
        self.fails = fails

    def publish(self, values: Mapping[str, Value], times: Mapping[str, float], at: float) -> None:
        if self.fails:
            raise RuntimeError("a fault")
        self.published.put((dict(values), at))

    def next(self) -> dict[str, Value]:
        return self.published.get(timeout=20)[0]


def attached(
    publisher: Publisher, engines: list[SmallEngine], address: str = "a", fails: bool = False
) -> SmallDevice:
    device = SmallDevice(fails)
    publisher.attach(address, device)
    if not fails:
        assert device.next() == engines[-1].values
    return device


def made(republish: float = 60.0) -> tuple[Publisher, list[SmallEngine]]:
    engines: list[SmallEngine] = []

    def connect(address: str) -> SmallEngine:
        engines.append(SmallEngine(address))
        return engines[-1]

    return Publisher(connect, republish), engines


def test_a_device_gets_everything_when_it_joins_and_then_every_change() -> None:
    publisher, engines = made()
    device = attached(publisher, engines)
    engines[0].emit(1, x=1)
    engines[0].emit(2, x=2)
    assert [device.next(), device.next()] == [{"x": 1}, {"x": 2}]
    publisher.detach(device)


def test_devices_of_one_address_share_a_connection_until_the_last_leaves() -> None:
    publisher, engines = made()
    first = SmallDevice()
    publisher.attach("a", first)
    second = SmallDevice()
    publisher.attach("a", second)
    assert len(engines) == 1
    publisher.detach(first)
    assert not engines[0].closed
    publisher.detach(second)
    assert engines[0].closed


def test_a_device_that_left_hears_nothing_more() -> None:
    publisher, engines = made()
    gone = attached(publisher, engines)
    stays = attached(publisher, engines)
    while not gone.published.empty():
        gone.next()
    publisher.detach(gone)
    engines[0].emit(1, x=1)
    assert stays.next() == {"x": 1}
    assert gone.published.empty()
    publisher.detach(stays)


def test_a_device_goes_only_after_the_publisher_has_left_it() -> None:
    """It used to go after 0.2 s, and the publisher then had the monitor of a device that was no more."""
    publisher, engines = made()
    entered, may_leave = threading.Event(), threading.Event()

    class Busy(SmallDevice):
        def publish(self, values: Mapping[str, Value], times: Mapping[str, float], at: float) -> None:
            entered.set()
            assert may_leave.wait(20)

    publisher.attach("a", device := Busy())
    assert entered.wait(20)
    leaving = threading.Thread(target=publisher.detach, args=[device])
    leaving.start()
    leaving.join(0.5)
    assert leaving.is_alive()
    may_leave.set()
    leaving.join(20)
    assert engines[0].closed


def test_a_change_older_than_the_last_full_round_is_left_out() -> None:
    publisher, engines = made()
    publisher.attach("a", early := SmallDevice())
    early.next()
    engines[0].sequence = 5
    late = attached(publisher, engines)
    engines[0].emit(4, x="old")
    engines[0].emit(6, x="new")
    assert late.next() == {"x": "new"}
    publisher.detach(early)
    publisher.detach(late)


def test_a_fault_in_one_device_does_not_end_the_publishing() -> None:
    publisher, engines = made()
    faulty = attached(publisher, engines, fails=True)
    device = attached(publisher, engines, address="b")
    engines[0].emit(1, x=1)
    engines[1].emit(1, y=1)
    assert device.next() == {"y": 1}
    publisher.detach(faulty)
    publisher.detach(device)


def test_everything_is_published_again_without_any_change() -> None:
    publisher, engines = made(republish=0.1)
    device = attached(publisher, engines)
    engines[0].values = {"engine.heartbeat": 9}
    assert device.next() == {"engine.heartbeat": 9}
    publisher.detach(device)


def test_what_waits_behind_a_busy_device_becomes_one_round_with_the_last_values() -> None:
    """It used to wait for good: with 20 clients that poll, the queue and the server's memory grew."""
    publisher, engines = made()
    entered, may_go_on = threading.Event(), threading.Event()

    class Busy(SmallDevice):
        def publish(self, values: Mapping[str, Value], times: Mapping[str, float], at: float) -> None:
            entered.set()
            assert may_go_on.wait(20)
            super().publish(values, times, at)

    publisher.attach("a", device := Busy())
    assert entered.wait(20)
    changes = 5 * MOST_WAITING
    for number in range(1, changes + 1):
        engines[0].sequence, engines[0].values = number, {"x": number}
        engines[0].emit(number, x=number)
    may_go_on.set()
    published = [device.next()]
    while published[-1] != {"x": changes}:
        published.append(device.next())
    publisher.detach(device)
    assert len(published) == 2


def test_a_device_goes_although_much_waits_for_it() -> None:
    """It used to wait until nothing did, 10 s at most, and then went while the publisher was busy with it."""
    publisher, engines = made()
    entered, may_go_on = threading.Event(), threading.Semaphore(0)

    class Busy(SmallDevice):
        def publish(self, values: Mapping[str, Value], times: Mapping[str, float], at: float) -> None:
            super().publish(values, times, at)
            entered.set()
            assert may_go_on.acquire(timeout=20)

    publisher.attach("a", device := Busy())
    assert entered.wait(20)
    for number in range(1, 20):
        engines[0].emit(number, x=number)
    leaving = threading.Thread(target=publisher.detach, args=[device])
    leaving.start()
    leaving.join(0.2)
    may_go_on.release()
    leaving.join(20)
    assert not leaving.is_alive()
    assert device.published.qsize() == 1


def test_devices_that_join_together_cost_one_round() -> None:
    publisher, engines = made()
    entered, may_go_on = threading.Event(), threading.Event()

    class Busy(SmallDevice):
        def publish(self, values: Mapping[str, Value], times: Mapping[str, float], at: float) -> None:
            super().publish(values, times, at)
            entered.set()
            assert may_go_on.wait(20)

    publisher.attach("a", first := Busy())
    assert entered.wait(20)
    joined = [SmallDevice() for _ in range(20)]
    for device in joined:
        publisher.attach("a", device)
    may_go_on.set()
    for device in joined:
        assert device.next() == engines[0].values
    engines[0].emit(1, x=1)
    assert joined[-1].next() == {"x": 1}
    assert first.published.qsize() <= 3
    for device in (first, *joined):
        publisher.detach(device)
