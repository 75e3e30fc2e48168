"""Backgrounds that instances of other servers subtract: each server is given what it needs, once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy.typing as npt

from repstream.instances.description import Configuration
from repstream.instances.spread.host import Host

KEY = "image_background"
"""The key of a configuration that names one."""

MOST_KNOWN = 10_000
"""Backgrounds at servers that are remembered to be there."""


class Kept(NamedTuple):
    """A background of this server: `stamp` is another one when it is replaced, `load` gives the image."""

    stamp: int
    load: Callable[[], npt.NDArray[Any]]


class BackgroundsForOthers:
    """Gives servers the backgrounds of this one, which `find` has by id (None: not here). Thread-safe."""

    def __init__(self, find: Callable[[str], Kept | None]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._given: OrderedDict[tuple[str, float, str, int], None] = OrderedDict()

    def give(self, host: Host, configuration: Configuration) -> None:
        """Have a server keep the background that a configuration names, before it is asked for it.

        One that is not here may be there: that server says so if not. Raises `RepstreamError`.
        """
        name = configuration.get(KEY)
        kept = self._find(str(name)) if name else None
        if kept is None:
            return
        # A server that was started anew may have another folder.
        at_host = (host.address, host.look().started, str(name), kept.stamp)
        with self._lock:
            if at_host in self._given:
                return
        host.keep_background(str(name), kept.load())
        with self._lock:
            self._given[at_host] = None
            if len(self._given) > MOST_KNOWN:
                self._given.popitem(last=False)
