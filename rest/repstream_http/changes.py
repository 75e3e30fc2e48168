"""Changes as they come, over WebSocket: a snapshot first, then every event numbered after it.

Events arrive on the engine's thread and are handed to the event loop at once; each client has a
bounded outbox there, so that a slow one holds up nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from fastapi import WebSocket
from fastapi.concurrency import run_in_threadpool

from repstream.errors import EngineUnreachable, UnknownKey
from repstream.parameters.facts import Role, Value
from repstream.protocol import Change, Completion, Engine, Event, Subscription
from repstream_http import projection
from repstream_http.duplex import until_one_ends
from repstream_http.projection import View

MERGE_FROM = 100
"""Events that may wait for a client before changes are merged into the last one."""
OUTBOX_LIMIT = 1000
"""Events that may wait before a client is dropped: completions are never merged."""

TOO_SLOW = 1013
NOT_FOUND = 4404
"""Codes that the WebSocket is closed with: 1013 is "try again later", 4404 is ours."""
REASON_LENGTH = 120
"""Bytes of a reason that a close frame has room for, at most 123 (RFC 6455 section 5.5)."""


class Outbox:
    """Events that wait for one client; used from the event loop only.

    `merges`: where the client has fallen behind, changes are merged into the last one, so that it catches up;
    otherwise it gets every event or, where too many wait, none.
    """

    def __init__(self, merges: bool = True) -> None:
        self._merge_from = MERGE_FROM if merges else OUTBOX_LIMIT + 1
        self._events: deque[Event] = deque()
        self._something = asyncio.Event()
        self.overflowed = False

    def put(self, event: Event) -> None:
        """Add an event."""
        last = self._events[-1] if len(self._events) >= self._merge_from else None
        if isinstance(last, Change) and isinstance(event, Change) and last.epoch == event.epoch:
            self._events[-1] = msgspec.structs.replace(event, values={**last.values, **event.values})
        elif len(self._events) < OUTBOX_LIMIT:
            self._events.append(event)
        else:
            self.overflowed = True
        self._something.set()

    async def get(self) -> Event | None:
        """The next event; None when too many were waiting."""
        while not self._events and not self.overflowed:
            self._something.clear()
            await self._something.wait()
        return None if self.overflowed else self._events.popleft()


class Hub:
    """One subscription to an engine, shared by all clients; `listener` gets its events too, at once."""

    def __init__(self, engine: Engine, listener: Callable[[Event], None] | None = None) -> None:
        self._engine = engine
        self._listener = listener
        self._outboxes: set[Outbox] = set()
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Subscribe to the engine, on behalf of the running event loop."""
        loop = asyncio.get_running_loop()

        def from_engine(event: Event) -> None:
            if self._listener is not None:
                self._listener(event)
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._hand_out, event)

        self._subscription = await run_in_threadpool(self._engine.subscribe, from_engine)

    async def close(self) -> None:
        if self._subscription is not None:
            await run_in_threadpool(self._subscription.close)

    def join(self, merges: bool = True) -> Outbox:
        """An outbox that takes every event from now on; `merges` as there."""
        outbox = Outbox(merges)
        self._outboxes.add(outbox)
        return outbox

    def leave(self, outbox: Outbox) -> None:
        self._outboxes.discard(outbox)

    def _hand_out(self, event: Event) -> None:
        for outbox in self._outboxes:
            outbox.put(event)


async def serve(
    websocket: WebSocket, name: str, engine: Engine, hub: Hub, group: str | None, *, merges: bool
) -> None:
    """Serve one client until it goes away or falls behind for good."""
    await websocket.accept()
    outbox = hub.join(merges)
    try:
        faults = await until_one_ends(
            _send_all(websocket, lambda: View(name, engine), outbox, group), _until_gone(websocket)
        )
    finally:
        hub.leave(outbox)
    for fault in faults:
        raise fault


async def _until_gone(websocket: WebSocket) -> None:
    """What a client sends is not looked at; reading notices that it went away."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _send_all(
    websocket: WebSocket, look: Callable[[], View], outbox: Outbox, group: str | None
) -> None:
    view = await run_in_threadpool(look)
    try:
        await _send(websocket, _snapshot(view, group))
        while (event := await outbox.get()) is not None:
            if isinstance(event, Completion):
                await _send(websocket, _completion(event, view))
            elif event.epoch != view.snapshot.epoch or _renames(event.values, view):
                view = await run_in_threadpool(look)
                await _send(websocket, _snapshot(view, group))
            elif event.sequence > view.snapshot.sequence and (change := _change(event, view, group)):
                await _send(websocket, change)
    except (UnknownKey, EngineUnreachable) as error:
        return await websocket.close(NOT_FOUND, str(error)[:REASON_LENGTH])
    return await websocket.close(TOO_SLOW, "too slow: too many events were waiting")


async def _send(websocket: WebSocket, message: Mapping[str, Any]) -> None:
    await websocket.send_text(msgspec.json.encode(message).decode())


def _renames(values: Mapping[str, Value], view: View) -> bool:
    """Whether a slot got another name, so that its keys are shown differently.

    That is so, too, when the engine is lost and when it is found again: all values change then.
    """
    known = (view.catalogue.parameters.get(key) for key in values)
    return any(p is not None and p.slot and p.role is Role.NAME for p in known)


def _snapshot(view: View, group: str | None) -> dict[str, Any]:
    return {"type": "snapshot", **projection.values(view, view.group(group)).model_dump()}


def _change(event: Change, view: View, group: str | None) -> dict[str, Any] | None:
    """The message of a change, None where it has nothing of the group."""
    keys = {parameter.key for parameter in view.group(group)}
    changed = {key: value for key, value in event.values.items() if key in keys}
    shown = projection.shown_values(changed, view.names)
    message = {"type": "change", "epoch": event.epoch, "sequence": event.sequence, "time": event.time}
    return {**message, "values": shown} if shown else None


def _completion(event: Completion, view: View) -> dict[str, Any]:
    return {
        "type": "completion",
        "epoch": event.epoch,
        "sequence": event.sequence,
        "time": event.time,
        "id": event.handle_id,
        "command": view.names.shown(event.command),
        "ok": event.ok,
        "message": event.message,
        "result": event.result,
        "acquisition_id": event.acquisition_id,
    }
