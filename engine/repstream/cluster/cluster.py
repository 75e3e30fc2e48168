"""`Cluster`: engines on several hosts that somebody else starts, attached by their addresses.

::

    with Cluster({"north": "tcp://north:9600", "south": "tcp://south:9600"}) as cluster:
        acquisition = cluster.begin(Request(Path("/data/scan.h5"), images=1000))
        made = acquisition.join(acquisition.wait())
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack

from repstream.cluster import acquisition
from repstream.cluster.acquisition import Acquisition, Request
from repstream.cluster.member import Look, Member
from repstream.lifetime import Closing
from repstream.link.attach import attached


class Cluster(Closing):
    """The engines at `addresses`, by host; the k-th of them (from 0) has the images with id % N == k.

    None of them need be there yet; one that goes away is found again by itself. `writer`: the name of
    the writer that takes part, the same on every host. Raises `ValueError` for what is no address.
    """

    def __init__(self, addresses: Mapping[str, str], key: str = "", writer: str = "main") -> None:
        self._close = ExitStack()
        engines = self._close.enter_context(attached(addresses, key, "cluster"))
        self._members = {name: Member(name, engine, writer) for name, engine in engines.items()}

    def wait_reachable(self, timeout: float) -> None:
        """Wait at most `timeout` seconds until every engine has answered; `look` says which has not."""
        end = time.monotonic() + timeout
        while not all(member.engine.connected for member in self._members.values()):
            if time.monotonic() >= end:
                return
            time.sleep(0.02)

    def look(self) -> list[Look]:
        """Every engine as it is now."""
        return [member.look() for member in self._members.values()]

    def begin(self, request: Request) -> Acquisition:
        """Begin an acquisition on all hosts or on none; raises `Refused` with the host's name."""
        return acquisition.begin(self._members, request)

    def stop(self) -> dict[str, str]:
        """Stop the writer on every host; host -> why it could not be stopped."""
        return acquisition.stop(self._members)

    def close(self) -> None:
        """Leave the engines, which go on."""
        self._close.close()
