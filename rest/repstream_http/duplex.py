"""The two directions of a WebSocket, each served by a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from fastapi import WebSocketDisconnect


async def until_one_ends(*directions: Coroutine[Any, Any, None]) -> list[Exception]:
    """Run all until one of them ends, then end the others.

    Returns what they raised, but for a client that went away.
    """
    tasks = [asyncio.create_task(direction) for direction in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    return [end for end in ends if isinstance(end, Exception) and not isinstance(end, WebSocketDisconnect)]
