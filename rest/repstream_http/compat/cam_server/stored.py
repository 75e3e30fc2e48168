"""What both servers keep alike: names, groups and removal of configurations, uploaded backgrounds."""

from __future__ import annotations

from datetime import datetime

from repstream.instances.saved.backgrounds import Backgrounds
from repstream.instances.saved.configurations import Configurations
from repstream.instances.saved.pickled_array import read_array
from repstream_http.compat.cam_server.bodies import Body
from repstream_http.compat.cam_server.convention import Answer, Asked, Route


class Stored:
    """Routes of configurations and backgrounds that do not ask what they are of."""

    def __init__(self, configurations: Configurations, backgrounds: Backgrounds) -> None:
        self._configurations = configurations
        self._backgrounds = backgrounds

    def routes(self) -> list[Route]:
        """Those that stand before the routes with a name in the place of theirs."""
        background = "/background/{name}/image_bytes"
        return [
            Route("GET", "/config_names", "config_names", "Names of the saved configurations.", self._names),
            Route("GET", "/groups", "groups", "Names in each group.", self._groups),
            Route("DELETE", "/{name}/config", "", "Remove a saved configuration.", self._remove),
            Route(
                "PUT", background, "", "Keep a background: `pickle.dumps(array, 0)`.", self._put, Body.DATA
            ),
        ]

    def _names(self, asked: Asked) -> Answer:
        return {"config_names": self._configurations.names()}

    def _groups(self, asked: Asked) -> Answer:
        return {"groups": self._configurations.groups()}

    def _remove(self, asked: Asked) -> Answer:
        self._configurations.delete(asked["name"])
        return {}

    def _put(self, asked: Asked) -> Answer:
        self._backgrounds.put(asked["name"], read_array(asked.body), datetime.now())
        return {}
