"""Free ports for servers under test."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator

BELOW_EPHEMERAL = range(20_000, 32_000)
"""Where the kernel takes no ports for connections of its own, so that none is gone before it is used."""
SHARES = 12
"""Processes of one run have ports of their own, up to this many of them."""


def _own_ports(worker: str) -> Iterator[int]:
    """Ports of this process in turn, so that none is given out again while it is still in use."""
    share = len(BELOW_EPHEMERAL) // SHARES
    number = int(worker.removeprefix("gw") or 0) % SHARES
    own = BELOW_EPHEMERAL[number * share : (number + 1) * share]
    # Another run on this host begins elsewhere.
    first = random.SystemRandom().randrange(share)
    while True:
        yield from own[first:]
        yield from own[:first]


_PORTS = _own_ports(os.environ.get("PYTEST_XDIST_WORKER", ""))


def free_port() -> int:
    """A port of 127.0.0.1 that is free now, for TCP and UDP."""
    for port in _PORTS:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("unreachable: ports are given out in turn without end")


def free_ports(count: int) -> list[int]:
    """So many ports that are free now, for what hands them out itself: a range that all processes of a run
    share would give one of them a port that another is about to bind."""
    return [free_port() for _ in range(count)]


def ports_in_a_row(count: int) -> int:
    """The first of as many free ports."""
    while True:
        first = free_port()
        if all(free_port() == first + number for number in range(1, count)):
            return first
