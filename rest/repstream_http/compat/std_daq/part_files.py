"""The newer routes on files: their metadata, what is in them, and one file over those of several writers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

from repstream.errors import InvalidValue
from repstream.files import contents
from repstream.files.part_files import interleave
from repstream_http.compat.std_daq.convention import Answer, Body, as_object, guarded, route, text_of
from repstream_http.compat.std_daq.daq import Daq
from repstream_http.files_routes import allowed

PREFIX = "file"
"""What the files of writers are called unless a request says otherwise."""

MOST_ROWS = 100_000
"""Rows of metadata in an answer, at most; ``first`` asks for further ones."""


def install(app: FastAPI, daq: Daq) -> None:
    """Add the routes."""

    async def rows(request: Request) -> Answer:
        return await run_in_threadpool(_rows, daq, dict(request.query_params))

    async def datasets(request: Request) -> Answer:
        path = await run_in_threadpool(_path, daq, request.query_params)
        return {
            "message": "Datasets of the file.",
            "file": str(path),
            "datasets": await run_in_threadpool(contents.datasets, path),
        }

    app.add_api_route("/api/h5/read_metadata", guarded(rows), methods=["GET"])
    app.add_api_route("/api/h5/get_metadata_status", guarded(datasets), methods=["GET"])
    app.add_api_route(
        "/api/h5/create_interleaved_vds",
        route(lambda body, asker: _interleave(daq, body)),
        methods=["POST"],
    )


def _path(daq: Daq, query: Any) -> Path:
    return allowed(text_of(query, "filename", "file"), daq.roots)


def _rows(daq: Daq, query: dict[str, str]) -> Answer:
    first = query.get("first", "0")
    if not (first.isascii() and first.isdecimal() and len(first) < 16):
        raise InvalidValue("first", f"{first!r:.80} is no number of a row; they count from 0")
    count, rows = contents.rows(_path(daq, query), int(first), MOST_ROWS, daq.roots)
    return {"message": f"{len(rows)} of {count} rows.", "n_images": count, "metadata": rows}


def _interleave(daq: Daq, body: Body) -> Answer:
    given = as_object(body, "interleaved file")
    if unknown := [key for key in given if key not in ("base_path", "output_file", "file_prefix")]:
        raise InvalidValue("interleaved file", f"{', '.join(unknown)!r:.80}: no such key")
    folder = allowed(text_of(given, "base_path", "interleaved file"), daq.roots)
    output = text_of(given, "output_file", "interleaved file")
    prefix = text_of({"file_prefix": PREFIX, **given}, "file_prefix", "interleaved file")
    made = interleave(folder, prefix, folder / output, daq.roots, daq.user_id)
    rest = f"; {made.left_over} images behind a missing one are not shown" if made.left_over else ""
    return {
        "message": f"{made.count} images of {len(made.files)} files{rest}.",
        "output_file": str(made.path),
        "files": list(made.files),
        "n_images": made.count,
    }
