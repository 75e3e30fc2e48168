"""How requests wait: for their turn, for work done aside, and never longer than they have time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from repstream.errors import Refused, Unanswered

T = TypeVar("T")

WAIT_TIME = 5.0
"""Seconds that a request waits for its turn, a drain or a folder; it is refused then."""

ANSWER_TIME = 8.0
"""Seconds that a requester waits for a request that has its turn; it goes on then without them."""

STALL_TIME = 2.0
"""As `ANSWER_TIME`, while the data plane gives no sign of life."""

_LOOK = 0.1

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


class Turn:
    """Requests that change the state do so one after the other, each until it is in force.

    What a request has judged in its turn holds until the data plane has answered: another request that
    comes meanwhile is judged afterwards.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._holder: asyncio.Task[Any] | None = None
        self._subject = ""

    @asynccontextmanager
    async def __call__(self, subject: str) -> AsyncIterator[None]:
        """One's turn; raises `Refused` where another request does not end."""
        await waited(self._lock.acquire(), subject, self._busy)
        self._holder, self._subject = asyncio.current_task(), subject
        try:
            yield
        finally:
            self._holder, self._subject = None, ""
            self._lock.release()

    async def in_time(self, subject: str, action: Coroutine[Any, Any, T], stalled: Callable[[], str]) -> T:
        """Do a request as long as the requester has time; raises what it raises, or `Unanswered`.

        `stalled` says why an answer of the data plane may take long; it is empty where nothing speaks for
        that.
        """

        async def timed() -> T:
            limit()
            return await action

        begun, task = time.monotonic(), asyncio.create_task(timed())
        while not (await asyncio.wait({task}, timeout=_LOOK))[0]:
            why = stalled()
            if self._holder is task and time.monotonic() - begun > (STALL_TIME if why else ANSWER_TIME):
                task.add_done_callback(_heard)
                raise Unanswered(subject, f"not known yet: {why or 'it takes long'}; it goes on")
        return task.result()

    def _busy(self) -> str:
        return f"{self._subject or 'another request'} has not ended yet; nothing was changed, try again"


def limit() -> None:
    """Whatever is waited for from now on in this task has `WAIT_TIME` seconds altogether."""
    _deadline.set(asyncio.get_running_loop().time() + WAIT_TIME)


async def waited(awaitable: Awaitable[T], subject: str, why: Callable[[], str]) -> T:
    """Wait as long as the request has time; raises `Refused` with `why` then."""
    try:
        async with asyncio.timeout_at(_deadline.get()):
            return await awaitable
    except TimeoutError:
        raise Refused(subject, why()) from None


def aside(function: Callable[[], T]) -> asyncio.Future[T]:
    """Call what may hang in a thread of its own, which may hang alone."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    future.add_done_callback(_heard)

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = function()
        except BaseException as caught:
            error = caught
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            return  # the engine has ended meanwhile

    threading.Thread(target=run, name="aside", daemon=True).start()
    return future


def _heard(future: asyncio.Future[Any]) -> None:
    """Whoever waited may have gone; an error is theirs to look at."""
    if not future.cancelled():
        future.exception()
