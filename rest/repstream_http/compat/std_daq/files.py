"""Files by the acquisition that made them: what is in them, and their images."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from repstream.errors import InvalidValue
from repstream.files.reader import IMAGES, FileReader
from repstream.pictures.picture import FULL
from repstream.pictures.single import picture_of
from repstream_http.compat.std_daq.convention import Answer, guarded
from repstream_http.compat.std_daq.daq import Daq
from repstream_http.files_routes import allowed
from repstream_http.pictures import rendering
from repstream_http.pictures.look import Look

LOOK = Look(colours="viridis")


def install(app: FastAPI, daq: Daq) -> None:
    """Add the routes."""

    async def metadata(request: Request) -> Answer:
        return {
            "message": "Metadata retrieved.",
            "file_metadata": await run_in_threadpool(_metadata, daq, request.path_params["acquisition"]),
        }

    async def image(request: Request) -> Response:
        acquisition, number = request.path_params["acquisition"], request.path_params["image"]
        content = await run_in_threadpool(_jpeg, daq, acquisition, number)
        return Response(content, media_type="image/jpeg", headers={"cache-control": "no-store"})

    app.add_api_route("/file/{acquisition}", guarded(metadata), methods=["GET"])
    app.add_api_route("/file/{acquisition}/{image}", guarded(image), methods=["GET"])


def _reader(daq: Daq, acquisition: str) -> FileReader:
    return FileReader(allowed(daq.file(acquisition), daq.roots), roots=daq.roots)


def _metadata(daq: Daq, acquisition: str) -> Answer:
    with _reader(daq, acquisition) as reader:
        height, width = reader.shape if reader.count else (0, 0)
        return {
            "filename": str(reader.path),
            "file_size": reader.path.stat().st_size,
            "dataset_name": IMAGES,
            "n_images": reader.count,
            "image_pixel_height": height,
            "image_pixel_width": width,
            "dtype": reader.dtype.name if reader.count else None,
        }


def _jpeg(daq: Daq, acquisition: str, wanted: str) -> bytes:
    with _reader(daq, acquisition) as reader:
        if not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 10):
            raise InvalidValue("image", f"{wanted!r:.80} is no number of an image; they count from 0")
        number = int(wanted)
        if number >= reader.count:
            raise InvalidValue(
                "image", f"{reader.path.name} has {reader.count} images, and no number {number}"
            )
        return rendering.jpeg(picture_of(reader.image(number), number, FULL).data, LOOK)
