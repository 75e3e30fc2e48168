"""Peers as libzmq's events tell of them, whose order two I/O threads may change."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest
import zmq

from repstream.sources.monitor import PeerMonitor

OPENED, SUCCEEDED, LOST = zmq.Event.ACCEPTED, zmq.Event.HANDSHAKE_SUCCEEDED, zmq.Event.DISCONNECTED
FAILED = zmq.Event.HANDSHAKE_FAILED_PROTOCOL


@pytest.fixture
def monitor() -> Iterator[PeerMonitor]:
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
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
    book(monitor, (OPENED, 7), (FAILED, 5), (LOST, 7))
    assert (monitor.peers, monitor.disconnects, monitor.given_up) == (0, 0, True)


def test_a_silent_peer_does_not_hide_a_good_one(monitor: PeerMonitor) -> None:
    book(monitor, (OPENED, 7), (OPENED, 8), (SUCCEEDED, 0), (LOST, 7))
    assert (monitor.peers, monitor.disconnects) == (1, 0)
    book(monitor, (LOST, 8))
    assert (monitor.peers, monitor.disconnects) == (0, 1)
