"""Pictures over a WebSocket, each asked for by the page: at most one is on its way to a client.

The client says what it wants to see (``{"view": {"region": [x, y, width, height], "size": [width,
height]}}``), in which encoding (``{"encoding": "blosc"}`` or ``"jpeg"``, then with the query parameters
of a picture as ``"look"``), and takes each picture with ``{"ack": number}``. Only then is the next one
asked for. So a client that does not read costs nothing, and one that is slow gets the latest.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import msgspec
from fastapi import WebSocket
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from repstream.errors import RepstreamError
from repstream.pictures.picture import Box, Picture, View
from repstream.pictures.protocol import Callback
from repstream.protocol import Subscription
from repstream_http.duplex import until_one_ends
from repstream_http.pictures import wire
from repstream_http.pictures.look import LARGEST, Look

WRONG = 1008
"""The code that the WebSocket is closed with after a message that is not understood."""
ENCODINGS = {"blosc": wire.Encoding.BLOSC, "jpeg": wire.Encoding.JPEG, "raw": wire.Encoding.RAW}


class _View(msgspec.Struct, forbid_unknown_fields=True):
    region: tuple[int, int, int, int] | None = None
    size: tuple[int, int] | None = None


class _Wish(msgspec.Struct, forbid_unknown_fields=True):
    view: _View | None = None
    encoding: str | None = None
    look: dict[str, Any] | None = None
    ack: int | None = None


class Pictures(Protocol):
    """What a viewer asks: `next` of `repstream.pictures.protocol.Pictures`."""

    def next(self, slot: int, callback: Callback, view: View | None = None, after: int = 0) -> Subscription:
        """Call back once, with the newest picture whose `number` is not `after`."""


class Client:
    """One viewer: what it wants to see, and what it has taken."""

    def __init__(self) -> None:
        self.view = View()
        self.encoding = wire.Encoding.BLOSC
        self.look = Look()
        self.last = 0
        self.waiting = False  # for the client to take the last picture
        self.changed = asyncio.Event()

    def take(self, text: str) -> None:
        """A message of the client; raises `ValueError` for what is not understood."""
        try:
            wish = msgspec.json.decode(text, type=_Wish)
            if wish.look is not None:
                self.look = Look(**wish.look)
        except (msgspec.DecodeError, ValidationError, TypeError) as error:
            raise ValueError(str(error)) from error
        if wish.encoding is not None:
            if wish.encoding not in ENCODINGS:
                raise ValueError(f"encoding must be one of {', '.join(ENCODINGS)}")
            self.encoding = ENCODINGS[wish.encoding]
        if wish.view is not None:
            self.view = _view(wish.view)
        if wish.view is not None or wish.encoding is not None or wish.look is not None:
            self.last = 0  # the same image again, as it is now wanted
        if wish.ack is not None and wish.ack >= self.last:
            self.waiting = False
        self.changed.set()


def _view(wish: _View) -> View:
    box = size = None
    if wish.region is not None:
        x, y, width, height = wish.region
        if min(wish.region) < 0:
            raise ValueError("region must be x, y, width, height, none negative")
        box = Box(y, x, height, width)
    if wish.size is not None:
        if not all(1 <= n <= LARGEST for n in wish.size):
            raise ValueError(f"size must be width, height from 1 to {LARGEST}")
        size = (wish.size[1], wish.size[0])
    return View(box, size)


async def serve(websocket: WebSocket, pictures: Pictures, slot: int) -> None:
    """Serve one client until it goes away."""
    await websocket.accept()
    client = Client()
    for fault in await until_one_ends(
        _listen(websocket, client), _send_all(websocket, client, pictures, slot)
    ):
        if isinstance(fault, ValueError | RepstreamError):
            await websocket.close(WRONG, str(fault)[:120])
        elif not isinstance(fault, RuntimeError):
            raise fault


async def _listen(websocket: WebSocket, client: Client) -> None:
    while True:
        client.take(await websocket.receive_text())


async def _send_all(websocket: WebSocket, client: Client, pictures: Pictures, slot: int) -> None:
    while True:
        client.changed.clear()
        if client.waiting:
            await client.changed.wait()
            continue
        picture = await next_picture(pictures, slot, client)
        if picture is None:
            continue
        client.last, client.waiting = picture.number, True
        packed = await run_in_threadpool(wire.message, picture, client.encoding, client.look)
        await websocket.send_bytes(packed)


async def next_picture(pictures: Pictures, slot: int, client: Client) -> Picture | None:
    """The next picture that the client wants; None when it has changed its mind meanwhile."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Picture] = loop.create_future()

    def resolve(picture: Picture) -> None:
        if not found.done():
            found.set_result(picture)

    def from_pictures(picture: Picture) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(resolve, picture)

    asked = await run_in_threadpool(pictures.next, slot, from_pictures, client.view, client.last)
    changed = asyncio.create_task(client.changed.wait())
    try:
        await asyncio.wait((found, changed), return_when=asyncio.FIRST_COMPLETED)
        return found.result() if found.done() else None
    finally:
        changed.cancel()
        asked.close()
