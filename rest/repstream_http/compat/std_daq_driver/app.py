"""The driver's WebSocket: a status at once, on every change, and ten times a second."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from fastapi import FastAPI, WebSocket

from repstream.errors import InvalidValue
from repstream.protocol import Engine, Requester
from repstream_http.compat.std_daq_driver.command import PATH, Stop, parse
from repstream_http.compat.std_daq_driver.course import Stage, Status
from repstream_http.compat.std_daq_driver.driver import Driver, Watcher
from repstream_http.duplex import until_one_ends
from repstream_http.origin import SameOriginOnly
from repstream_http.request import requester

PORT = 8080
"""Where its clients look for it."""

INTERVAL = 0.1
"""Seconds after which a status is said again."""

TOO_SLOW = 1013


def create_app(engine: Engine) -> FastAPI:
    """The application for one engine."""
    driver = Driver(engine)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await driver.open()
        try:
            yield
        finally:
            await driver.close()

    app = FastAPI(title="Standard DAQ driver", openapi_url=None, lifespan=lifespan)

    async def serve(websocket: WebSocket) -> None:
        await websocket.accept()
        await _serve(websocket, driver)

    app.add_api_websocket_route("/{any:path}", serve)
    app.add_middleware(SameOriginOnly)
    return app


async def _serve(websocket: WebSocket, driver: Driver) -> None:
    """Serve one client until it goes away, falls behind for good, or asks for what closes the connection."""
    watcher = driver.join()
    asker = await requester(websocket)
    try:
        faults = await until_one_ends(
            _say(websocket, driver, watcher), _hear(websocket, driver, watcher, asker)
        )
    finally:
        driver.leave(watcher)
    for fault in faults:
        raise fault


async def _say(websocket: WebSocket, driver: Driver, watcher: Watcher) -> None:
    while not watcher.is_behind:
        await _send(websocket, await watcher.get(INTERVAL) or driver.status)
    await websocket.close(TOO_SLOW, "too slow: too many statuses were waiting")


async def _hear(websocket: WebSocket, driver: Driver, watcher: Watcher, asker: Requester) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text") or (message.get("bytes") or b"").decode("utf-8", "replace")
        try:
            command = parse(text)
        except InvalidValue as error:
            wrong: Status = {"status": Stage.ERROR.value, "reason": error.reason}
            if error.subject == PATH:
                await _send(websocket, wrong)
                await websocket.close()
                return
            watcher.put(wrong)
            continue
        if isinstance(command, Stop):
            await driver.stop(asker)
        elif (answer := await driver.start(command, asker)) is not None:
            watcher.put(answer)


async def _send(websocket: WebSocket, status: Status) -> None:
    await websocket.send_text(msgspec.json.encode(status).decode())
