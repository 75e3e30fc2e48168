"""What managers add to a server: ``/api/v1/proxy``, permanent instances, instances and logs by server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fastapi import Response

from repstream.errors import NotTaken
from repstream.instances.load import Figures
from repstream.instances.saved.configurations import Configurations
from repstream.instances.saved.permanent import Permanent
from repstream.instances.spread.host import Host, Look
from repstream.instances.spread.registry import Spread
from repstream_http.compat.cam_server import shapes
from repstream_http.compat.cam_server.bodies import Body
from repstream_http.compat.cam_server.convention import API, Answer, Asked, Route
from repstream_http.compat.cam_server.server import Common, text

PREFIX = API + "/proxy"

UNREACHABLE = 1000
"""The load of a server that cannot be reached, as clients know it."""


LOOKS = ("version", "problem", "since", "started", "restarts")
"""What is told of each server beside its load."""


class Manager:
    """The routes of a manager, whose instances `spread` has.

    `save` keeps a configuration that clients give by name, as the server's own route does.
    """

    def __init__(
        self,
        common: Common,
        spread: Spread,
        configurations: Configurations,
        permanent: Permanent,
        save: Callable[[str, dict[str, Any]], dict[str, Any]],
    ) -> None:
        self._common = common
        self._spread = spread
        self._configurations = configurations
        self._permanent = permanent
        self._save = save

    def routes(self) -> list[Route]:
        """All of them, with their whole paths."""
        return [*self._own_routes(), *self._log_routes()]

    def _own_routes(self) -> list[Route]:
        lists = ", ".join(("servers", "load", "instances", *Figures._fields, *LOOKS))
        instance = "status, clients, rx, tx, cpu, memory, permanent, mode"
        common = self._common
        own = [
            Route(
                "GET",
                "/servers",
                lists,
                "Parallel lists, one entry a server; `load` is how many instances it has, 1000 where it "
                "cannot be reached: `problem` says why.",
                self._servers,
            ),
            Route(
                "GET",
                "/status",
                "servers",
                "Instances of each server by its address; null where it cannot be reached.",
                self._status,
            ),
            Route("GET", "/info", "info", "All instances, each with its host, and the servers.", self._info),
            Route("GET", "/info/{path:path}", "ret", "Part of it; `_keys`, `_values`, an index.", self._walk),
            Route("GET", "/version", "version", "Version.", common.version),
            Route("GET", "/heartbeat", "version, instances", "Figures of the instances.", common.heartbeat),
            Route("GET", "/config", "config", "The file of the servers.", self._config),
            Route(
                "POST",
                "/config",
                "config",
                "Keep the file of the servers, which counts at once.",
                self._put_config,
                Body.JSON,
            ),
            Route("GET", "/permanent", "permanent_instances", "Permanent instances.", self._saved_permanent),
            Route(
                "POST",
                "/permanent",
                "permanent_instances",
                "Take these in place of all; they are started now and looked after.",
                self._put_permanent,
                Body.JSON,
            ),
            Route("GET", "/config_names", "config_names", "Names of the saved configurations.", self._names),
            Route("GET", "/diag/{name}", "diag", f"How an instance is: {instance}.", self._diagnosis),
            Route("DELETE", "/server/{server}", "", "Stop all instances of a server.", self._stop_server),
            Route("DELETE", "/{name}", "", "Stop an instance.", common.stop),
            Route("DELETE", "/{name}/del", "", "Stop an instance, forget its port and log.", common.forget),
            Route("GET", "/{name}/config", "config", "Saved configuration as text.", self._text),
            Route("POST", "/{name}/config", "config", "Save a configuration.", self._put_text, Body.JSON),
            Route("DELETE", "/{name}/config", "", "Remove a saved configuration.", self._remove),
        ]
        return [_below(PREFIX, route) for route in own]

    def _log_routes(self) -> list[Route]:
        own = [
            Route("GET", "/server/logs/{server}", "logs", "The log of a server.", self._logs),
            Route("GET", "/server/logs/{server}/txt", "plain text", "The same as text.", self._logs_text),
            Route(
                "GET",
                "/server/instance/logs/{server}/{name}",
                "logs",
                "The log of an instance.",
                self._log_of,
            ),
            Route(
                "GET",
                "/server/instance/logs/{server}/{name}/txt",
                "plain text",
                "The same as text.",
                self._log_text_of,
            ),
        ]
        # ProxyClient asks at the first, the original answers at the second.
        return [_below(prefix, route) for prefix in (API, PREFIX) for route in own]

    def _servers(self, asked: Asked) -> Answer:
        looks = self._spread.servers()
        whole = list(looks.values())
        return {
            "servers": list(looks),
            "load": [UNREACHABLE if look.problem else len(look.running) for look in whole],
            "instances": [sorted(look.running) for look in whole],
            **{key: [getattr(look.figures, key) for look in whole] for key in Figures._fields},
            **{key: [getattr(look, key) for look in whole] for key in LOOKS},
        }

    def _status(self, asked: Asked) -> Answer:
        def of(address: str, look: Look) -> dict[str, Any] | None:
            if look.problem:
                return None
            return {name: {**shapes.info(info), "host": address} for name, info in look.running.items()}

        return {"servers": {address: of(address, look) for address, look in self._spread.servers().items()}}

    def _info(self, asked: Asked) -> Answer:
        return {"info": self._common.server_info()}

    def _walk(self, asked: Asked) -> Answer:
        found: Any = self._common.server_info()
        for step in filter(None, asked["path"].split("/")):
            found = _step(found, step)
        return {"ret": found}

    def _config(self, asked: Asked) -> Answer:
        return {"config": self._spread.file.document()}

    def _put_config(self, asked: Asked) -> Answer:
        self._spread.file.write(asked.body)
        return {"config": asked.body}

    def _saved_permanent(self, asked: Asked) -> Answer:
        return {"permanent_instances": self._permanent.saved()}

    def _put_permanent(self, asked: Asked) -> Answer:
        return {"permanent_instances": self._permanent.save(asked.body)}

    def _names(self, asked: Asked) -> Answer:
        return {"config_names": self._configurations.names()}

    def _text(self, asked: Asked) -> Answer:
        return {"config": json.dumps(self._configurations.read(asked["name"]), indent=1)}

    def _put_text(self, asked: Asked) -> Answer:
        if not isinstance(asked.body, dict):
            raise NotTaken(f"the configuration must be a JSON object, not {asked.body!r:.80}")
        return {"config": json.dumps(self._save(asked["name"], asked.body), indent=1)}

    def _remove(self, asked: Asked) -> Answer:
        self._configurations.delete(asked["name"])
        return {}

    def _diagnosis(self, asked: Asked) -> Answer:
        name = asked["name"]
        permanent = name in self._permanent.wanted()
        info = self._common.server_info()["active_instances"].get(name)
        if info is None:
            known = permanent or name in self._configurations
            return {"diag": {"status": "inactive" if known else "invalid", "permanent": permanent}}
        figures = {key: info["statistics"][key] for key in ("clients", "rx", "tx", "cpu", "memory")}
        mode = info["config"].get("mode") or "PUB"
        return {"diag": {"status": "active", **figures, "permanent": permanent, "mode": mode}}

    def _stop_server(self, asked: Asked) -> Answer:
        self._server(asked).stop_all()
        return {}

    def _logs(self, asked: Asked) -> Answer:
        return {"logs": shapes.log_lines(self._server(asked).server_log())}

    def _logs_text(self, asked: Asked) -> Response:
        return text(shapes.log_text(self._logs(asked)["logs"]))

    def _log_of(self, asked: Asked) -> Answer:
        return {"logs": shapes.log_lines(self._server(asked).logs(asked["name"]))}

    def _log_text_of(self, asked: Asked) -> Response:
        return text(shapes.log_text(self._log_of(asked)["logs"]))

    def _server(self, asked: Asked) -> Host:
        """The server by its index or its address, also without the scheme, which no path can have."""
        given, addresses = asked["server"], list(self._spread.servers())
        if given.isascii() and given.isdecimal() and int(given) < len(addresses):
            return self._spread.at(addresses[int(given)])
        for address in addresses:
            if given in (address, address.partition("://")[2]):
                return self._spread.at(address)
        known = ", ".join(f"{index}: {address}" for index, address in enumerate(addresses))
        raise NotTaken(f"there is no server '{given:.100}', only {known}")


def _below(prefix: str, route: Route) -> Route:
    return Route(route.method, prefix + route.path, route.fields, route.text, route.work, route.body)


def _step(found: Any, step: str) -> Any:
    """One step of a path into the info."""
    match found, step:
        case dict(), _ if step in found:
            return found[step]
        case dict(), "_keys":
            return list(found)
        case dict(), "_values":
            return list(found.values())
        case ((dict() | list()), _) if step.isascii() and step.isdecimal() and int(step) < len(found):
            return list(found.values() if isinstance(found, dict) else found)[int(step)]
    raise NotTaken(f"the info has no {step!r:.80} there")
