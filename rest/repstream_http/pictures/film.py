"""Pictures one after the other over plain HTTP: ``multipart/x-mixed-replace``, as browsers show it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from repstream.pictures.picture import Picture, View
from repstream.pictures.protocol import Pictures
from repstream_http.pictures import live

PATIENCE = 2.0
"""Seconds without a picture after which the absence of one is handed on."""


async def follow(
    request: Request, find: Callable[[], Pictures | None], slot: int, view: View
) -> AsyncIterator[Picture | None]:
    """Each next picture once the one before has been taken, None where none comes, until the client goes.

    `find` gives the pictures to ask, None while there are none; it may block.
    """
    client = live.Client()
    client.view = view
    while not await request.is_disconnected():
        pictures = await run_in_threadpool(find)
        try:
            picture = await asyncio.wait_for(_next(pictures, slot, client), PATIENCE)
        except TimeoutError:
            picture = None
        if picture is not None:
            client.last = picture.number
        yield picture


async def _next(pictures: Pictures | None, slot: int, client: live.Client) -> Picture | None:
    if pictures is None:
        await asyncio.sleep(2 * PATIENCE)
        return None
    return await live.next_picture(pictures, slot, client)


def part(boundary: str, jpeg: bytes) -> bytes:
    """One picture of the film."""
    head = f"--{boundary}\r\ncontent-type: image/jpeg\r\ncontent-length: {len(jpeg)}\r\n\r\n"
    return head.encode() + jpeg + b"\r\n"
