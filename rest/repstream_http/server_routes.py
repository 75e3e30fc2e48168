"""Routes of the server as a whole: its engines, health, metrics, pages; and the WebSocket."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response, WebSocket
from fastapi.responses import HTMLResponse, JSONResponse

from repstream.parameters.catalogue import Group, key_of
from repstream.parameters.directory import directory
from repstream.protocol import Engine
from repstream.states import is_unknown
from repstream_http import changes, metrics, openapi, pages
from repstream_http.answers import Directory, EngineEntry, Health
from repstream_http.known import known_query
from repstream_http.projection import View
from repstream_http.request import engine_of

API = "/api/v1"

router = APIRouter(
    dependencies=[known_query], responses={status: openapi.ERRORS[status] for status in (401, 422)}
)
changes_router = APIRouter(dependencies=[known_query])


@router.get(f"{API}/engines", tags=["Server"])
def list_engines(request: Request) -> list[EngineEntry]:
    """The engines that this server shows."""
    first = next(iter(request.app.state.engines))
    return [
        EngineEntry(
            name=name, state=View(name, engine).state, path=f"{API}/engines/{name}", default=name == first
        )
        for name, engine in request.app.state.engines.items()
    ]


@router.get(f"{API}/directory", tags=["Server"])
def read_directory(request: Request) -> Directory:
    """What each engine has: streams with addresses and formats, writers, pictures, to make panels of.

    Of each its name, state, and the texts and choices that operators set; a ``path`` says where it is.
    """
    return Directory(engines=[_entry(name, engine) for name, engine in request.app.state.engines.items()])


def _entry(name: str, engine: Engine) -> dict[str, Any]:
    base = f"{API}/engines/{name}"

    def places(group: str, slot: int) -> Mapping[str, str]:
        if group == Group.ENGINE:
            return {"path": base}
        if group == Group.PICTURE:
            return {"image": f"{base}/pictures/{slot}.jpg"}
        return {"path": f"{base}/parameters?group={key_of(group, slot, '').removesuffix('.')}"}

    return directory(engine.catalogue, engine.snapshot().values, places)


@router.get("/health", tags=["Server"], response_model=Health, responses={503: {"model": Health}})
def read_health(request: Request) -> JSONResponse:
    """200 while all engines can be reached, 503 otherwise; ERROR is a state like others here."""
    states = {entry.name: entry.state for entry in list_engines(request)}
    healthy = not any(map(is_unknown, states.values()))
    status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse(Health(ok=healthy, engines=states).model_dump(), status)


@router.get("/metrics", tags=["Server"], response_class=Response)
def read_metrics(request: Request) -> Response:
    """All counters, numbers and states of all engines for Prometheus."""
    text, content_type = metrics.exposition(request.app.state.engines, request.headers.get("accept", ""))
    return Response(text, headers={"content-type": content_type})


@router.get("/docs", include_in_schema=False)
def reference_page(request: Request) -> HTMLResponse:
    """The reference of the API as a page."""
    return HTMLResponse(pages.reference(request.app.openapi()))


@changes_router.websocket("/changes")
async def follow_changes(websocket: WebSocket, group: str | None = None, merge: bool = True) -> None:
    """A snapshot, then every change; see the description of the API."""
    try:
        name, engine = engine_of(websocket)
    except HTTPException as unknown:
        await websocket.accept()
        await websocket.close(changes.NOT_FOUND, unknown.detail[: changes.REASON_LENGTH])
        return
    await changes.serve(websocket, name, engine, websocket.app.state.hubs[name], group, merges=merge)
