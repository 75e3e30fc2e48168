"""A server that instances can run on, and what is known of it; this one, which runs them itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy.typing as npt

from repstream.instances.description import Configuration, InstanceInfo, LogRecord
from repstream.instances.load import Figures, Load
from repstream.instances.registry import Instances
from repstream.version import __version__

UNKNOWN = Figures()

LOAD_EVERY = 1.0
"""Seconds between two looks at this server's own load, which is that of the time in between."""


@dataclass(frozen=True, slots=True)
class Look:
    """A server at one moment. `problem`: why it cannot be reached; empty where it can.

    `since`: Unix seconds from which it could, or could not, be reached. `started` is that of its process,
    0 where it does not say, `restarts` how often it was seen to have been started anew. `instances` are those
    that run, or of a server that cannot be reached those that ran.
    """

    problem: str = "has not answered yet"
    since: float = 0.0
    started: float = 0.0
    restarts: int = 0
    version: str = ""
    figures: Figures = UNKNOWN
    instances: Mapping[str, InstanceInfo] = field(default_factory=dict)
    beams: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)

    @property
    def running(self) -> Mapping[str, InstanceInfo]:
        """Those that are known to run now."""
        return {} if self.problem else self.instances


class Host(Protocol):
    """One of the servers. All but `look` may wait for it, and raise `EngineUnreachable`."""

    address: str

    def look(self, age: float | None = None) -> Look:
        """What is known of it, without waiting; with an `age` in seconds: asked anew where it is older."""

    def start(
        self, name: str, configuration: Configuration, read_only: bool | None, port: int
    ) -> InstanceInfo:
        """As `Registry.start`."""

    def reconfigure(self, name: str, change: Configuration, replace: bool) -> dict[str, Any]:
        """As `Registry.reconfigure`."""

    def keep_background(self, background_id: str, image: npt.NDArray[Any]) -> None:
        """Have it keep a background under this id, [height, width]."""

    def stop(self, name: str) -> None: ...

    def forget(self, name: str) -> None: ...

    def stop_all(self) -> None: ...

    def exit_code(self, name: str) -> int | None: ...

    def logs(self, name: str) -> list[LogRecord]: ...

    def server_log(self) -> Sequence[LogRecord]:
        """The log of the server itself."""

    def close(self) -> None:
        """Leave it; what it runs goes on."""


class OwnHost:
    """This server; fills `Host`. `server_log` gives the last lines of its log."""

    def __init__(
        self, address: str, instances: Instances, server_log: Callable[[], Sequence[LogRecord]]
    ) -> None:
        self.address = address
        self._instances = instances
        self._log = server_log
        self._started = time.time()
        self._load = Load()
        self._lock = threading.Lock()
        self._loaded: tuple[float, Figures] | None = None

    def look(self, age: float | None = None) -> Look:
        running = self._instances.running()
        with self._lock:
            if self._loaded is None or time.monotonic() - self._loaded[0] > LOAD_EVERY:
                figures = self._load.now([each.statistics for each in running])
                self._loaded = (time.monotonic(), figures)
            figures = self._loaded[1]
        return Look(
            problem="",
            since=self._started,
            started=self._started,
            version=__version__,
            figures=figures,
            instances={each.name: each for each in running},
            beams={each.name: self._instances.beam(each.name) for each in running},
        )

    def start(
        self, name: str, configuration: Configuration, read_only: bool | None, port: int
    ) -> InstanceInfo:
        return self._instances.start(name, configuration, read_only=read_only, port=port)

    def reconfigure(self, name: str, change: Configuration, replace: bool) -> dict[str, Any]:
        return self._instances.reconfigure(name, change, replace=replace)

    def keep_background(self, background_id: str, image: npt.NDArray[Any]) -> None:
        """It is where it comes from."""

    def stop(self, name: str) -> None:
        self._instances.stop(name)

    def forget(self, name: str) -> None:
        self._instances.forget(name)

    def stop_all(self) -> None:
        self._instances.stop_all()

    def exit_code(self, name: str) -> int | None:
        return self._instances.exit_code(name)

    def logs(self, name: str) -> list[LogRecord]:
        return self._instances.logs(name)

    def server_log(self) -> Sequence[LogRecord]:
        return self._log()

    def close(self) -> None:
        self._instances.close()
