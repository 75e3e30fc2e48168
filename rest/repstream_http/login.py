"""Logging a page in and out, and what it may do."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from repstream.errors import InvalidValue
from repstream_http import openapi, refusal
from repstream_http.guard import COOKIE, COOKIE_AGE, Guard, Right
from repstream_http.known import known_query
from repstream_http.request import Body

PAUSE = 0.5
"""Seconds before a wrong token is answered, so that nobody tries many."""

router = APIRouter(prefix="/api/v1", tags=["Server"], dependencies=[known_query], responses=openapi.ERRORS)


class AccessAnswer(BaseModel):
    """What the asker may do here."""

    read: bool
    change: bool
    login: bool = Field(description="Whether a token would allow more.")
    reason: str = Field(description="Why changes are not possible; empty where they are.")


@router.get("/access")
async def read_access(request: Request) -> AccessAnswer:
    """What this request's token or cookie allows."""
    guard: Guard = request.app.state.guard
    right = guard.right_of(request.headers)
    best = Right.READ if guard.read_only else Right.CHANGE
    reason = "" if right is Right.CHANGE else guard.why_not(Right.CHANGE, right)
    return AccessAnswer(
        read=right >= Right.READ, change=right is Right.CHANGE, login=right < best, reason=reason
    )


@router.post("/login", openapi_extra=openapi.body("Login"), response_model=AccessAnswer)
async def log_in(request: Request, body: Body) -> JSONResponse:
    """Take a token and answer with the cookie that stands for it."""
    guard: Guard = request.app.state.guard
    if set(body) != {"token"} or not isinstance(body["token"], str):
        raise InvalidValue("login", 'the body must be {"token": "<token>"}')
    token = body["token"]
    if not guard.knows(token):
        await asyncio.sleep(PAUSE)
        return refusal.answer(HTTPStatus.UNAUTHORIZED, "login", "this token is not one of this server's")
    right = guard.of_token(token)
    reason = "" if right is Right.CHANGE else guard.why_not(Right.CHANGE, right)
    allowed = AccessAnswer(read=True, change=right is Right.CHANGE, login=right < Right.CHANGE, reason=reason)
    answer = JSONResponse(allowed.model_dump())
    answer.set_cookie(
        COOKIE,
        guard.cookie(token),
        max_age=COOKIE_AGE,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout", status_code=HTTPStatus.NO_CONTENT)
async def log_out() -> Response:
    """Have the browser forget the cookie."""
    answer = Response(status_code=HTTPStatus.NO_CONTENT)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer
