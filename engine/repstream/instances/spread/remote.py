"""A server elsewhere with cam_server's REST interface, looked at in a thread of its own."""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace as changed
from typing import Any

import numpy.typing as npt

from repstream import web_client
from repstream.errors import EngineUnreachable, Refused, UnknownInstance
from repstream.instances.description import Configuration, InstanceInfo, Kind, LogRecord
from repstream.instances.load import Figures
from repstream.instances.saved.pickled_array import write_array
from repstream.instances.spread import shapes
from repstream.instances.spread.host import Look

log = logging.getLogger(__name__)

PREFIXES: Mapping[Kind, str] = {"camera": "/api/v1/cam", "pipeline": "/api/v1/pipeline"}

EVERY = 1.0
"""Seconds between two looks."""

PATIENCE = 3.0
"""Seconds that it has to say how it is; then it cannot be reached."""

START_PATIENCE = 30.0
"""Seconds that it has for what concerns an instance: to start one may take 20."""


class RemoteHost:
    """The server at `address`; fills `Host`. `on_look` is called after each look with that of before.

    A server that does not answer is looked at all the time, and is there again as soon as it answers.
    """

    def __init__(
        self,
        address: str,
        kind: Kind,
        on_look: Callable[[RemoteHost, Look, Look], None] = lambda host, before, now: None,
        patience: float = PATIENCE,
    ) -> None:
        self.address = address
        self._kind: Kind = kind
        self._prefix = PREFIXES[kind]
        self._on_look = on_look
        self._patience = patience
        self._look = Look()
        self._looked = 0.0
        self._looking = threading.Lock()
        self._stop = threading.Event()
        self.has_looked = threading.Event()
        threading.Thread(target=self._run, name=f"server {address}", daemon=True).start()

    def look(self, age: float | None = None) -> Look:
        if age is not None and not self._look.problem and time.monotonic() - self._looked > age:
            self._refresh()
        return self._look

    def start(
        self, name: str, configuration: Configuration, read_only: bool | None, port: int
    ) -> InstanceInfo:
        wanted = dict(configuration)
        if read_only is not None:
            wanted["read_only"] = read_only
        if port:
            wanted["port"] = port
        if self._kind == "camera":
            self._ask(name, "POST", self._of(name, "/config"), wanted)
            self._ask(name, "GET", self._of(name))
        else:
            query = urllib.parse.urlencode({"instance_id": name})
            self._ask(name, "POST", f"{self._prefix}?{query}", wanted)
        self._refresh()
        if (found := self._look.running.get(name)) is None:
            raise EngineUnreachable(f"{self.address} has started {name}, and does not list it")
        return found

    def reconfigure(self, name: str, change: Configuration, replace: bool) -> dict[str, Any]:
        if self._kind == "pipeline":
            path, body = f"{self._prefix}/instance/{_quoted(name)}/config", dict(change)
        else:
            held = {} if replace else self._held(name).config
            path, body = self._of(name, "/config"), {**held, **change}
        config = self._ask(name, "POST", path, body).get("config")
        self._refresh()
        return dict(config) if isinstance(config, dict) else body

    def keep_background(self, background_id: str, image: npt.NDArray[Any]) -> None:
        path = f"{self._prefix}/background/{_quoted(background_id)}/image_bytes"
        self._ask(background_id, "PUT", path, write_array(image))

    def stop(self, name: str) -> None:
        self._ask(name, "DELETE", self._of(name))
        self._refresh()

    def forget(self, name: str) -> None:
        self._ask(name, "DELETE", self._of(name, "/del"))
        self._refresh()

    def stop_all(self) -> None:
        self._ask("instances", "DELETE", self._prefix)
        self._refresh()

    def exit_code(self, name: str) -> int | None:
        code = self._ask(name, "GET", f"{self._prefix}/instance/{_quoted(name)}/exitcode").get("exitcode")
        return None if code is None else int(code)

    def logs(self, name: str) -> list[LogRecord]:
        return self._log(name, f"/api/v1/logs/instance/{_quoted(name)}")

    def server_log(self) -> Sequence[LogRecord]:
        return self._log("logs", "/api/v1/logs")

    def close(self) -> None:
        self._stop.set()

    def _log(self, subject: str, path: str) -> list[LogRecord]:
        lines = self._ask(subject, "GET", path, patience=self._patience).get("logs")
        return shapes.log_records(lines if isinstance(lines, list) else [])

    def _held(self, name: str) -> InstanceInfo:
        if (found := self._look.running.get(name)) is None:
            raise UnknownInstance(name, f"no {self._kind} of this name runs")
        return found

    def _run(self) -> None:
        while not self._stop.is_set():
            self._refresh()
            self.has_looked.set()
            self._stop.wait(EVERY)

    def _refresh(self) -> None:
        """Look now; who comes while somebody looks takes what that one finds only if it began later."""
        asked = time.monotonic()
        with self._looking:
            if self._looked > asked:
                return
            began = time.monotonic()
            before, now = self._look, self._found(self._look)
            self._look, self._looked = now, began
        if not self._stop.is_set():
            self._on_look(self, before, now)

    def _found(self, before: Look) -> Look:
        try:
            info = self._ask("info", "GET", f"{self._prefix}/info", patience=self._patience)["info"]
            if "servers" in info:
                problem = "is a manager: name its servers instead, or this one by its own address"
                raise EngineUnreachable(f"{self.address} {problem}")
            active = info["active_instances"]
            instances = {name: shapes.instance(self._kind, name, said) for name, said in active.items()}
            beams = self._beams() if self._kind == "pipeline" and instances and "started" in info else {}
        except (EngineUnreachable, Refused, KeyError, TypeError, AttributeError) as error:
            problem = f"does not answer as a {self._kind} server does: {error!r}"
            if isinstance(error, EngineUnreachable):
                problem = str(error).removeprefix(f"{self.address} ")
            return changed(before, problem=problem, since=before.since if before.problem else time.time())
        started = float(info.get("started") or 0)
        return Look(
            problem="",
            since=time.time() if before.problem else before.since,
            started=started,
            restarts=before.restarts + (0 < before.started < started),
            version=str(info.get("version") or ""),
            figures=Figures(*(info.get(key) for key in Figures._fields)),
            instances=instances,
            beams=beams,
        )

    def _beams(self) -> Mapping[str, Mapping[str, float | None]]:
        listed = self._ask("instances", "GET", "/api/v1/instances", patience=self._patience, bare=True)
        return {each["name"]: each.get("beam") or {} for each in listed["instances"]}

    def _of(self, name: str, rest: str = "") -> str:
        return f"{self._prefix}/{_quoted(name)}{rest}"

    def _ask(
        self,
        name: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        patience: float = START_PATIENCE,
        bare: bool = False,
    ) -> dict[str, Any]:
        """The answer. Raises `EngineUnreachable`, and for a refusal what its words mean (`shapes.error`)."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, method=method)
        if data is not None:
            kind = "octet-stream" if data is body else "json"
            request.add_header("Content-Type", f"application/{kind}")
        try:
            with web_client.opened(request, patience) as response:
                answer = dict(json.load(response))
            if bare or answer["state"] == "ok":
                return answer
            status = str(answer.get("status", "no reason given"))
        except (OSError, ValueError, TypeError, KeyError, http.client.HTTPException) as error:
            why = web_client.reason(error) if isinstance(error, OSError) else repr(error)
            raise EngineUnreachable(f"{self.address} does not answer: {why}") from error
        raise shapes.error(name, status)


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")
