"""What this server has seen of an engine: figures of the last minutes, acquisitions, log."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from repstream.link.chronicle import Choice
from repstream_http import openapi
from repstream_http.answers import JsonValue, UnixTime
from repstream_http.journal import Journal
from repstream_http.known import known_query
from repstream_http.projection import View
from repstream_http.request import ViewNow
from repstream_http.types import to_json

router = APIRouter(tags=["History"], dependencies=[known_query], responses=openapi.ERRORS)

Since = Annotated[UnixTime, Field(description="Unix time since when this server watches the engine.")]


class Acquisitions(BaseModel):
    """The last acquisitions that have ended, the newest first."""

    since: Since
    acquisitions: list[dict[str, JsonValue]]


class LogEntry(BaseModel):
    """A line of the log."""

    time: UnixTime
    level: str = Field(examples=["warning"], description="info, warning or error.")
    subject: str = Field(examples=["writers.main"])
    text: str
    acquisition_id: str = Field(description="Of the acquisition that the line is about; empty: of none.")


class Log(BaseModel):
    """The log, oldest first."""

    since: Since
    entries: list[LogEntry]


class Figures(BaseModel):
    """Rates, queues and losses, sampled once a second."""

    now: Annotated[UnixTime, Field(description="This server's clock now, by which the times are.")]
    times: list[UnixTime]
    series: dict[str, list[float | None]] = Field(description="By key; null where there was no value.")


@router.get("/acquisitions")
def read_acquisitions(request: Request, view: ViewNow) -> Acquisitions:
    """The last 20 acquisitions with their results that this server knows of.

    With `repstream serve --settings` they are kept across restarts.
    """
    journal = _journal(request, view)
    kept = [{name: to_json(value) for name, value in each.items()} for each in journal.acquisitions()]
    return Acquisitions(since=journal.since, acquisitions=kept)


@router.get("/log")
def read_log(
    *,
    request: Request,
    view: ViewNow,
    after: Annotated[float, Query(description="Only entries later than this Unix time.")] = 0.0,
    level: Annotated[
        Literal["info", "warning", "error"], Query(description="Only entries of this level or worse.")
    ] = "info",
    subject: Annotated[
        str, Query(description="Only entries about this, such as writers.main, or a group: writers.")
    ] = "",
    acquisition: Annotated[str, Query(description="Only entries about the acquisition with this id.")] = "",
    text: Annotated[str, Query(description="Only entries with this in their text.")] = "",
    last: Annotated[int, Query(ge=1, description="Only so many of them, the newest.")] = 1000,
) -> Log:
    """State changes, commands, settings, errors and losses, as seen since the server was started."""
    journal = _journal(request, view)
    chosen = journal.log.entries(Choice(level, subject, acquisition, text, last), after)
    return Log(since=journal.since, entries=[LogEntry.model_validate(entry._asdict()) for entry in chosen])


@router.get("/history")
def read_history(request: Request, view: ViewNow) -> Figures:
    """Rates, queues and losses of the last five minutes, one sample a second."""
    times, series = _journal(request, view).figures()
    shown = {view.names.shown(key): values for key, values in series.items()}
    return Figures(now=time.time(), times=times, series=shown)


def _journal(request: Request, view: View) -> Any:
    journals: dict[str, Journal] = request.app.state.journals
    return journals[view.name]
