"""What clients write, on its way to the engine; fills `projection.Handlers`."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from repstream.errors import Refused
from repstream.parameters.catalogue import Command, Parameter
from repstream.protocol import Completion, Engine, Handle, Requester
from repstream_epics import types
from repstream_epics.channels import Raw
from repstream_epics.projection import OFF_ON, CommandPVs, ParameterPVs, View
from repstream_epics.publisher import Publisher
from repstream_epics.refusal import CmdStatus, ended, explain
from repstream_epics.reports import report
from repstream_epics.states import NO_ALARM

_T = TypeVar("_T")

PAUSE = 0.05
"""Seconds between the last value and the answer to a put.

caproto sends answers before queued monitors: without a pause a client that reads its cache right after
the answer saw old values 10 times of 10, with 20 ms never.
"""

SETTLED: contextvars.ContextVar[asyncio.Event | None] = contextvars.ContextVar("SETTLED", default=None)
"""Set when a put has been taken or refused and shows so; its completion may come much later."""


class Requests:
    """Takes puts to one engine, one after the other, without ever blocking the loop."""

    view: View
    publisher: Publisher

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="repstream ioc")
        self._pending: list[Command] = []

    async def put(self, pvs: ParameterPVs, raw: Raw, requester: Requester) -> bool:
        """Write a parameter."""
        parameter = pvs.parameter
        try:
            value = _checked(parameter.key, lambda: types.from_pv(parameter, raw))
            await self._call(lambda: self._engine.write({parameter.key: value}, requester))
        except Exception as error:  # whatever it was, the client gets its answer
            status, message = explain(error)
        else:
            status, message = CmdStatus.OK, ""
            await self._settle()
        await pvs.answer(status is CmdStatus.OK, time.time())
        await self._report(parameter, status, message)
        await _pause()
        return status is CmdStatus.OK

    async def argue(self, pvs: CommandPVs, raw: Raw, requester: Requester) -> bool:
        """Keep an argument for the next command."""
        declared, channel = pvs.command.argument, pvs.argument
        if declared is None or channel is None:
            return False
        try:
            value = _checked(f"{pvs.command.key}'s argument", lambda: types.from_pv(declared, raw))
        except Refused as error:
            await self._report(pvs.command, *explain(error))
            return False
        await channel.show(value, NO_ALARM, time.time(), again=True)
        return True

    async def press(self, pvs: CommandPVs, raw: Raw, requester: Requester) -> bool:
        """Give a command; comes back when it has ended."""
        command = pvs.command
        try:
            if OFF_ON[0] == _checked(command.key, lambda: types.choice(OFF_ON, raw)):
                return True
            argument = pvs.given()
            handle = await self._call(lambda: self._engine.execute(command.key, argument, requester))
        except Exception as error:  # whatever it was, the client gets its answer
            await self._report(command, *explain(error))
            await pvs.button.show(OFF_ON[bool(pvs.pending)], NO_ALARM, time.time(), again=True)
            await _pause()
            return False
        return await self._follow(pvs, handle)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _follow(self, pvs: CommandPVs, handle: Handle) -> bool:
        pvs.pending += 1
        self._pending.append(pvs.command)
        try:
            await self._settle()
            await pvs.button.show(OFF_ON[1], NO_ALARM, time.time())
            await self._report(pvs.command, CmdStatus.BUSY, "")
            if pvs.argument is not None:  # used up: the next command would not expect it
                await pvs.argument.show(_empty(pvs.argument.value), NO_ALARM, time.time())
            _settled()
            completion = await _end_of(handle)
            await self.publisher.reached(completion.epoch, completion.sequence)
        finally:
            pvs.pending -= 1
            self._pending.remove(pvs.command)
        status, message = ended(completion)
        await self._report(pvs.command, status, message)
        await pvs.button.show(OFF_ON[bool(pvs.pending)], NO_ALARM, time.time())
        await _pause()
        return status is CmdStatus.OK

    async def _report(self, item: Parameter | Command, status: CmdStatus, message: str) -> None:
        """Show an outcome; after a success the command that goes on, if there is one."""
        await report(self.view, item, status, message, time.time())
        if status is CmdStatus.OK and self._pending:
            await report(self.view, self._pending[-1], CmdStatus.BUSY, "", time.time())

    async def _settle(self) -> None:
        """Wait until the values that the engine has now are published."""
        now = await self._call(self._engine.snapshot)
        await self.publisher.reached(now.epoch, now.sequence)

    async def _call(self, function: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, functools.partial(function))


def _checked(subject: str, convert: Callable[[], _T]) -> _T:
    try:
        return convert()
    except ValueError as error:
        raise Refused(subject, str(error)) from None


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


def _empty(value: object) -> object:
    return "" if isinstance(value, str) else 0


def _settled() -> None:
    settled = SETTLED.get()
    if settled is not None:
        settled.set()


async def _pause() -> None:
    _settled()
    await asyncio.sleep(PAUSE)
