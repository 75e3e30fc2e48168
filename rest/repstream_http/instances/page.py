"""The page at ``/``, and its routes below ``/api/v1/instances``: a list, pictures, the beam's profiles."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any

import numpy as np
from fastapi import APIRouter, FastAPI, HTTPException, Response, WebSocket
from fastapi.concurrency import run_in_threadpool

from repstream.errors import UnknownInstance
from repstream.instances.description import InstanceInfo, StreamPlace
from repstream.instances.saved.cameras import SavedCameras
from repstream.instances.saved.pipelines import SavedPipelines
from repstream.instances.spread.host import Look
from repstream.instances.watch import Watch
from repstream_http import page_files
from repstream_http.pictures import live
from repstream_http.pictures.look import LookQuery
from repstream_http.pictures.routes import FORMS, PATIENCE, answer

ENTRY = page_files.Entry("cameras/main.js", ("style/cameras.css",))
PATH = "/api/v1/instances"

MOST_POINTS = 1000
"""Points of a curve, at most twice as many."""

CURVES = {
    axis: {
        "axis": f"{axis}_axis",
        "profile": f"{axis}_profile",
        "fit": f"{axis}_fit_gauss_function",
    }
    for axis in "xy"
}
"""What is drawn along each axis, by the channel that it is sent in."""


class Page:
    """The page's routes over saved cameras or pipelines and what runs of them.

    `servers` gives those that a manager spreads them over.
    """

    def __init__(
        self, saved: SavedCameras | SavedPipelines, servers: Callable[[], Mapping[str, Look]]
    ) -> None:
        self._saved = saved
        self._servers = servers
        self._lock = threading.Lock()
        self._watches: dict[str, Watch] = {}

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter()
        router.add_api_route(PATH, self._list)
        router.add_api_route(f"{PATH}/{{name}}/beam", self._beam)
        router.add_api_route(f"{PATH}/{{name}}/picture.{{form}}", self._picture, response_model=None)
        router.add_api_websocket_route(f"{PATH}/{{name}}/live", self._live)
        return router

    def close(self) -> None:
        """Look at nothing any more."""
        for watch in self._watches.values():
            watch.close()

    def _list(self) -> dict[str, Any]:
        running = {info.name: info for info in self._saved.instances.running()}
        saved = set(self._saved.names())
        instances = [
            {"name": name, "saved": name in saved, **self._entry(name, running.get(name))}
            for name in sorted({*saved, *running})
        ]
        servers = [_server(address, look) for address, look in self._servers().items()]
        return {"kind": self._saved.instances.kind, "instances": instances, "servers": servers}

    def _entry(self, name: str, info: InstanceInfo | None) -> dict[str, Any]:
        if info is None:
            message = ""
            with suppress(UnknownInstance):
                message = self._saved.instances.message(name)
            return {"state": "ERROR" if message else "STOPPED", "message": message}
        figures = info.statistics
        return {
            "state": "RUNNING",
            "message": info.message,
            "server": self._saved.instances.where(name),
            "camera": info.camera_name,
            "clients": figures.clients,
            "rate": round(figures.tx_rate, 2),
            "received": figures.rx_count,
            "lost": sum(figures.lost.values()),
            "reasons": dict(figures.lost),
            "size": list(figures.frame_shape[:2]) if figures.frame_shape else None,
            "beam": self._saved.instances.beam(name),
        }

    def _beam(self, name: str) -> dict[str, Any]:
        sent = self._watch(name).newest(PATIENCE)
        if sent is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"nothing is received from {name!r:.80}: does it run?")
        drawn = {
            axis: {what: _numbers(sent.values.get(channel)) for what, channel in channels.items()}
            for axis, channels in CURVES.items()
        }
        return {"pulse": sent.pulse_id, "time": sent.time, **drawn}

    async def _picture(self, name: str, form: str, look: LookQuery) -> Response:
        if form not in FORMS:
            raise HTTPException(
                HTTPStatus.NOT_FOUND, f"there is no form {form!r:.20}, only {', '.join(FORMS)}"
            )
        picture = await run_in_threadpool(self._watch(name).picture, look.view, PATIENCE)
        if picture is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"no image comes from {name!r:.80}: does it run?")
        return await answer(picture, form, look)

    async def _live(self, websocket: WebSocket, name: str) -> None:
        await live.serve(websocket, await run_in_threadpool(self._watch, name), 1)

    def _watch(self, name: str) -> Watch:
        def find() -> StreamPlace:
            return self._saved.instances.get(name).place

        known = name in self._saved.names()
        with suppress(UnknownInstance):
            known = bool(known or find().address)
        if not known:
            raise HTTPException(
                HTTPStatus.NOT_FOUND, f"there is no {self._saved.instances.kind} {name!r:.80}"
            )
        with self._lock:
            return self._watches.setdefault(name, Watch(name, find))


@contextmanager
def with_page(
    app: FastAPI, saved: SavedCameras | SavedPipelines, servers: Callable[[], Mapping[str, Look]] = dict
) -> Iterator[None]:
    """Serve the page with an application, which has cam_server's routes already."""
    page = Page(saved, servers)
    app.state.entry = ENTRY
    app.include_router(page_files.router)
    app.include_router(page.router())
    try:
        yield
    finally:
        page.close()


def _server(address: str, look: Look) -> dict[str, Any]:
    return {
        "address": address,
        "problem": look.problem,
        "instances": len(look.running),
        "cpu": None if look.problem else look.figures.cpu,
        "memory": None if look.problem else look.figures.memory,
        "since": look.since,
        "started": look.started,
        "restarts": look.restarts,
    }


def _numbers(values: Any) -> list[float | None] | None:
    """An array as JSON has it, of a long one every n-th number; None where there is none."""
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        return None
    return [float(v) if np.isfinite(v) else None for v in values[:: max(1, len(values) // MOST_POINTS)]]
