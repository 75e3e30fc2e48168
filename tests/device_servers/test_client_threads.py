"""The interpreter's state of threads that C made: kept while they live, let go when they have ended."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable

from repstream_tango import client_threads

LIBC = ctypes.CDLL(None)
ENTRY = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)


def in_threads_of_c(call: Callable[[], object], how_many: int) -> None:
    """Call in so many threads that Python does not know, all alive at the same time."""
    together = threading.Barrier(how_many)

    def run(_: object) -> None:
        call()
        together.wait(20)

    entry, threads = ENTRY(run), [ctypes.c_ulong() for _ in range(how_many)]
    for thread in threads:
        assert LIBC.pthread_create(ctypes.byref(thread), None, entry, None) == 0
    for thread in threads:
        assert LIBC.pthread_join(thread, None) == 0


def test_states_are_kept_once_a_thread_and_dropped_when_it_has_ended() -> None:
    before = client_threads.drop_ended()
    kept: list[int] = []

    def call() -> None:
        for _ in range(3):
            client_threads.keep()
        kept.append(client_threads.drop_ended())

    for _ in range(20):
        in_threads_of_c(call, 10)
        assert client_threads.drop_ended() == before
    assert max(kept) >= before + 2


def test_a_thread_of_python_keeps_its_state_itself() -> None:
    before = client_threads.drop_ended()
    thread = threading.Thread(target=client_threads.keep)
    thread.start()
    thread.join()
    client_threads.keep()
    assert client_threads.drop_ended() == before
