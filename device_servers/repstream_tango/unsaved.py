"""Configurations of attributes that do not go into the database.

What Tango has for that is a switch of the whole process. A device that is exported while it is off
is exported as without a database, and that ends a server that has one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tango import Util

_switch = threading.Lock()


@contextmanager
def exporting() -> Iterator[None]:
    """Within the block devices may be made while the server runs."""
    with _switch:
        yield


@contextmanager
def unsaved() -> Iterator[bool]:
    """Whether what is set within the block stays out of the database; if not, it has to wait."""
    if Util.instance().is_svr_starting() or not _switch.acquire(blocking=False):
        yield False
        return
    with_database = Util._UseDb
    Util.set_use_db(False)
    try:
        yield True
    finally:
        Util.set_use_db(with_database)
        _switch.release()
