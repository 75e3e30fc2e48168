"""The routes of the standard DAQ: writer, configuration, statistics, logs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from repstream.errors import InvalidValue
from repstream.link.history import History
from repstream.pictures.link import PictureLink
from repstream.protocol import Engine, Requester
from repstream_http.compat.simulator import Simulator
from repstream_http.compat.std_daq import convention, files, live, part_files, simulation
from repstream_http.compat.std_daq.convention import Answer, Body, Route, Work, as_object, guarded, route
from repstream_http.compat.std_daq.daq import Daq
from repstream_http.origin import SameOriginOnly
from repstream_http.request import json_body, requester

PORT = 5000
"""Where its clients look for it."""


def create_app(engine: Engine, history: History, simulator: Simulator | None = None) -> FastAPI:
    """The application for one engine; `simulator`: the detector that clients may start and stop."""
    app = FastAPI(title="Standard DAQ", openapi_url=None, lifespan=_lifespan, redirect_slashes=False)
    app.state.pictures = PictureLink(engine)
    convention.install(app)
    daq = Daq(engine, history)
    for method, paths, work in _routes(daq):
        for path in paths:
            app.add_api_route(path, route(work), methods=[method])
    for path in ("/writer/write_sync", "/write_sync"):
        app.add_api_route(path, _write_sync(daq), methods=["POST"])
    app.add_api_route("/api/config/get", _document(daq), methods=["GET"])
    app.add_api_route("/daq/logs/{number}", _logs(daq), methods=["GET"])
    files.install(app, daq)
    part_files.install(app, daq)
    live.install(app)
    simulation.install(app, simulator)
    app.add_middleware(SameOriginOnly)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await run_in_threadpool(app.state.pictures.close)


def _routes(daq: Daq) -> list[tuple[str, tuple[str, ...], Work]]:
    return [
        ("GET", ("/writer/status", "/status"), lambda body, asker: _status(daq)),
        (
            "POST",
            ("/writer/write_async", "/write_async"),
            lambda body, asker: _write_async(daq, body, asker),
        ),
        ("POST", ("/writer/stop", "/stop"), lambda body, asker: _stop(daq, asker)),
        ("GET", ("/daq/config", "/config"), lambda body, asker: _config(daq)),
        ("POST", ("/daq/config", "/config"), lambda body, asker: _configure(daq, body, asker)),
        ("POST", ("/api/config/set",), lambda body, asker: _configure(daq, body, asker, whole=True)),
        ("GET", ("/daq/stats",), lambda body, asker: _stats(daq)),
        ("GET", ("/daq/deployment",), lambda body, asker: _deployment(daq)),
    ]


def _status(daq: Daq) -> Answer:
    writer = daq.writer()
    return {"message": f"Writer is {writer['state']}", "writer": writer}


def _write_async(daq: Daq, body: Body, asker: Requester) -> Answer:
    daq.start(as_object(body, "write request"), asker)
    return {"message": "Writing started.", "writer": daq.writer()}


def _write_sync(daq: Daq) -> Route:
    async def answer(request: Request) -> Answer:
        body = as_object(await json_body(request), "write request")
        handle = await run_in_threadpool(daq.start, body, await requester(request))
        await handle  # for hours, if need be: no thread waits for it
        return {"message": "Writing finished.", "writer": await run_in_threadpool(daq.finished)}

    return guarded(answer)


def _stop(daq: Daq, asker: Requester) -> Answer:
    return {"message": "Writing stopped.", "writer": daq.stop(asker)}


def _config(daq: Daq) -> Answer:
    config, config_id = daq.config()
    message = "The configuration in force." if config else "No config available"
    return {"message": message, "config": config, "config_id": config_id}


def _document(daq: Daq) -> Route:
    async def answer(request: Request) -> JSONResponse:
        return JSONResponse((await run_in_threadpool(daq.config))[0])

    return guarded(answer)


def _configure(daq: Daq, body: Body, asker: Requester, whole: bool = False) -> Answer:
    config = daq.configure(as_object(body, "config"), asker, whole)
    return {"message": "The configuration was applied.", "config": config, "config_id": daq.config()[1]}


def _stats(daq: Daq) -> Answer:
    return {"message": "Statistics of the last second.", "stats": daq.stats()}


def _deployment(daq: Daq) -> Answer:
    deployment: dict[str, Any] = daq.deployment()
    return {"message": deployment["message"], "deployment": deployment}


def _logs(daq: Daq) -> Route:
    async def answer(request: Request) -> Answer:
        number = request.path_params["number"]
        if not (number.isascii() and number.isdecimal() and len(number) < 10):
            raise InvalidValue(
                "logs", f"{number!r:.80} is no number of acquisitions; ask for /daq/logs/5, say"
            )
        found = await run_in_threadpool(daq.logs, int(number))
        return {"message": f"{len(found)} acquisitions.", "logs": found}

    return guarded(answer)
