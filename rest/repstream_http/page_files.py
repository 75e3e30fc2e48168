"""The page: files of this package, served as they are, each known by its content."""

from __future__ import annotations

import hashlib
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request, Response

TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
}
"""Media type by extension; a file of any other is not served."""

INDEX = "index.html"

router = APIRouter(include_in_schema=False)


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Content and tag of every file, by path below ``page/``."""
    found: dict[str, tuple[bytes, str]] = {}
    folders = [("", resources.files("repstream_http").joinpath("page"))]
    while folders:
        head, folder = folders.pop()
        for entry in folder.iterdir():
            path = head + entry.name
            if entry.is_dir():
                folders.append((f"{path}/", entry))
            elif path.rpartition(".")[2] in TYPES:
                content = entry.read_bytes()
                found[path] = content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return found


@router.get("/")
def index(request: Request) -> Response:
    """The page itself: that of engines, unless the application names another in its `state.index`."""
    return _answer(getattr(request.app.state, "index", INDEX), request)


@router.get("/page/{path:path}")
def page_file(request: Request, path: Annotated[str, Path()]) -> Response:
    """A file of the page."""
    if path not in _files():
        raise HTTPException(HTTPStatus.NOT_FOUND, f"the page has no file {path!r:.80}")
    return _answer(path, request)


def _answer(path: str, request: Request) -> Response:
    content, tag = _files()[path]
    headers = {"etag": tag, "cache-control": "no-cache"}  # asked each time, sent only where it has changed
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(content, media_type=TYPES[path.rpartition(".")[2]], headers=headers)
