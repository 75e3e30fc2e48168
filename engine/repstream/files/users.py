"""Reaching files as another user, in this thread only.

``setfsuid(2)`` changes whom the kernel asks about when a file is opened or made, for the
calling thread alone; ``seteuid`` would change it for every thread of the process.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

from repstream.errors import StorageError

_UNCHANGED = -1


@contextmanager
def acting_as(user_id: int) -> Iterator[None]:
    """Within the block this thread makes and opens files as `user_id`, with its main group.

    0 and the service's own user change nothing. Raises StorageError where the service may
    not act for others (it needs the capability CAP_SETUID, as root has).
    """
    if user_id < 1 or user_id == os.geteuid():
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    group_before = libc.setfsgid(_main_group(user_id))
    user_before = libc.setfsuid(user_id)
    try:
        if libc.setfsuid(_UNCHANGED) != user_id:
            raise StorageError(
                f"files cannot be made for user {user_id}: the service runs as user {os.geteuid()} and may "
                "not act for others; set user_id to 0 or run the service with the capability CAP_SETUID"
            )
        yield
    finally:
        libc.setfsuid(user_before)
        libc.setfsgid(group_before)


def _main_group(user_id: int) -> int:
    try:
        return pwd.getpwuid(user_id).pw_gid
    except KeyError:
        return os.getegid()
