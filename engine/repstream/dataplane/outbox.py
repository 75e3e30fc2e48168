"""Notices on their way to who started this process, and may be slow to read them."""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

N = TypeVar("N")


class Outbox(Generic[N]):
    """Sends notices in order by `send`, and never waits for the reader.

    The kernel calls the pipe writable while at least three quarters of its buffer (about
    200 kB) are free, which is more than any notice needs; what does not fit stays here.

    With `answers_first` whatever is put before the first answer is dropped: the reader waits for that
    answer, which brings all that is current.
    """

    def __init__(
        self, pipe: Connection, send: Callable[[Connection, N], None], *, answers_first: bool = False
    ) -> None:
        self._pipe = pipe
        self._send = send
        self._writable = select.poll()
        self._writable.register(pipe, select.POLLOUT)
        self._notices: deque[N] = deque()
        self._holding = False
        self._is_mute = answers_first

    @property
    def waiting(self) -> bool:
        """Whether the reader is behind."""
        return bool(self._notices)

    def put(self, notice: N) -> None:
        """Send a notice, now or (`flush`) later."""
        if self._is_mute:
            return
        self._notices.append(notice)
        self.flush()

    def answer(self, do: Callable[[], N]) -> None:
        """Do what is asked and send the answer that it gives, before all notices that come of it."""
        before, self._holding, self._is_mute = len(self._notices), True, False
        try:
            answer = do()
        finally:
            self._holding = False
        self._notices.insert(before, answer)
        self.flush()

    def flush(self) -> None:
        """Send what waits, as much as the pipe takes; nothing where the reader is gone."""
        try:
            while self._notices and not self._holding and self._writable.poll(0):
                self._send(self._pipe, self._notices.popleft())
        except OSError:
            # The end of the pipe shows at its reading side, where it is acted upon.
            self._notices.clear()
