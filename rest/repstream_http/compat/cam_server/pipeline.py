"""The pipeline server: instances, saved pipelines, backgrounds and libraries, ``/api/v1/pipeline``."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import numpy as np
from fastapi import Response

from repstream.errors import NotTaken
from repstream.instances.description import InstanceInfo
from repstream.instances.saved.permanent import Permanent
from repstream.instances.saved.pipelines import SavedPipelines
from repstream.instances.saved.scripts import Scripts
from repstream_http.compat.cam_server import pictures, shapes, words
from repstream_http.compat.cam_server.bodies import Body
from repstream_http.compat.cam_server.convention import API, Answer, Asked, Route
from repstream_http.compat.cam_server.server import Common, script_answer
from repstream_http.compat.cam_server.stored import Stored

PORT = 8889
"""Where its clients look for it."""

PREFIX = API + "/pipeline"

DEFAULT_IMAGES = 10
"""Images of a background where a request does not say how many."""


class PipelineRoutes:
    """The routes of pipelines; see `routes`. A manager has `permanent` instances."""

    def __init__(
        self, pipelines: SavedPipelines, libraries: Scripts, permanent: Permanent | None = None
    ) -> None:
        self._pipelines = pipelines
        self._libraries = libraries
        self._permanent = permanent

    def routes(self) -> list[Route]:
        """All but those of `Common` and `Stored`, which go first."""
        return [*self._instance_routes(), *self._background_routes(), *self._saved_routes()]

    def _instance_routes(self) -> list[Route]:
        created = "instance_id, stream, config"
        shared = Route(
            "POST",
            "/instance/",
            created,
            "A read-only instance with this configuration, shared by all who ask for the same.",
            self._share,
            Body.JSON,
        )
        return [
            Route("POST", "", created, "Start an instance; `instance_id`.", self._create, Body.JSON),
            shared,
            Route("POST", "/instance", created, shared.text, self._share, Body.JSON),
            Route("GET", "/instance/{name}/info", "info", "Info of an instance.", self._info),
            Route(
                "GET",
                "/instance/{name}/exitcode",
                "exitcode",
                "How it ended; null while it runs.",
                self._exit,
            ),
            Route("GET", "/instance/{name}/config", "config", "Its configuration.", self._instance_config),
            Route(
                "POST",
                "/instance/{name}/config",
                "config",
                "Change it in part; good region and slices field by field.",
                self._update,
                Body.JSON,
            ),
            Route(
                "GET",
                "/instance/{name}",
                "stream",
                "Address of an instance's stream; else of the saved pipeline of this name, which is started.",
                self._stream,
            ),
        ]

    def _background_routes(self) -> list[Route]:
        return [
            Route(
                "POST",
                "/camera/{name}/background",
                "background_id",
                "Collect a background of a camera: the mean of `n_images` (10) images.",
                self._collect,
            ),
            Route("GET", "/camera/{name}/background", "background_id", "Latest background.", self._latest),
            Route(
                "GET", "/camera/{name}/backgrounds", "background_ids", "All of a camera.", self._backgrounds
            ),
            Route(
                "GET",
                "/background/{name}/image",
                "PNG",
                "A background; `scale`, `min_value`, `max_value`, `colormap`.",
                self._image,
            ),
            Route("GET", "/background/{name}/image_bytes", "image", "The same as base64.", self._image_bytes),
            Route(
                "POST",
                "/background",
                "",
                "Keep a background: `filename`, and `data` as a nested list, which becomes uint16.",
                self._post_background,
                Body.JSON,
            ),
            Route("GET", "/lib", "libs", "Names of the libraries.", self._library_names),
            Route("GET", "/lib/{name}/lib_bytes", "lib", "Text of a library, or its base64.", self._library),
            Route("PUT", "/lib/{name}/lib_bytes", "", "Keep a library.", self._put_library, Body.DATA),
            Route("DELETE", "/lib/{name}/lib_bytes", "", "Remove a library.", self._remove_library),
        ]

    def _saved_routes(self) -> list[Route]:
        return [
            Route("GET", "", "pipelines", "Names of the saved pipelines.", self._names),
            Route("GET", "/camera", "cameras", "Names of the cameras.", self._cameras),
            Route("GET", "/{name}/config", "config", "Saved configuration, with defaults.", self._config),
            Route(
                "POST",
                "/{name}/config",
                "config",
                "Save a configuration; running instances keep theirs.",
                self._save,
                Body.JSON,
            ),
            Route(
                "POST",
                "/{name}",
                "instance_id, stream, config",
                "Start an instance of a saved pipeline; `instance_id`, `additional_config` (JSON).",
                self._create_saved,
            ),
        ]

    def _create(self, asked: Asked) -> Answer:
        document = words.check_pipeline(asked.body) if asked.body else None
        return _created(self._pipelines.create(None, document, asked.query.get("instance_id")))

    def _create_saved(self, asked: Asked) -> Answer:
        name, additional = asked["name"], _additional(asked.query.get("additional_config", ""))
        document = words.check_pipeline({**self._pipelines.configurations.read(name), **additional})
        return _created(self._pipelines.create(name, document, asked.query.get("instance_id")))

    def _share(self, asked: Asked) -> Answer:
        document = words.check_pipeline(asked.body) if asked.body else None
        return _created(self._pipelines.share(document))

    def _stream(self, asked: Asked) -> Answer:
        return {"stream": self._pipelines.ensure(asked["name"]).stream_address}

    def _info(self, asked: Asked) -> Answer:
        return {"info": shapes.info(self._pipelines.instances.get(asked["name"]))}

    def _exit(self, asked: Asked) -> Answer:
        code = self._pipelines.instances.exit_code(asked["name"])
        if code is None and self._permanent is not None:
            raise NotTaken(f"Instance '{asked['name']}' still running.")
        return {"exitcode": code}

    def _instance_config(self, asked: Asked) -> Answer:
        return {"config": self._pipelines.instances.get(asked["name"]).config}

    def _update(self, asked: Asked) -> Answer:
        if isinstance(asked.body, dict):
            words.check_change(asked.body)
        config = self._pipelines.update(asked["name"], asked.body)
        if self._permanent is not None and (saved := self._permanent.wanted().get(asked["name"])):
            self._pipelines.save_change(saved, asked.body)
        return {"config": config}

    def _collect(self, asked: Asked) -> Answer:
        text = asked.query.get("n_images", "") or str(DEFAULT_IMAGES)
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise NotTaken("n_images must be a number.")
        return {"background_id": self._pipelines.collect_background(asked["name"], int(text))}

    def _latest(self, asked: Asked) -> Answer:
        return {"background_id": self._pipelines.backgrounds.latest(asked["name"])}

    def _backgrounds(self, asked: Asked) -> Answer:
        return {"background_ids": self._pipelines.backgrounds.ids(asked["name"])}

    def _image(self, asked: Asked) -> Response:
        return pictures.png(self._pipelines.backgrounds.load(asked["name"]), asked.query)

    def _image_bytes(self, asked: Asked) -> Answer:
        return {"image": pictures.as_bytes(self._pipelines.backgrounds.load(asked["name"]))}

    def _post_background(self, asked: Asked) -> Answer:
        body = asked.body if isinstance(asked.body, dict) else {}
        if body.get("data") is None:
            return {"status": "No data was given; backgrounds that are kept stay."}
        name = str(body.get("filename") or "").rpartition("/")[2].removesuffix(".npy")
        self._pipelines.backgrounds.put(name, _as_uint16(body["data"]), datetime.now())
        return {}

    def _library_names(self, asked: Asked) -> Answer:
        return {"libs": self._libraries.names()}

    def _library(self, asked: Asked) -> Answer:
        return script_answer(self._libraries, asked["name"], "lib")

    def _put_library(self, asked: Asked) -> Answer:
        self._libraries.write(asked["name"], asked.body)
        return {}

    def _remove_library(self, asked: Asked) -> Answer:
        self._libraries.delete(asked["name"])
        return {}

    def _names(self, asked: Asked) -> Answer:
        return {"pipelines": self._pipelines.configurations.names()}

    def _cameras(self, asked: Asked) -> Answer:
        return {"cameras": self._pipelines.cameras.names()}

    def _config(self, asked: Asked) -> Answer:
        return {"config": self._pipelines.configuration(asked["name"])}

    def _save(self, asked: Asked) -> Answer:
        return {"config": self._pipelines.save(asked["name"], words.check_pipeline(asked.body))}


def routes(
    common: Common,
    stored: Stored,
    pipelines: SavedPipelines,
    libraries: Scripts,
    permanent: Permanent | None = None,
) -> list[Route]:
    """All routes of a pipeline server, in the order in which they are tried."""
    return [*common.routes(), *stored.routes(), *PipelineRoutes(pipelines, libraries, permanent).routes()]


def _created(info: InstanceInfo) -> dict[str, Any]:
    return {"instance_id": info.name, "stream": info.stream_address, "config": info.config}


def _additional(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotTaken(f"additional_config is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise NotTaken(f"additional_config must be a JSON object, not {text!r:.80}")
    return found


def _as_uint16(data: Any) -> np.ndarray[Any, np.dtype[np.uint16]]:
    try:
        image = np.asarray(data, np.float64)
    except (ValueError, TypeError) as error:
        raise NotTaken(f"data must be a list of rows of numbers: {error}") from error
    if not np.isfinite(image).all():
        raise NotTaken("data must be numbers, and some are not")
    return np.clip(image, 0, np.iinfo(np.uint16).max).astype(np.uint16)
