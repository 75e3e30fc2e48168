"""`/pictures/<slot>`: one picture in the wanted form, a film of them, and live over WebSocket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request, Response, WebSocket
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from repstream.pictures.link import PictureLink
from repstream.pictures.picture import Picture
from repstream.pictures.protocol import Pictures
from repstream_http import openapi
from repstream_http.changes import NOT_FOUND, REASON_LENGTH
from repstream_http.known import known_query
from repstream_http.pictures import film, live, rendering, wire
from repstream_http.pictures.look import Look, LookQuery
from repstream_http.projection import View
from repstream_http.request import engine_of

PATIENCE = 2.0
"""Seconds that a request waits for a picture."""
BOUNDARY = "picture"

Encoder = Callable[[Picture, Look], bytes]
FORMS: dict[str, tuple[str, Encoder]] = {
    "jpg": ("image/jpeg", lambda picture, look: rendering.jpeg(picture.data, look)),
    "png": ("image/png", lambda picture, look: rendering.png(picture.data, look)),
    "npy": ("application/x-npy", lambda picture, look: rendering.npy(picture.data)),
    "picture": (wire.MEDIA_TYPE, lambda picture, look: wire.message(picture, wire.Encoding.BLOSC, look)),
}
"""Media type and encoder by extension; the first is what is sent where nothing else is asked for."""
FILM = "mjpg"
FILM_TYPE = f"multipart/x-mixed-replace; boundary={BOUNDARY}"

router = APIRouter(tags=["Pictures"], dependencies=[known_query], responses=openapi.ERRORS)

Wanted = Annotated[
    str,
    Path(
        description="Slot, with an extension where Accept does not say the form: 1.jpg, .png, .npy, .mjpg.",
        examples=["1.jpg"],
    ),
]


@router.get("/pictures/{picture}", response_class=Response)
async def read_picture(request: Request, picture: Wanted, look: LookQuery) -> Response:
    """The latest picture as JPEG, PNG or NumPy file (the values as they are), or a film of JPEGs.

    The form is that of the extension, else that of Accept, else JPEG. The headers ``Repstream-…`` say
    which image it is and which part. 404: there is no such slot, or it has no pictures now.
    """
    stem, _, extension = picture.partition(".")
    pictures, slot = await run_in_threadpool(_slot, request, stem)
    form = extension or form_of(request.headers.get("accept", ""))
    if form == FILM:
        return StreamingResponse(_film(request, pictures, slot, look), media_type=FILM_TYPE)
    if form not in FORMS:
        known = ", ".join([*FORMS, FILM])
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no form {form!r:.20} of a picture, only {known}")
    found = await run_in_threadpool(pictures.latest, slot, look.view, PATIENCE)
    if found is None:
        text = f"slot {slot} has no picture now: it is off, or its stream gets no images"
        raise HTTPException(HTTPStatus.NOT_FOUND, text)
    return await answer(found, form, look)


async def answer(picture: Picture, form: str, look: Look) -> Response:
    """A picture in one of the `FORMS`, with headers that say which it is."""
    media_type, encode = FORMS[form]
    content = await run_in_threadpool(encode, picture, look)
    height, width = picture.full_shape
    headers = {
        "cache-control": "no-store",
        "repstream-image-id": str(picture.image_id),
        "repstream-time": f"{picture.time:.6f}",
        "repstream-full-size": f"{width}x{height}",
        "repstream-origin": f"{picture.origin[1]},{picture.origin[0]}",
        "repstream-step": f"{picture.step[1]},{picture.step[0]}",
    }
    return Response(content, media_type=media_type, headers=headers)


def form_of(accept: str) -> str:
    """The form that an Accept header asks for first; JPEG where it leaves the choice."""
    wanted = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    by_type = {media_type: form for form, (media_type, _) in FORMS.items()}
    by_type |= {"application/octet-stream": "npy", "multipart/x-mixed-replace": FILM}
    return next((by_type[t] for t in wanted if t in by_type), next(iter(FORMS)))


@router.websocket("/pictures/{slot}/live")
async def follow_pictures(websocket: WebSocket, slot: str) -> None:
    """Pictures as they come; see the description of the API."""
    try:
        pictures, number = await run_in_threadpool(_slot, websocket, slot)
    except HTTPException as unknown:
        await websocket.accept()
        await websocket.close(NOT_FOUND, unknown.detail[:REASON_LENGTH])
        return
    await live.serve(websocket, pictures, number)


def _slot(connection: Request | WebSocket, text: str) -> tuple[Pictures, int]:
    """The pictures that a path means; raises 404 and 503 as `HTTPException`. May block."""
    name, engine = engine_of(connection)
    link: PictureLink = connection.app.state.links[name]
    if not text.isdigit() or int(text) not in link.slots:
        known = f"only {', '.join(map(str, link.slots))}" if link.slots else f"the engine {name!r} has none"
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no picture {text!r:.20}, {known}")
    pictures = link.of(int(text))
    if pictures is None:
        if not View(name, engine).reachable:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, f"the engine {name!r} cannot be reached")
        reason = f"the engine {name!r} makes no pictures now; its parameters pictures.{text}.* say why"
        raise HTTPException(HTTPStatus.NOT_FOUND, reason)
    return pictures, int(text)


async def _film(request: Request, pictures: Pictures, slot: int, look: Look) -> AsyncIterator[bytes]:
    async for picture in film.follow(request, lambda: pictures, slot, look.view):
        if picture is not None:
            yield film.part(BOUNDARY, await run_in_threadpool(rendering.jpeg, picture.data, look))
