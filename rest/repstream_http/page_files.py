"""The pages: files of this package, served as they are, each known by its content; all pages begin alike."""

from __future__ import annotations

import hashlib
from functools import cache
from http import HTTPStatus
from importlib import resources
from importlib.resources.abc import Traversable
from string import Template
from typing import Annotated, NamedTuple

from fastapi import APIRouter, HTTPException, Path, Request, Response

TYPES = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
}
"""Media type by extension; a file of any other is not served."""

MARKUP = "index.html"


class Entry(NamedTuple):
    """What a page is beside its markup: the script that begins, and stylesheets of its own."""

    script: str
    styles: tuple[str, ...] = ()


ENGINES = Entry("main.js")
"""The page of engines."""

router = APIRouter(include_in_schema=False)


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Content and tag of every file, by path below ``page/``."""
    found: dict[str, tuple[bytes, str]] = {}
    folders = [("", _folder())]
    while folders:
        head, folder = folders.pop()
        for entry in folder.iterdir():
            path = head + entry.name
            if entry.is_dir():
                folders.append((f"{path}/", entry))
            elif path.rpartition(".")[2] in TYPES:
                content = entry.read_bytes()
                found[path] = content, _tag(content)
    return found


@cache
def _markup(entry: Entry) -> tuple[bytes, str]:
    """Content and tag of a page."""
    styles = "\n  ".join(f'<link rel="stylesheet" href="page/{style}">' for style in entry.styles)
    markup = Template(_folder().joinpath(MARKUP).read_text())
    content = markup.substitute(script=entry.script, styles=styles).encode()
    return content, _tag(content)


def _folder() -> Traversable:
    return resources.files("repstream_http").joinpath("page")


def _tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


@router.get("/")
def index(request: Request) -> Response:
    """The page itself: that of engines, unless the application names another in its `state.entry`."""
    content = _markup(getattr(request.app.state, "entry", ENGINES))
    return _answer(content, "text/html; charset=utf-8", request)


@router.get("/page/{path:path}")
def page_file(request: Request, path: Annotated[str, Path()]) -> Response:
    """A file of the page."""
    if path not in _files():
        raise HTTPException(HTTPStatus.NOT_FOUND, f"the page has no file {path!r:.80}")
    return _answer(_files()[path], TYPES[path.rpartition(".")[2]], request)


def _answer(file: tuple[bytes, str], media_type: str, request: Request) -> Response:
    content, tag = file
    headers = {"etag": tag, "cache-control": "no-cache"}  # asked each time, sent only where it has changed
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
