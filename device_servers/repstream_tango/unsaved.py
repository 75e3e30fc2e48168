"""Configurations of attributes that do not go into the database.

What Tango has for that is a switch of the whole process: while it is off, everything in the process is as
without a database. A device that is exported then ends the server, one that is initialised does not find its
properties, and a client that subscribes is given names of events that never come. So whatever needs the
database keeps the switch from being turned, or is kept waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tango import AutoTangoMonitor, Util

_switch = threading.RLock()


@contextmanager
def using_database() -> Iterator[None]:
    """Within the block the database is used: devices may be made, and read their properties."""
    with _switch:
        yield


@contextmanager
def unsaved(device: Any) -> Iterator[bool]:
    """Whether what is set of `device` within the block stays out of the database; if not, it has to wait.

    Whoever calls must not hold the device's monitor, which is held within. So is that of the device that
    answers to subscriptions, and it comes first, as where a client has a device restarted. Raises `DevFailed`
    where one of them is not to be had in 3.2 s.
    """
    util = Util.instance()
    if util.is_svr_starting():
        yield False
        return
    with AutoTangoMonitor(util.get_dserver_device()), AutoTangoMonitor(device):
        if not _switch.acquire(blocking=False):
            yield False
            return
        with_database = Util._UseDb
        try:
            Util.set_use_db(False)
            yield True
        finally:
            Util.set_use_db(with_database)
            _switch.release()
