"""Following a command to its end without holding a thread for it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from repstream.errors import InvalidValue
from repstream.parameters.facts import Value
from repstream.protocol import Completion, Engine, Handle, Requester
from repstream.states import StartResult
from repstream_http import refusal
from repstream_http.answers import CommandAnswer

_ENDED_EARLY = frozenset({StartResult.INTERRUPTED.value, StartResult.ABORTED.value})

LONGEST_WAIT = 86_400.0
"""Seconds that one request may follow a command."""


async def execute(
    engine: Engine, command: str, argument: Value, asker: Requester, wait: float | None
) -> tuple[Handle, Completion | None]:
    """Give a command and follow it for at most `wait` seconds; the completion is None where it goes on."""
    handle = await run_in_threadpool(engine.execute, command, argument, asker)
    return handle, await _end_of(handle, wait) if wait else handle.completion


def wait_of(body: dict[str, Any], subject: str) -> float | None:
    """The ``wait`` of a request's body; raises `InvalidValue`."""
    wait = body.get("wait")
    if wait is None:
        return None
    if isinstance(wait, bool) or not isinstance(wait, int | float) or not 0 <= wait <= LONGEST_WAIT:
        limits = f"a number of seconds from 0 to {LONGEST_WAIT:g}"
        raise InvalidValue(subject, f"wait must be null or {limits}, not {wait!r:.80}")
    return float(wait)


def answer(handle: Handle, shown: str, completion: Completion | None) -> JSONResponse:
    """200: it ended well; 202: it goes on; 424: its acquisition ended early; 500: it failed."""
    if completion is not None and not completion.ok:
        if completion.result in _ENDED_EARLY:
            reason = f"was taken, then {completion.result}: {completion.message}"
            return refusal.answer(HTTPStatus.FAILED_DEPENDENCY, shown, reason)
        reason = f"was taken, then failed: {completion.message}"
        return refusal.answer(HTTPStatus.INTERNAL_SERVER_ERROR, shown, reason)
    taken = CommandAnswer(
        id=handle.handle_id,
        command=shown,
        done=completion is not None,
        ok=completion.ok if completion else None,
        message=completion.message if completion else "taken; it goes on",
        result=completion.result if completion else "",
        acquisition_id=completion.acquisition_id if completion else "",
    )
    return JSONResponse(taken.model_dump(), HTTPStatus.OK if completion else HTTPStatus.ACCEPTED)


async def _end_of(handle: Handle, wait: float) -> Completion | None:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Completion] = loop.create_future()

    def resolve(completion: Completion) -> None:
        if not ended.done():
            ended.set_result(completion)

    def from_engine(completion: Completion) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(resolve, completion)

    handle.on_done(from_engine)
    try:
        return await asyncio.wait_for(ended, wait)
    except TimeoutError:
        return handle.completion
