"""The one place where a refusal becomes an HTTP status and the JSON that explains it."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from repstream.errors import (
    EngineUnreachable,
    InvalidValue,
    PortTakenError,
    Refused,
    RepstreamError,
    RequestError,
    Unanswered,
    UnknownInstance,
    UnknownKey,
)

log = logging.getLogger(__name__)


def status_of(error: RepstreamError) -> HTTPStatus:
    """The status of an error: whose fault it is, and whether the same may be taken later."""
    if isinstance(error, UnknownKey | UnknownInstance):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, InvalidValue):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, Refused | PortTakenError):
        return HTTPStatus.CONFLICT
    if isinstance(error, Unanswered):
        return HTTPStatus.GATEWAY_TIMEOUT
    if isinstance(error, EngineUnreachable):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR


def answer(status: int, subject: str, reason: str, allowed: Sequence[str] = ()) -> JSONResponse:
    """``{"error": {"subject", "reason", "allowed"}}``, the shape of every error."""
    error = {"subject": subject, "reason": reason, "allowed": list(allowed)}
    return JSONResponse({"error": error}, status_code=status)


def install(app: FastAPI) -> None:
    """Have `app` answer every error in that shape, the framework's own included."""

    @app.exception_handler(RepstreamError)
    async def refused(request: Request, error: RepstreamError) -> JSONResponse:
        if isinstance(error, Refused):
            return answer(status_of(error), error.subject, error.reason, error.allowed)
        if isinstance(error, RequestError):
            return answer(status_of(error), error.subject, error.reason)
        return answer(status_of(error), request.url.path, str(error))

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> JSONResponse:
        found = answer(error.status_code, request.url.path, str(error.detail))
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            found.headers["allow"] = ", ".join(_methods(request))
        return found

    @app.exception_handler(RequestValidationError)
    async def query(request: Request, error: RequestValidationError) -> JSONResponse:
        reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return answer(HTTPStatus.UNPROCESSABLE_ENTITY, request.url.path, reasons)

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        reason = f"a fault of the server ({type(error).__name__}); its log has the details"
        return answer(HTTPStatus.INTERNAL_SERVER_ERROR, request.url.path, reason)


def _methods(request: Request) -> list[str]:
    """The methods of a path, by the generated documentation; what that does not have is only read."""
    path = re.sub(r"^(/api/v1)/engines/[^/]+/", r"\1/", request.url.path)
    fitting = (
        operations
        for template, operations in request.app.openapi()["paths"].items()
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path)
    )
    return sorted({method.upper() for operations in fitting for method in operations}) or ["GET"]
