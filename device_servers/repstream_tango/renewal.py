"""Starting the server anew where an engine has other parameters than the devices were made for.

Attributes cannot follow: adding and removing them while a server runs has crashed servers. So the process
starts its own program again, under the same process id, and whoever keeps it running notices nothing.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Collection

from repstream.link.fitting import misfit
from repstream.link.remote import RemoteEngine
from repstream.parameters.catalogue import Catalogue

LOOK_TIME = 1.0
"""Seconds between two looks at the engines."""

log = logging.getLogger(__name__)


def watch(engines: Collection[RemoteEngine], made: Catalogue) -> None:
    """Look at `engines`, which may become more, from a thread; `made` is what the devices were made for."""
    threading.Thread(target=_watch, args=(engines, made), name="renewal", daemon=True).start()


def _watch(engines: Collection[RemoteEngine], made: Catalogue) -> None:
    known: list[Catalogue] = []
    while True:
        time.sleep(LOOK_TIME)
        found = [engine.catalogue for engine in tuple(engines) if engine.connected]
        if all(any(one is other for other in known) for one in found):
            continue
        known = found
        if not (different := next(filter(None, (misfit(made, one) for one in found)), "")):
            continue
        if any(misfit(found[0], other) for other in found[1:]):
            log.error("these engines are of different kinds: start a server for each kind (%s)", different)
            continue
        log.warning("the devices are made anew for another engine: %s", different)
        logging.shutdown()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
