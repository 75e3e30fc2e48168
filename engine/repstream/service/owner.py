"""The thread that owns an engine's state: all that changes it happens there, one thing after the other."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from repstream.errors import EngineUnreachable

log = logging.getLogger(__name__)

T = TypeVar("T")

END_TIME = 2.0
"""Seconds that whatever is under way has to end when the engine is closed."""


class Owner:
    """Runs what it is given, and never waits in any other way than by ``await``.

    Between two points at which a coroutine waits nothing else happens in this thread: what was judged
    before still holds when it is acted upon. `run` and `post` are for all other threads.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and wait for it; raises what it raises, `EngineUnreachable` after `close`."""
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
        except CancelledError:
            raise EngineUnreachable("the engine has ended") from None
        except RuntimeError:
            if not self._loop.is_closed():
                raise
            coroutine.close()
            raise EngineUnreachable("the engine has ended") from None

    def post(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have a function called, after all that was posted before; nothing after `close`."""
        try:
            self._loop.call_soon_threadsafe(self._guarded, function, *arguments)
        except RuntimeError:
            log.debug("the engine has ended")

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside all else; to be called in the owner's thread."""
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def close(self) -> None:
        """End what is under way, and the thread."""

        async def end() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=END_TIME)

        self.run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(END_TIME)

    def _main(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a fault of the engine", exc_info=error)

    @staticmethod
    def _guarded(function: Callable[..., None], *arguments: Any) -> None:
        try:
            function(*arguments)
        except Exception:  # the owner outlives any fault of ours, and says it
            log.exception("a fault of the engine")
