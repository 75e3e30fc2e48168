"""The camera server: streams, configurations and single images of cameras, ``/api/v1/cam``."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from repstream.errors import RepstreamError
from repstream.instances.saved.cameras import SavedCameras
from repstream_http.compat.cam_server import pictures, words
from repstream_http.compat.cam_server.bodies import Body
from repstream_http.compat.cam_server.convention import API, Answer, Asked, Route
from repstream_http.compat.cam_server.server import Common
from repstream_http.compat.cam_server.stored import Stored

PORT = 8888
"""Where its clients look for it; those of gf_repstream look there too."""

PREFIX = API + "/cam"


class CameraRoutes:
    """The routes of cameras; see `routes`."""

    def __init__(self, cameras: SavedCameras) -> None:
        self._cameras = cameras

    def routes(self) -> list[Route]:
        """All but those of `Common` and `Stored`, which go first."""
        return [
            Route("GET", "", "cameras", "Names of all cameras.", self._names),
            Route("GET", "/aliases", "aliases", "Cameras by alias.", self._aliases),
            Route(
                "GET",
                "/{name}/is_online",
                "online",
                "Whether a camera sends; `status` says why not.",
                self._online,
            ),
            Route("GET", "/{name}/config", "config", "Saved configuration, with defaults.", self._config),
            Route(
                "POST",
                "/{name}/config",
                "config",
                "Save a configuration; the running camera takes it at once.",
                self._configure,
                Body.JSON,
            ),
            Route("GET", "/{name}/geometry", "geometry", "Width and height as streamed.", self._geometry),
            Route(
                "GET",
                "/{name}/image",
                "PNG",
                "Next image; `raw`, `scale`, `min_value`, `max_value`, `colormap`.",
                self._image,
            ),
            Route("GET", "/{name}/image_bytes", "image", "Next image as base64; `raw`.", self._image_bytes),
            Route(
                "GET", "/{name}", "stream", "Address of a camera's stream, which is started.", self._stream
            ),
        ]

    def _names(self, asked: Asked) -> Answer:
        return {"cameras": self._cameras.names()}

    def _aliases(self, asked: Asked) -> Answer:
        return {"aliases": self._cameras.configurations.aliases()}

    def _stream(self, asked: Asked) -> Answer:
        return {"stream": self._cameras.stream(asked["name"]).address}

    def _online(self, asked: Asked) -> Answer:
        self._cameras.configuration(asked["name"])
        try:
            problem = self._cameras.problem(asked["name"])
        except RepstreamError as error:
            problem = words.of(error)
        return {"online": not problem, "status": problem or "The camera sends."}

    def _config(self, asked: Asked) -> Answer:
        return {"config": self._cameras.configuration(asked["name"])}

    def _configure(self, asked: Asked) -> Answer:
        return {"config": self._cameras.configure(asked["name"], words.check_camera(asked.body))}

    def _geometry(self, asked: Asked) -> Answer:
        return {"geometry": list(self._cameras.geometry(asked["name"]))}

    def _image(self, asked: Asked) -> Response:
        return pictures.png(self._taken(asked), asked.query)

    def _image_bytes(self, asked: Asked) -> Answer:
        return {"image": pictures.as_bytes(self._taken(asked))}

    def _taken(self, asked: Asked) -> Any:
        raw = asked.query.get("raw", "false").lower() not in ("false", "0")
        return self._cameras.image(asked["name"], raw)


def routes(common: Common, stored: Stored, cameras: SavedCameras) -> list[Route]:
    """All routes of a camera server, in the order in which they are tried."""
    return [*common.routes(), *stored.routes(), *CameraRoutes(cameras).routes()]
