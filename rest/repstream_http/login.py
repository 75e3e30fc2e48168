"""Logging a page in and out, and what it may do."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from repstream.errors import InvalidValue
from repstream_http import openapi, refusal
from repstream_http.guard import COOKIE, Guard, cookie_header
from repstream_http.known import known_query
from repstream_http.limits import address_of, too_many
from repstream_http.request import Body
from repstream_http.tokens import Right

PAUSE = 0.5
"""Seconds before a wrong token is answered: a person does not notice, a program that guesses does."""

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
    right = guard.shown(request.headers).right
    best = Right.READ if guard.read_only else Right.CHANGE
    reason = "" if right is Right.CHANGE else guard.why_not(Right.CHANGE, right)
    return AccessAnswer(
        read=right >= Right.READ, change=right is Right.CHANGE, login=right < best, reason=reason
    )


@router.post("/login", openapi_extra=openapi.body("Login"), response_model=AccessAnswer)
async def log_in(request: Request, body: Body) -> Response:
    """Take a token and answer with the cookie that stands for it."""
    guard: Guard = request.app.state.guard
    if set(body) != {"token"} or not isinstance(body["token"], str):
        raise InvalidValue("login", 'the body must be {"token": "<token>"}')
    shown = guard.shown_by(body["token"])
    is_right = bool(guard.has_tokens and not shown.is_wrong)
    if wait := request.app.state.tries.wait(address_of(request.scope), shown.digest, is_right):
        return too_many(refusal.answer, "login", wait, "wrong tokens")
    if not is_right:
        await asyncio.sleep(PAUSE)
        return refusal.answer(HTTPStatus.UNAUTHORIZED, "login", "this token is not one of this server's")
    right = shown.right
    reason = "" if right is Right.CHANGE else guard.why_not(Right.CHANGE, right)
    allowed = AccessAnswer(read=True, change=right is Right.CHANGE, login=right < Right.CHANGE, reason=reason)
    answer = JSONResponse(allowed.model_dump())
    answer.headers["set-cookie"] = cookie_header(shown.digest, request.scope)
    return answer


@router.post("/logout", status_code=HTTPStatus.NO_CONTENT)
async def log_out() -> Response:
    """Have the browser forget the cookie."""
    answer = Response(status_code=HTTPStatus.NO_CONTENT)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer
