"""gf_repstream's REST interface: a stream repeater with its four states.

Every answer has HTTP status 200; ``response`` says whether the request was taken, ``error`` why
not, ``state`` is the pair of a state's name and number. Here, and nowhere else, a repeater begins
as STOPPED and must be initialised before each start.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from repstream.errors import NotTaken, RepstreamError
from repstream.parameters import gf_repstream
from repstream.parameters.facts import Value
from repstream.protocol import Engine, Requester, Snapshot
from repstream.states import RepeaterState, is_initialized, is_open
from repstream_http.compat.commanding import configuration, do, first_writer
from repstream_http.origin import SameOriginOnly
from repstream_http.request import json_body, json_object, requester

log = logging.getLogger(__name__)

PORT = 8888
"""Where gf_repstream's clients look for it."""

NUMBERS = {state: number for number, state in enumerate(RepeaterState)}

WRITER_KEYS = {
    "output_file": "output_file",
    "run_id": "run_id",
    "n_images": "num_images",
    "detector_name": "detector_name",
    "user_id": "user_id",
}
"""gf_repstream's keys of an external writer, and the fields of writer 1 that they mean."""

MANDATORY = ("output_file", "run_id", "n_images", "detector_name")


Answer = dict[str, Any]


class Repeater:
    """The engine as gf_repstream shows it. Thread-safe.

    What no parameter holds: whether it has been initialised since the last start, whether the
    external writer has been configured since then, and `mode_metadata`, which has no effect.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._epoch = ""
        self._initialized = False
        self._writer_config: dict[str, Any] = {}
        self._mode_metadata: Any = "file"

    def initialize(self, body: Mapping[str, Any], asker: Requester) -> Answer:
        self._check("initialized")
        self._set(body, asker)
        do(self._engine, "initialize", None, asker)
        self._initialized = True
        return {**self.get_state(), "config": self._config()}

    def get_status(self) -> Answer:
        return {**self.get_state(), "config": self._config()}

    def get_state(self) -> Answer:
        return {"response": "success", "state": self.state}

    def set_config_from_dict(self, body: Mapping[str, Any], asker: Requester) -> Answer:
        self._check("configured")
        self._set(body, asker)
        return self.get_state()

    def set_config_from_file(self, body: Mapping[str, Any], asker: Requester) -> Answer:
        self._check("configured")
        if not isinstance(body.get("config_file"), str):
            raise NotTaken("config_file is missing: the path of a configuration file")
        self._set({"config_file": body["config_file"]}, asker)
        return self.get_state()

    def set_writer_config(self, body: Mapping[str, Any], asker: Requester) -> Answer:
        self._check("configured")
        if not self._has_external_writer:
            raise NotTaken("Streamer has no std-det-writer stream to be configured.")
        if missing := [key for key in MANDATORY if key not in body]:
            raise NotTaken(f"{', '.join(missing)}: missing; needed are {', '.join(MANDATORY)}")
        if unknown := [key for key in body if key not in WRITER_KEYS]:
            raise NotTaken(f"{', '.join(unknown)}: no such key; there are {', '.join(WRITER_KEYS)}")
        fields = {WRITER_KEYS[key]: value for key, value in body.items()}
        fields["run_id"] = str(fields["run_id"])
        tree = {"writers": {first_writer(self._engine): fields}}
        do(self._engine, "configure", json.dumps(tree), asker)
        self._writer_config = dict(body)
        self._initialized = True
        return self.get_state()

    def start(self, asker: Requester) -> Answer:
        if not is_initialized(self.state[0]):
            raise NotTaken(f"Streamer in state {self.state[0]} can not be started.{self._hint}")
        do(self._engine, "start", None, asker)
        self._forget()
        return self.get_state()

    def stop(self, asker: Requester) -> Answer:
        if not is_open(self.state[0]):
            raise NotTaken("Streamer is not running.")
        self._engine.execute("engine.stop", None, asker)
        return self.get_state()

    @property
    def state(self) -> tuple[str, int]:
        """Name and number; INITIALIZED only when a start would be taken."""
        state = RepeaterState(str(self._snapshot().values["engine.state"]))
        if is_initialized(state) and not (self._initialized and self._writer_is_ready):
            state = RepeaterState.STOPPED
        return state.value, NUMBERS[state]

    def _forget(self) -> None:
        self._initialized = False
        self._writer_config = {}

    def _snapshot(self) -> Snapshot:
        snapshot = self._engine.snapshot()
        with self._lock:
            if snapshot.epoch != self._epoch:
                self._epoch = snapshot.epoch
                self._forget()
        return snapshot

    def _configuration(self) -> dict[str, Any]:
        """The configuration in force, its streams in the order of their slots."""
        found = {"source": {}, "streams": {}, "slots": {}} | configuration(self._engine)
        slots, streams = found["slots"], found["streams"]
        by_slot = sorted(streams, key=lambda name: slots[f"streams.{name}"])
        return {**found, "streams": {name: streams[name] for name in by_slot}}

    def _config(self) -> dict[str, Any]:
        return {
            **gf_repstream.as_dictionary(self._configuration()),
            "config_file": self._file,
            "mode_metadata": self._mode_metadata,
            "writer_config": self._writer_config,
        }

    def _set(self, body: Mapping[str, Any], asker: Requester) -> None:
        """Take what a dictionary says, all of it or nothing; one that /get_status gave may come back."""
        given = {key: value for key, value in body.items() if key != "mode_metadata"}
        if given.pop("writer_config", self._writer_config) != self._writer_config:
            raise NotTaken("writer_config goes to /set_writer_config")
        file = given.pop("config_file", None)
        if given and file not in (None, self._file):
            raise NotTaken("config_file goes alone: it has values for the other keys")
        if given:
            changes = gf_repstream.as_changes(given, self._configuration(), "configuration")
            do(self._engine, "configure", json.dumps(changes), asker)
        elif file is not None:
            do(self._engine, "load_config", str(file), asker)
        if body:
            self._mode_metadata = body.get("mode_metadata", self._mode_metadata)
            self._initialized = True

    @property
    def _file(self) -> Value:
        return self._snapshot().values["engine.config_file"] or None

    def _check(self, what: str) -> None:
        if is_open(self.state[0]):
            raise NotTaken(f"Streamer in state {self.state[0]} can not be {what}.")

    @property
    def _has_external_writer(self) -> bool:
        return gf_repstream.STD_DET_WRITER in self._configuration()["streams"]

    @property
    def _writer_is_ready(self) -> bool:
        return bool(self._writer_config) or not self._has_external_writer

    @property
    def _hint(self) -> str:
        if not self._writer_is_ready:
            return " The std-det-writer stream needs /set_writer_config before each start."
        return " It must be initialized first." if not is_open(self.state[0]) else ""


def create_app(engine: Engine) -> FastAPI:
    """The application for one engine."""
    app = FastAPI(title="gf_repstream", openapi_url=None, redirect_slashes=False)
    repeater = Repeater(engine)

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        reason = f"a fault of the server ({type(error).__name__}); its log has the details"
        return await run_in_threadpool(_error, repeater, reason)

    def offer(method: str, path: str, do: Callable[[Mapping[str, Any], Requester], Answer]) -> None:
        async def route(request: Request) -> JSONResponse:
            try:
                body = await json_object(await json_body(request)) if method == "POST" else {}
                asker = await requester(request)
                return JSONResponse(await run_in_threadpool(do, body, asker))
            except HTTPException as error:
                return await run_in_threadpool(_error, repeater, error.detail)
            except (RepstreamError, TimeoutError) as error:
                return await run_in_threadpool(_error, repeater, str(error))

        app.add_api_route(path, route, methods=[method])

    offer("POST", "/initialize", repeater.initialize)
    offer("GET", "/get_status", lambda body, asker: repeater.get_status())
    offer("GET", "/get_state", lambda body, asker: repeater.get_state())
    offer("GET", "/alive", lambda body, asker: repeater.get_state())
    offer("POST", "/set_config_from_dict", repeater.set_config_from_dict)
    offer("POST", "/set_config_from_file", repeater.set_config_from_file)
    offer("POST", "/set_writer_config", repeater.set_writer_config)
    offer("POST", "/set_writer_config_rest", repeater.set_writer_config)
    offer("POST", "/start", lambda body, asker: repeater.start(asker))
    offer("POST", "/stop", lambda body, asker: repeater.stop(asker))
    app.add_middleware(SameOriginOnly)
    return app


def _error(repeater: Repeater, reason: str) -> JSONResponse:
    return JSONResponse({"response": "error", "error": reason, "state": repeater.state})
