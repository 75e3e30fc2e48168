"""The standard DAQ's convention for answers: HTTP status 200, and a status in the JSON."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from repstream.errors import InvalidValue, Refused, RepstreamError
from repstream.protocol import Requester
from repstream_http.request import USER_LENGTH, json_body, requester

log = logging.getLogger(__name__)

Body = Any
Answer = dict[str, Any]
Work = Callable[[Body, Requester], Answer]
Route = Callable[[Request], Awaitable[Response]]


def route(work: Work) -> Route:
    """The route of what may block: it gets the JSON body (None of a GET) and who asks."""

    async def answer(request: Request) -> Answer:
        body = await json_body(request) if request.method == "POST" else None
        return await run_in_threadpool(work, body, await asker(request))

    return guarded(answer)


async def asker(request: Request) -> Requester:
    """Who asks; the newer routes name the user in the query."""
    found = await requester(request)
    named = "".join(c for c in request.query_params.get("user", "") if c.isprintable())[:USER_LENGTH]
    return msgspec.structs.replace(found, user=found.user or named)


def guarded(answer: Callable[[Request], Awaitable[Answer | Response]]) -> Route:
    """The route that answers what `answer` gives, and what it raises, in the convention."""

    async def guarded_answer(request: Request) -> Response:
        try:
            found = await answer(request)
        except HTTPException as error:
            return failure(str(error.detail))
        except Refused as error:
            return failure(error.reason)
        except (RepstreamError, TimeoutError) as error:
            return failure(str(error))
        return found if isinstance(found, Response) else JSONResponse({"status": "ok", **found})

    return guarded_answer


def failure(reason: str) -> JSONResponse:
    """An error as clients expect it."""
    return JSONResponse({"status": "error", "message": reason})


def as_object(body: Body, what: str) -> dict[str, Any]:
    """The body where it is a JSON object; raises `InvalidValue`."""
    if not isinstance(body, dict):
        raise InvalidValue(what, f"the body must be a JSON object, not {body!r:.80}")
    return body


def text_of(values: Any, name: str, what: str) -> str:
    """The text `name` of a body or of query parameters; raises `InvalidValue`."""
    value = values.get(name)
    if not isinstance(value, str) or not value or "\0" in value:
        raise InvalidValue(what, f"{name} is missing: a text that is not empty")
    return value


def install(app: FastAPI) -> None:
    """Have a fault of ours answered in the convention too; the log has the details."""

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return failure(f"a fault of the server ({type(error).__name__}); its log has the details")
