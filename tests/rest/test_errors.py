"""Which HTTP status an error of the engine has, and that nothing of it is lost."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import httpx
import pytest
from fastapi import FastAPI

from repstream.errors import (
    EngineFault,
    EngineUnreachable,
    InvalidValue,
    PortTakenError,
    Refused,
    RepstreamError,
    Unanswered,
    UnknownInstance,
    UnknownKey,
)
from repstream_http.refusal import install


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused("engine.start", "because"), HTTPStatus.CONFLICT),
        (InvalidValue("engine.start", "because"), HTTPStatus.UNPROCESSABLE_ENTITY),
        (UnknownKey("engine.start", "because"), HTTPStatus.NOT_FOUND),
        (UnknownInstance("cam", "because"), HTTPStatus.NOT_FOUND),
        (PortTakenError("because"), HTTPStatus.CONFLICT),
        (EngineFault("engine.start", "because"), HTTPStatus.INTERNAL_SERVER_ERROR),
        (Unanswered("engine.start", "because"), HTTPStatus.GATEWAY_TIMEOUT),
        (EngineUnreachable("because"), HTTPStatus.SERVICE_UNAVAILABLE),
    ],
)
def test_refused_failed_and_not_known_yet_differ(error: RepstreamError, status: HTTPStatus) -> None:
    app = FastAPI()
    install(app)

    @app.get("/")
    def fail() -> None:
        raise error

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get("/")

    answer = asyncio.run(ask())
    assert answer.status_code == status
    assert answer.json()["error"]["reason"] == "because"
