"""The live picture as a film of JPEGs, with frame number, shape and type above it."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

import numpy as np
import simplejpeg
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from repstream.pictures.link import PictureLink
from repstream.pictures.picture import Picture, View
from repstream_http.pictures import film, rendering
from repstream_http.pictures.look import Look

SLOT = 1
"""The picture that is shown: the first of the engine's."""

BOUNDARY = "frame"
LARGEST, LEAST = 1024, 384
"""Pixels of the longer side, at most and about at least: small images are enlarged, for the text to fit."""

STRIP = 22
"""Height of the text above the picture in pixels."""

LOOK = Look(colours="viridis")


def install(app: FastAPI) -> None:
    """Add the route, on the pictures in ``app.state``."""

    async def show(request: Request) -> StreamingResponse:
        media_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        return StreamingResponse(_film(request, app.state.pictures), media_type=media_type)

    app.add_api_route("/daq/live", show, methods=["GET"])


async def _film(request: Request, pictures: PictureLink) -> AsyncIterator[bytes]:
    view = View(size=(LARGEST, LARGEST))
    async for picture in film.follow(request, lambda: pictures.of(SLOT), SLOT, view):
        yield film.part(BOUNDARY, await run_in_threadpool(_jpeg, picture))


def _jpeg(picture: Picture | None) -> bytes:
    if picture is None:
        shown = _captioned(np.zeros((LEAST // 2, LEAST, 3), np.uint8), "No data")
    else:
        height, width = picture.full_shape
        text = f"frame {picture.image_id}   {height} x {width}   {picture.dtype}"
        shown = _captioned(_enlarged(rendering.coloured(picture.data, LOOK)), text)
    found: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(shown), LOOK.quality, "RGB", "444", fastdct=True
    )
    return found


def _enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = math.ceil(LEAST / max(pixels.shape[:2])) if max(pixels.shape[:2]) < LEAST else 1
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def _captioned(pixels: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    shown = np.zeros((height + STRIP, max(width, LEAST), 3), np.uint8)
    shown[STRIP:, :width] = pixels
    drawn = Image.fromarray(shown)
    ImageDraw.Draw(drawn).text((4, 4), text, fill=(255, 255, 255))
    return np.asarray(drawn)
