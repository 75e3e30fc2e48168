"""Files below the engine's roots: listed, and looked at image by image, also while they grow."""

from __future__ import annotations

import os
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from repstream.errors import StorageError
from repstream.files.reader import FileReader
from repstream.parameters.facts import Role
from repstream.pictures.picture import Picture
from repstream.pictures.single import picture_of
from repstream_http import openapi
from repstream_http.answers import UnixTime
from repstream_http.known import known_query
from repstream_http.pictures.look import Look
from repstream_http.pictures.routes import FORMS, answer, form_of
from repstream_http.projection import View
from repstream_http.request import ViewNow

SUFFIXES = frozenset({".h5", ".hdf5", ".nxs", ".nx5"})
MOST_ENTRIES = 2000

router = APIRouter(tags=["Files"], dependencies=[known_query], responses=openapi.ERRORS)


class FileEntry(BaseModel):
    """A folder, or a file that may hold images."""

    name: str
    path: str
    folder: bool
    size: int = Field(description="Bytes; 0 for a folder.")
    modified: UnixTime


class Folder(BaseModel):
    """What is in a folder, folders first, then the newest file first."""

    folder: str = Field(description="Empty for the list of the engine's roots.")
    parent: str | None = Field(description="Where to go up to; null at the top.")
    entries: list[FileEntry]


class FileFacts(BaseModel):
    """How far a file is, and what its images are."""

    path: str
    count: int = Field(description="Images that can be read.")
    width: int | None
    height: int | None
    dtype: str | None
    outcome: str = Field(description="unfinished while it is written; empty in files of others.")
    finished: bool
    last_id: int | None
    size: int


Accept = Annotated[str, Header(include_in_schema=False)]
FilePath = Annotated[str, Query(description="Path of the file, below one of the engine's roots.")]


@router.get("/files")
def list_files(
    view: ViewNow, folder: Annotated[str, Query(description="Left out: the engine's roots.")] = ""
) -> Folder:
    """Folders and image files in a folder below the engine's roots."""
    roots = roots_of(view)
    if not folder:
        if len(roots) == 1:
            return _folder(roots[0], roots)
        return Folder(folder="", parent=None, entries=_entries(roots))
    return _folder(allowed(folder, roots), roots)


@router.get("/files/info")
def read_file_facts(view: ViewNow, path: FilePath) -> FileFacts:
    """How far a file is now, also while it is written."""
    roots = roots_of(view)
    real = allowed(path, roots)
    try:
        with FileReader(real, roots=roots) as reader:
            extent = reader.extent
            height, width = reader.shape if extent.count else (None, None)
            dtype = reader.dtype.name if extent.count else None
    except StorageError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    return FileFacts(
        path=str(real),
        count=extent.count,
        width=width,
        height=height,
        dtype=dtype,
        outcome=extent.outcome,
        finished=extent.finished,
        last_id=extent.last_id,
        size=real.stat().st_size,
    )


class FileLook(Look):
    """Which image of which file, and how."""

    path: str = Field(description="Path of the file, below one of the engine's roots.")
    image: int = Field(0, ge=0, description="Number of the image, counted from 0.")


@router.get("/files/image", response_class=Response)
@router.get("/files/image.{form}", response_class=Response)
async def read_file_image(
    view: ViewNow, look: Annotated[FileLook, Query()], accept: Accept = "", form: str = ""
) -> Response:
    """One image of a file as JPEG, PNG or NumPy file, as `/pictures` has it."""
    wanted = form or form_of(accept)
    if wanted not in FORMS:
        known = ", ".join(FORMS)
        raise HTTPException(
            HTTPStatus.NOT_FOUND, f"there is no form {wanted!r:.20} of an image, only {known}"
        )
    return await answer(await run_in_threadpool(_image, look, view), wanted, look)


def _image(look: FileLook, view: View) -> Picture:
    roots = roots_of(view)
    path = allowed(look.path, roots)
    try:
        with FileReader(path, roots=roots) as reader:
            if look.image >= reader.count:
                text = f"{path.name} has {reader.count} images now, and no number {look.image}"
                raise HTTPException(HTTPStatus.NOT_FOUND, text)
            image, rows = reader.image(look.image), reader.rows(look.image, look.image + 1)
    except StorageError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    image_id = int(rows["image_id"][0]) if rows is not None and len(rows) else look.image
    return picture_of(image, image_id, look.view)


def roots_of(view: View) -> list[Path]:
    """The engine's roots as this host sees them."""
    return [Path(root) for root in str(view.of_engine(Role.ROOTS) or "").split(os.pathsep) if root]


def allowed(path: str, roots: Iterable[Path]) -> Path:
    """The real path, where it is below a root; raises 403 and 404 as `HTTPException`."""
    try:
        real = Path(path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        text = f"{path!r:.200} is not there, as this server sees it"
        raise HTTPException(HTTPStatus.NOT_FOUND, text) from error
    known = [root.resolve() for root in roots]
    if not any(real.is_relative_to(root) for root in known):
        text = f"only below the engine's folders: {', '.join(map(str, known))}"
        raise HTTPException(HTTPStatus.FORBIDDEN, text)
    return real


def _folder(folder: Path, roots: list[Path]) -> Folder:
    try:
        inside = list(folder.iterdir())
    except OSError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"{folder}: {error.strerror}") from error
    is_root = folder in [root.resolve() for root in roots]
    parent = None if is_root and len(roots) == 1 else "" if is_root else str(folder.parent)
    return Folder(folder=str(folder), parent=parent, entries=_entries(inside))


def _entries(paths: Iterable[Path]) -> list[FileEntry]:
    found = []
    for path in paths:
        try:
            facts = path.stat()
        except OSError:
            continue  # gone meanwhile, or not for us
        folder = path.is_dir()
        if path.name.startswith(".") or not (folder or path.suffix in SUFFIXES):
            continue
        size = 0 if folder else facts.st_size
        found.append(
            FileEntry(
                name=path.name or str(path), path=str(path), folder=folder, size=size, modified=facts.st_mtime
            )
        )
    return sorted(found, key=lambda e: (not e.folder, e.name if e.folder else -e.modified))[:MOST_ENTRIES]
