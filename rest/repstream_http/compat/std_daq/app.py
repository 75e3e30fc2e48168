"""The routes of the standard DAQ, with its convention for errors: status 200, ``"status": "error"``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from repstream.errors import InvalidValue, Refused, RepstreamError
from repstream.link.history import History
from repstream.protocol import Engine, Requester
from repstream_http.compat.std_daq.daq import Daq
from repstream_http.origin import SameOriginOnly
from repstream_http.request import json_body, requester

PORT = 5000
"""Where its clients look for it."""

Body = Any
Work = Callable[[Body, Requester], dict[str, Any]]


def create_app(engine: Engine, history: History) -> FastAPI:
    """The application for one engine."""
    app = FastAPI(title="Standard DAQ", openapi_url=None)
    daq = Daq(engine, history)

    def offer(method: str, paths: tuple[str, ...], work: Work) -> None:
        for path in paths:
            app.add_api_route(path, _route(work), methods=[method])

    offer("GET", ("/writer/status", "/status"), lambda body, asker: _status(daq))
    offer("POST", ("/writer/write_async", "/write_async"), lambda body, asker: _write_async(daq, body, asker))
    offer("POST", ("/writer/stop", "/stop"), lambda body, asker: _stop(daq, asker))
    offer("GET", ("/daq/config", "/config"), lambda body, asker: _config(daq))
    offer("POST", ("/daq/config", "/config"), lambda body, asker: _configure(daq, body, asker))
    offer("POST", ("/api/config/set",), lambda body, asker: _configure(daq, body, asker, whole=True))
    offer(
        "GET",
        ("/daq/stats",),
        lambda body, asker: {"message": "Statistics of the last second.", "stats": daq.stats()},
    )
    offer("GET", ("/daq/deployment",), lambda body, asker: _deployment(daq))
    for path in ("/writer/write_sync", "/write_sync"):
        app.add_api_route(path, _write_sync(daq), methods=["POST"])
    app.add_api_route("/api/config/get", lambda: JSONResponse(daq.config()[0]), methods=["GET"])
    app.add_api_route("/daq/logs/{number}", _logs(daq), methods=["GET"])
    app.add_middleware(SameOriginOnly)
    return app


def _route(work: Work) -> Callable[[Request], Any]:
    async def answer(request: Request) -> dict[str, Any]:
        body = await json_body(request) if request.method == "POST" else None
        return await run_in_threadpool(work, body, await requester(request))

    return _guarded(answer)


def _guarded(answer: Callable[[Request], Awaitable[dict[str, Any]]]) -> Callable[[Request], Any]:
    async def route(request: Request) -> JSONResponse:
        try:
            return JSONResponse({"status": "ok", **await answer(request)})
        except HTTPException as error:
            return _error(str(error.detail))
        except Refused as error:
            return _error(error.reason)
        except (RepstreamError, TimeoutError) as error:
            return _error(str(error))

    return route


def _error(reason: str) -> JSONResponse:
    return JSONResponse({"status": "error", "message": reason})


def _object(body: Body, what: str) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise InvalidValue(what, f"the body must be a JSON object, not {body!r:.80}")
    return body


def _status(daq: Daq) -> dict[str, Any]:
    writer = daq.writer()
    return {"message": f"Writer is {writer['state']}", "writer": writer}


def _write_async(daq: Daq, body: Body, asker: Requester) -> dict[str, Any]:
    daq.start(_object(body, "write request"), asker)
    return {"message": "Writing started.", "writer": daq.writer()}


def _write_sync(daq: Daq) -> Callable[[Request], Any]:
    async def answer(request: Request) -> dict[str, Any]:
        body = _object(await json_body(request), "write request")
        handle = await run_in_threadpool(daq.start, body, await requester(request))
        await handle  # for hours, if need be: no thread waits for it
        return {"message": "Writing finished.", "writer": await run_in_threadpool(daq.finished)}

    return _guarded(answer)


def _stop(daq: Daq, asker: Requester) -> dict[str, Any]:
    return {"message": "Writing stopped.", "writer": daq.stop(asker)}


def _config(daq: Daq) -> dict[str, Any]:
    config, config_id = daq.config()
    message = "The configuration in force." if config else "No config available"
    return {"message": message, "config": config, "config_id": config_id}


def _configure(daq: Daq, body: Body, asker: Requester, whole: bool = False) -> dict[str, Any]:
    config = daq.configure(_object(body, "config"), asker, whole)
    return {"message": "The configuration was applied.", "config": config, "config_id": daq.config()[1]}


def _deployment(daq: Daq) -> dict[str, Any]:
    deployment = daq.deployment()
    return {"message": deployment["message"], "deployment": deployment}


def _logs(daq: Daq) -> Callable[[Request], Any]:
    async def answer(request: Request) -> dict[str, Any]:
        number = request.path_params["number"]
        if not (number.isascii() and number.isdecimal() and len(number) < 10):
            raise InvalidValue(
                "logs", f"{number!r:.80} is no number of acquisitions; ask for /daq/logs/5, say"
            )
        found = await run_in_threadpool(daq.logs, int(number))
        return {"message": f"{len(found)} acquisitions.", "logs": found}

    return _guarded(answer)
