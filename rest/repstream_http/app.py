"""The ASGI application: the API of every engine, changes, pictures, files, metrics, and the page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from repstream.link.history import History
from repstream.parameters.catalogue import Catalogue
from repstream.pictures.link import PictureLink
from repstream.protocol import Engine
from repstream.version import __version__
from repstream_http import (
    files_routes,
    journal_routes,
    login,
    openapi,
    page_files,
    refusal,
    routes,
    server_routes,
)
from repstream_http.changes import Hub
from repstream_http.guard import Guard, Guarded, SecureHeaders, is_open
from repstream_http.journal import Journal
from repstream_http.limits import Limited, Limits, Tries
from repstream_http.metrics import check_names
from repstream_http.origin import SameOriginOnly
from repstream_http.pictures import routes as picture_routes


class Api(FastAPI):
    """FastAPI whose documentation has the parameters of the first engine, as it is now."""

    _documented: Catalogue | None = None

    def openapi(self) -> dict[str, Any]:
        first: Engine = next(iter(self.state.engines.values()))
        if self.openapi_schema is None or self._documented is not first.catalogue:
            self._documented = first.catalogue
            self.openapi_schema = openapi.document(self, self._documented)
        return self.openapi_schema


def create_app(
    engines: Mapping[str, Engine],
    guard: Guard | None = None,
    histories: Mapping[str, History] | None = None,
    limits: Limits | None = None,
) -> FastAPI:
    """The application for these engines by name; ``/api/v1`` itself means the first.

    `guard` says who may read and who may change; None lets everybody do both. `limits`: how fast.
    `histories`: where the acquisitions of engines are kept already, by name.

    Raises `ValueError` where there is no engine, one whose name does not fit into a path, or a
    catalogue that gives two metrics one name.
    """
    if not engines:
        raise ValueError("an HTTP server needs at least one engine")
    for name, engine in engines.items():
        if not name or "/" in name:
            raise ValueError(f"{name!r} cannot be part of a path; give the engine another name")
        check_names(engine.catalogue)
    app = Api(title="repstream", version=__version__, docs_url=None, redoc_url=None, lifespan=_lifespan)
    app.state.engines = dict(engines)
    app.state.links = {name: PictureLink(engine) for name, engine in engines.items()}
    app.state.journals = {
        name: Journal(engine, (histories or {}).get(name)) for name, engine in engines.items()
    }
    app.state.hubs = {name: Hub(engine, app.state.journals[name].take) for name, engine in engines.items()}
    app.state.guard = guard or Guard()
    app.state.tries = Tries()
    app.add_middleware(Guarded, guard=app.state.guard, tries=app.state.tries, is_open=is_open)
    app.add_middleware(SameOriginOnly)
    app.add_middleware(Limited, limits=limits or Limits())
    app.add_middleware(SecureHeaders)
    refusal.install(app)
    app.include_router(server_routes.router)
    app.include_router(page_files.router)
    app.include_router(login.router)
    for router in (
        routes.router,
        server_routes.changes_router,
        journal_routes.router,
        picture_routes.router,
        files_routes.router,
    ):
        app.include_router(router, prefix=server_routes.API)
        app.include_router(router, prefix=server_routes.API + "/engines/{engine}", include_in_schema=False)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for hub in app.state.hubs.values():
            await hub.open()
            stack.push_async_callback(hub.close)
        for each in (*app.state.journals.values(), *app.state.links.values()):
            stack.push_async_callback(run_in_threadpool, each.close)
        for journal in app.state.journals.values():
            await run_in_threadpool(journal.open)
        yield
