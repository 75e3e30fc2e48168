"""What clients write, on its way to the engine; fills `view.Handlers`."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from repstream.protocol import Completion, Engine, Handle, Requester
from repstream_epics.channels import Raw
from repstream_epics.publisher import Publisher
from repstream_epics.refusal import CmdStatus, ended, explain
from repstream_epics.view import Control, Edit, Execute, Follow, Outcome, Write

_T = TypeVar("_T")

SETTLED: contextvars.ContextVar[asyncio.Event | None] = contextvars.ContextVar("SETTLED", default=None)
"""Set when a put has been taken or refused and shows so; its completion may come much later."""


class Requests:
    """Takes puts to one engine, one after the other, without ever blocking the loop."""

    publisher: Publisher

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="repstream ioc")
        self._pending: list[Control] = []

    async def put(self, control: Control, raw: Raw, requester: Requester) -> bool:
        """Ask the engine for what a put wants; comes back when that has ended."""
        try:
            request = control.request(raw)
            if request is None:
                await self.publisher.ask_again()
                await self._answer(control, True)
                return True
            first = request.first if isinstance(request, Follow) else request
            handle = None if first is None else await self._ask(first, requester)
        except Exception as error:  # whatever it was, the client gets its answer
            await self._settle()  # a refused start has a result, too
            return await self._end(control, *explain(error))
        if isinstance(request, Follow):
            return await self._follow_on(control, request, handle)
        if handle is None:
            await self._settle()
            return await self._end(control, CmdStatus.OK, "")
        return await self._follow(control, handle)

    async def refuse(self, control: Control, reason: str) -> bool:
        """Report a put that must not reach the engine."""
        return await self._end(control, CmdStatus.REJECTED, reason)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, request: Write | Execute | Edit, requester: Requester) -> Handle | None:
        if isinstance(request, Write):
            await self._call(lambda: self._engine.write(request.values, requester))
            return None
        if isinstance(request, Edit):
            await self._call(lambda: self._edit(request, requester))
            return None
        return await self._call(lambda: self._engine.execute(request.command, request.argument, requester))

    def _edit(self, request: Edit, requester: Requester) -> None:
        held = self._engine.read(request.key).value
        self._engine.write({request.key: request.edited(held)}, requester)

    async def _follow(self, control: Control, handle: Handle) -> bool:
        async with self._going_on(control):
            outcome = await self._completed(handle)
        return await self._end(control, *outcome)

    async def _follow_on(self, control: Control, request: Follow, handle: Handle | None) -> bool:
        """As `_follow`, and beyond the end of the command."""
        async with self._going_on(control):
            outcome: Outcome = (CmdStatus.OK, "")
            if handle is not None:
                outcome = await self._completed(handle)
            if outcome[0] is CmdStatus.OK:
                outcome = await self.publisher.until(request.ended)
        return await self._end(control, *outcome)

    @contextlib.asynccontextmanager
    async def _going_on(self, control: Control) -> AsyncIterator[None]:
        """While inside, a command of `control` goes on."""
        self._pending.append(control)
        try:
            await self._settle()
            await control.begun(time.time())
            _settled()
            yield
        finally:
            self._pending.remove(control)

    async def _completed(self, handle: Handle) -> Outcome:
        completion = await _end_of(handle)
        await self.publisher.reached(completion.epoch, completion.sequence)
        return ended(completion)

    async def _end(self, control: Control, status: CmdStatus, message: str) -> bool:
        """Show an outcome; after a success the command that goes on, if there is one."""
        good = status is CmdStatus.OK
        await control.report(status, message, time.time())
        if good and self._pending:
            await self._pending[-1].report(CmdStatus.BUSY, "", time.time())
        await self._answer(control, good)
        _settled()
        return good

    async def _answer(self, control: Control, taken: bool) -> None:
        await control.answer(taken, control in self._pending, time.time())

    async def _settle(self) -> None:
        """Wait until the values that the engine has now are published."""
        now = await self._call(self._engine.snapshot)
        await self.publisher.reached(now.epoch, now.sequence)

    async def _call(self, function: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, functools.partial(function))


async def _end_of(handle: Handle) -> Completion:
    """Wait for the one end that every command has, wherever its engine is."""
    loop = asyncio.get_running_loop()
    end: asyncio.Future[Completion] = loop.create_future()

    def take(completion: Completion) -> None:
        if not end.done():  # nobody waits any more when the server is being stopped
            end.set_result(completion)

    def done(completion: Completion) -> None:  # in the engine's thread
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(take, completion)

    handle.on_done(done)
    return await end


def _settled() -> None:
    settled = SETTLED.get()
    if settled is not None:
        settled.set()
