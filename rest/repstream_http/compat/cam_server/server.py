"""What the camera server and the pipeline server have in common: instances, logs, scripts, their end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from fastapi import Response

from repstream.errors import NotTaken
from repstream.instances.load import Figures, Load
from repstream.instances.protocol import Registry
from repstream.instances.saved.scripts import Scripts
from repstream.instances.spread.registry import Spread
from repstream.version import __version__
from repstream_http.compat.cam_server import shapes
from repstream_http.compat.cam_server.bodies import Body
from repstream_http.compat.cam_server.convention import API, Answer, Asked, Route
from repstream_http.compat.cam_server.kept_log import KeptLog


class Common:
    """The routes of both servers. `end` ends the server; None where it is not to be ended by a client.

    `spread`: the instances of a manager; None for a server that is none. `resolve` gives the name of an
    instance that a client may call by another.
    """

    def __init__(
        self,
        prefix: str,
        instances: Registry,
        scripts: Scripts,
        log: KeptLog,
        *,
        end: Callable[[], None] | None = None,
        spread: Spread | None = None,
        resolve: Callable[[str], str] = str,
    ) -> None:
        self._prefix = prefix
        self._instances = instances
        self._scripts = scripts
        self._log = log
        self._end = end
        self._spread = spread
        self._resolve = resolve
        self._started = time.time()
        self._load = Load()

    def routes(self) -> list[Route]:
        """Those that stand before the routes with a name in the place of theirs."""
        return [
            Route("GET", "/info", "info", "Version, instances and load of the server.", self._info),
            Route("GET", "/heartbeat", "version, instances", "Figures of the instances.", self.heartbeat),
            Route("GET", "/version", "version", "Version.", self.version),
            Route("GET", "/base", "base", "Prefix of the routes.", lambda _: {"base": self._prefix}),
            Route("GET", "/script", "scripts", "Names of the user scripts.", self._script_names),
            Route("GET", "/script/{name}/script_bytes", "script", "Text of a script.", self._script),
            Route("PUT", "/script/{name}/script_bytes", "", "Keep a script.", self._put_script, Body.DATA),
            Route("DELETE", "/script/{name}/script_bytes", "", "Remove a script.", self._remove_script),
            Route("DELETE", "", "", "Stop all instances.", self.stop_all),
            Route("DELETE", "/{name}", "", "Stop an instance; one that is not known is no error.", self.stop),
            Route("DELETE", "/{name}/del", "", "Stop an instance and forget its port and log.", self.forget),
            Route("GET", f"{API}/logs", "logs", "Last 500 lines of the server's log.", self.logs),
            Route("GET", f"{API}/logs/txt", "plain text", "The same as text.", self._logs_text),
            Route(
                "GET", f"{API}/logs/instance/{{name}}", "logs", "Last 100 lines of an instance.", self.log_of
            ),
            Route(
                "GET",
                f"{API}/logs/instance/{{name}}/txt",
                "plain text",
                "The same as text.",
                self._log_text_of,
            ),
            Route("GET", f"{API}/reset", "", "End the server.", self._reset),
        ]

    def server_info(self) -> dict[str, Any]:
        """Version, instances by id, and load; a manager's has the servers, and the host of each instance."""
        if self._spread is not None:
            return _of_all(self._spread)
        running = self._instances.running()
        load = self._load.now([each.statistics for each in running])
        active = {each.name: shapes.info(each) for each in running}
        return {
            "version": __version__,
            "started": self._started,
            "active_instances": active,
            **load._asdict(),
        }

    def _info(self, asked: Asked) -> Answer:
        return {"info": self.server_info()}

    def version(self, asked: Asked) -> Answer:
        return {"version": __version__}

    def heartbeat(self, asked: Asked) -> Answer:
        flat = {each.name: shapes.flat(each) for each in self._instances.running()}
        return {"version": __version__, "instances": flat}

    def stop_all(self, asked: Asked) -> Answer:
        self._instances.stop_all()
        return {}

    def stop(self, asked: Asked) -> Answer:
        self._instances.stop(self._resolve(asked["name"]))
        return {}

    def forget(self, asked: Asked) -> Answer:
        self._instances.forget(self._resolve(asked["name"]))
        return {}

    def logs(self, asked: Asked) -> Answer:
        return {"logs": shapes.log_lines(self._log.lines())}

    def _logs_text(self, asked: Asked) -> Response:
        return text(shapes.log_text(shapes.log_lines(self._log.lines())))

    def log_of(self, asked: Asked) -> Answer:
        return {"logs": shapes.log_lines(self._instances.logs(self._resolve(asked["name"])))}

    def _log_text_of(self, asked: Asked) -> Response:
        return text(shapes.log_text(shapes.log_lines(self._instances.logs(self._resolve(asked["name"])))))

    def _reset(self, asked: Asked) -> Answer:
        if self._end is None:
            raise NotTaken("this server runs others beside it, and no client may end it")
        self._end()
        return {}

    def _script_names(self, asked: Asked) -> Answer:
        return {"scripts": self._scripts.names()}

    def _script(self, asked: Asked) -> Answer:
        return script_answer(self._scripts, asked["name"], "script")

    def _put_script(self, asked: Asked) -> Answer:
        self._scripts.write(asked["name"], asked.body)
        return {}

    def _remove_script(self, asked: Asked) -> Answer:
        self._scripts.delete(asked["name"])
        return {}


def _of_all(spread: Spread) -> dict[str, Any]:
    """The info of a manager: its load is the sum of what the servers say."""
    looks = spread.servers()
    active = {
        name: {**shapes.info(info), "host": address} for name, (address, info) in spread.placed().items()
    }
    there = [look.figures for look in looks.values() if not look.problem]
    load = {key: _sum(getattr(each, key) for each in there) for key in Figures._fields}
    return {"version": __version__, "active_instances": active, "servers": list(looks), **load}


def _sum(given: Iterable[float | None]) -> float | None:
    """The sum of what is known; None where nothing is."""
    known = [each for each in given if each is not None]
    return sum(known) if known else None


def script_answer(scripts: Scripts, name: str, field: str) -> Answer:
    """A script's text in a field; of one that is no text its base64, and `base64` true."""
    content, is_base64 = scripts.read(name)
    return {field: content, "base64": True} if is_base64 else {field: content}


def text(content: str) -> Response:
    """A plain text."""
    return Response(content, media_type="text/plain; charset=utf-8")
