"""The reference page of cam_server's routes, from the tables that serve them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from repstream.instances.registry import Instances
from repstream.instances.saved.backgrounds import Backgrounds
from repstream.instances.saved.cameras import SavedCameras
from repstream.instances.saved.configurations import Configurations
from repstream.instances.saved.permanent import FILE, Permanent
from repstream.instances.saved.pipelines import SavedPipelines
from repstream.instances.saved.scripts import Scripts
from repstream_http.compat.cam_server import camera, manager, pipeline
from repstream_http.compat.cam_server.bodies import Body
from repstream_http.compat.cam_server.convention import API, Route
from repstream_http.compat.cam_server.kept_log import KeptLog
from repstream_http.compat.cam_server.server import Common
from repstream_http.compat.cam_server.stored import Stored

_NOTE = "<!-- Made by `make docs`; change the tables in rest/repstream_http/compat/cam_server/ instead. -->"
_HEAD = ("| Route | Answer beside `state`, `status` | What it does |", "|---|---|---|")
_NOWHERE = Path("nowhere")


def page() -> str:
    """All routes: those of both servers, of cameras, of pipelines, of managers."""
    cameras, pipelines, managers = _tables()
    both = [route for route in cameras if any(_same(route, other) for other in pipelines)]
    lines = [
        _NOTE,
        "",
        "# Routes of the camera and the pipeline server",
        "",
        "How to have them served, and what differs:",
        "[Coming from cam_server](../how-to/coming-from-cam_server.md). Every answer has `state`, `ok` or",
        "`error`, and a text `status`; a refused request has HTTP status 200 and the reason in `status`. A",
        "path that does not exist has 404, a method that it does not have 405, a body that is no JSON 400.",
        "Words in backquotes behind a text are query parameters. Pages of every origin may ask.",
        "",
        f"## Both: below `{camera.PREFIX}` and `{pipeline.PREFIX}`",
        "",
        *_HEAD,
        *_lines(both),
        "",
        f"## Camera server: port {camera.PORT}, below `{camera.PREFIX}`",
        "",
        *_HEAD,
        *_lines(route for route in cameras if not any(_same(route, other) for other in both)),
        "",
        f"## Pipeline server: port {pipeline.PORT}, below `{pipeline.PREFIX}`",
        "",
        *_HEAD,
        *_lines(route for route in pipelines if not any(_same(route, other) for other in both)),
        "",
        "## Managers, beside all of these",
        "",
        *_HEAD,
        *_lines(managers),
    ]
    return "\n".join(lines) + "\n"


def _tables() -> tuple[list[Route], list[Route], list[Route]]:
    """The routes of servers that serve nothing: only their tables are looked at."""
    launcher, spread, log = cast(Any, None), cast(Any, None), KeptLog()
    cameras = SavedCameras(Instances("camera", launcher), Configurations(_NOWHERE, "camera"))
    backgrounds = Backgrounds(_NOWHERE)
    pipelines = SavedPipelines(
        Instances("pipeline", launcher), Configurations(_NOWHERE, "pipeline"), backgrounds, cameras
    )
    scripts = Scripts(_NOWHERE)
    common = Common(camera.PREFIX, cameras.instances, scripts, log)
    permanent = Permanent(_NOWHERE / FILE, cameras.start_for_ever)
    return (
        camera.routes(common, Stored(cameras.configurations, backgrounds), cameras),
        pipeline.routes(common, Stored(pipelines.configurations, backgrounds), pipelines, scripts),
        manager.Manager(common, spread, cameras.configurations, permanent, cameras.configure).routes(),
    )


def _same(one: Route, other: Route) -> bool:
    return _facts(one) == _facts(other)


def _facts(route: Route) -> tuple[str, ...]:
    return route.method, route.path, route.fields, route.text


def _lines(routes: Iterable[Route]) -> Iterator[str]:
    for route in routes:
        path = route.path or "(the prefix itself)"
        shown = path if path.startswith((API, "(")) else f"…{path}"
        body = "" if route.body is Body.NONE else f" Body: {route.body.value}."
        yield f"| {route.method} `{shown.replace(':path', '')}` | {route.fields} | {route.text}{body} |"
