"""Which port an instance's stream gets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Sequence

from repstream.errors import PortTakenError

CAMERA_PORTS = range(10100, 10301)
PIPELINE_PORTS = range(11100, 11201)


class Ports:
    """Hands out the ports of a range round robin, leaving out those that somebody listens at."""

    def __init__(self, allowed: Sequence[int]) -> None:
        self._allowed = allowed
        self._next = 0
        self._taken: set[int] = set()
        self._lock = threading.Lock()

    def take(self, wanted: int = 0, avoided: Iterable[int] = ()) -> int:
        """A free port; `wanted` is that one or none, `avoided` come last. Raises `PortTakenError`."""
        with self._lock:
            for port in (wanted,) if wanted else sorted(self._in_turn(), key=set(avoided).__contains__):
                if port not in self._taken and _is_free(port):
                    self._taken.add(port)
                    if not wanted:
                        self._next = (self._allowed.index(port) + 1) % len(self._allowed)
                    return port
        if wanted:
            raise PortTakenError(f"port {wanted} is taken: give another `port`, or end what listens there")
        first, last = self._allowed[0], self._allowed[-1]
        raise PortTakenError(f"no port from {first} to {last} is free: stop instances that are not needed")

    def give_back(self, port: int) -> None:
        """Let others have a port again."""
        with self._lock:
            self._taken.discard(port)

    def _in_turn(self) -> list[int]:
        n = len(self._allowed)
        return [self._allowed[(self._next + i) % n] for i in range(n)]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As libzmq does: connections of an earlier stream that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
