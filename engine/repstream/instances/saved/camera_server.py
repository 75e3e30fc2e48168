"""A camera server elsewhere, asked over HTTP for the streams of its cameras."""

from __future__ import annotations

import http.client
import json
import urllib.parse
import urllib.request
from typing import Any

from repstream import web_client
from repstream.errors import EngineUnreachable, Refused
from repstream.instances.description import StreamPlace
from repstream.parameters import curve

PREFIX = "/api/v1/cam"
PATIENCE = 30.0
"""Seconds that it has to answer: it may have to start a camera."""


class CameraServer:
    """A server with cam_server's REST interface; fills `Cameras`. Thread-safe.

    `address` is like ``http://host:8888``. Errors name it: `Refused` with what it answered,
    `EngineUnreachable` where it does not answer.
    """

    def __init__(self, address: str) -> None:
        if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
            raise ValueError(
                f"{web_client.shown(address)!r} is no address of a camera server, such as http://host:8888"
            )
        self._url = address.rstrip("/")
        self.address = web_client.shown(self._url)

    def names(self) -> list[str]:
        return [str(name) for name in self._ask("", "cameras")]

    def stream(self, name: str) -> StreamPlace:
        path = "/" + urllib.parse.quote(name, safe="")
        address, configuration = self._ask(path, "stream"), self._ask(f"{path}/config", "config")
        return StreamPlace(str(address), str(configuration.get(curve.KEY) or ""))

    def _ask(self, path: str, field: str) -> Any:
        request = urllib.request.Request(self._url + PREFIX + path)
        try:
            with web_client.opened(request, PATIENCE) as response:
                answer = dict(json.load(response))
            if answer["state"] == "ok":
                return answer[field]
        except (OSError, ValueError, TypeError, KeyError, http.client.HTTPException) as error:
            why = web_client.reason(error) if isinstance(error, OSError) else repr(error)
            raise EngineUnreachable(f"the camera server at {self.address} does not answer: {why}") from error
        raise Refused("camera_name", f"{answer.get('status', 'no reason given')} ({self.address})")
