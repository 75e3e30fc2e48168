"""Python's state of the threads that serve clients, kept from one call to the next.

These threads are omniORB's. Each time one of them enters Python and has no state there, the interpreter
makes one, with a stack of its own, and drops it when the thread leaves: once for each attribute that is read.
That is half of what a poll costs. So a thread keeps its state until it ends; `drop_ended` finds which have.
"""

from __future__ import annotations

import ctypes
import threading
from pathlib import Path

TASKS = Path("/proc/self/task")
"""Has an entry for each thread that lives; where there is no such folder, no state is kept."""

_api = ctypes.pythonapi
_api.PyThreadState_Get.restype = ctypes.c_void_p
_api.PyThreadState_Clear.argtypes = _api.PyThreadState_Delete.argtypes = [ctypes.c_void_p]

_kept: dict[int, int] = {}
"""The address of the state, by the system's number of the thread."""


def keep() -> None:
    """Keep the state of this thread, unless Python has made the thread itself."""
    number, state = threading.get_native_id(), _api.PyThreadState_Get()
    known = _kept.get(number)
    if known == state or not _is_foreign():
        return
    if known is not None:  # of a thread that has ended, and whose number this one got
        _drop([known])
    _api.PyGILState_Ensure()  # once more than the thread leaves
    _kept[number] = state


def drop_ended() -> int:
    """Let go of the states of threads that have ended; how many others are kept."""
    ended = [number for number in list(_kept) if not (TASKS / str(number)).exists()]
    if ended:
        _drop([_kept.pop(number) for number in ended])
    return len(_kept)


def _is_foreign() -> bool:
    made_here = {
        thread.ident for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)
    }
    return threading.get_ident() not in made_here and TASKS.exists()


def _drop(states: list[int]) -> None:
    # From Python 3.12 on this also takes the state from the thread that does it: one that ends then.
    thread = threading.Thread(target=_delete, args=(states,), name="thread states")
    thread.start()
    thread.join()


def _delete(states: list[int]) -> None:
    for state in states:
        _api.PyThreadState_Clear(state)
        _api.PyThreadState_Delete(state)
