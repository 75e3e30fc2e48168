"""Peers as libzmq's events tell of them, whose order two I/O threads may change."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import permutations

import pytest
import zmq
from tests.sockets import keeping_context

from repstream.sockets.monitor import GRACE, PeerMonitor

OPENED, SUCCEEDED, LOST = zmq.Event.ACCEPTED, zmq.Event.HANDSHAKE_SUCCEEDED, zmq.Event.DISCONNECTED
RETRIED = zmq.Event.CONNECT_RETRIED


@pytest.fixture
def monitor() -> Iterator[PeerMonitor]:
    with keeping_context() as context, context.socket(zmq.PULL) as socket:
        monitor = PeerMonitor(socket)
        yield monitor
        monitor.close()


def book(monitor: PeerMonitor, *events: tuple[zmq.Event, int]) -> None:
    for event, descriptor in events:
        monitor._book(event, descriptor)


@pytest.mark.parametrize("order", list(permutations([(OPENED, 7), (SUCCEEDED, 0)])))
def test_a_peer_is_there_whichever_event_comes_first(
    monitor: PeerMonitor, order: tuple[tuple[zmq.Event, int], ...]
) -> None:
    book(monitor, *order)
    assert monitor.peers == 1
    book(monitor, (LOST, 7))
    assert (monitor.peers, monitor.disconnects) == (0, 1)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_peer_that_came_and_went_is_gone_in_any_order(monitor: PeerMonitor, place: int) -> None:
    events = [(SUCCEEDED, 0), (LOST, 7)]  # one thread tells of both, in this order
    events.insert(place, (OPENED, 7))
    book(monitor, *events)
    assert (monitor.peers, monitor.disconnects) == (0, 1)


def test_a_failed_handshake_is_no_peer(monitor: PeerMonitor) -> None:
    book(monitor, (OPENED, 7), (LOST, 7))
    assert (monitor.peers, monitor.disconnects, monitor.refused) == (0, 0, True)
    book(monitor, (OPENED, 8), (SUCCEEDED, 0))
    assert not monitor.refused


@pytest.mark.parametrize("end", [(LOST,), (SUCCEEDED, LOST)])
def test_a_loss_after_which_libzmq_does_not_try_again_is_final(
    monitor: PeerMonitor, monkeypatch: pytest.MonkeyPatch, end: tuple[zmq.Event, ...]
) -> None:
    book(monitor, (OPENED, 7), *((event, 7) for event in end))
    assert not monitor.given_up  # it may still say so
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 2 * GRACE)
    assert monitor.given_up
    book(monitor, (RETRIED, 100))
    assert not monitor.given_up


def test_a_handshake_that_lasts_is_seen(monitor: PeerMonitor, monkeypatch: pytest.MonkeyPatch) -> None:
    book(monitor, (OPENED, 7))
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 5)
    assert monitor.handshaking >= 4
    book(monitor, (SUCCEEDED, 0))
    assert monitor.handshaking == 0


def test_a_silent_peer_does_not_hide_a_good_one(monitor: PeerMonitor) -> None:
    book(monitor, (OPENED, 7), (OPENED, 8), (SUCCEEDED, 0), (LOST, 7))
    assert (monitor.peers, monitor.disconnects) == (1, 0)
    book(monitor, (LOST, 8))
    assert (monitor.peers, monitor.disconnects) == (0, 1)
