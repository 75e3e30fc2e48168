"""`Registry`: the cameras or the pipelines of a server by name, wherever they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from repstream.instances.description import Configuration, InstanceInfo, Kind, LogRecord


class FindStream(Protocol):
    """Where a pipeline's input is: the address of a camera's (or another pipeline's) stream by name.

    It starts the instance if need be. Whatever it raises is the reason that the pipeline says.
    """

    def __call__(self, kind: Kind, name: str) -> str: ...


class Registry(Protocol):
    """What front ends and saved configurations need of instances. Used from any thread.

    `registry.Instances` has them on this host, `spread.registry.Spread` on several.
    """

    @property
    def kind(self) -> Kind: ...

    def start(
        self, name: str, configuration: Configuration, *, read_only: bool | None = None, port: int = 0
    ) -> InstanceInfo:
        """Start an instance, and return when it runs.

        `read_only` left out is that of the configuration. `port` is where its stream is bound, as the key
        of that name; 0: the port that it had, else the next free one. Raises `InstanceRuns`, `InvalidValue`
        for the configuration or the name, `PortTakenError`, and `InstanceEnded` with the reason where it
        ends before it runs.
        """

    def ensure(self, name: str, configuration: Configuration, *, port: int = 0) -> InstanceInfo:
        """The instance of this name if it runs, whatever its configuration is; else as `start`."""

    def share(self, configuration: Configuration) -> InstanceInfo:
        """A read-only instance with this configuration: one that runs, else a new one under a new name."""

    def get(self, name: str) -> InstanceInfo:
        """The running instance of this name; raises `UnknownInstance`, also where it has ended."""

    def running(self) -> list[InstanceInfo]:
        """Those that run, by name."""

    def reconfigure(self, name: str, change: Configuration, *, replace: bool = False) -> dict[str, Any]:
        """Apply a partial update, or (`replace`) a whole configuration, to a running instance.

        It is in force when this returns the complete configuration. Raises `UnknownInstance`,
        `InstanceReadOnly`, `InvalidValue` (nothing has changed then), `InstanceEnded`, `Unanswered`.
        """

    def stop(self, name: str) -> None:
        """Stop an instance and wait until it has ended; nothing happens where none of this name runs."""

    def stop_all(self) -> None:
        """Stop all, one beside the other."""

    def forget(self, name: str) -> None:
        """Stop an instance, and keep neither its port nor its log."""

    def exit_code(self, name: str) -> int | None:
        """The exit code of the newest one that ended, None while it runs; raises `UnknownInstance`."""

    def message(self, name: str) -> str:
        """Why the newest one of this name ended, or what is wrong with it; raises `UnknownInstance`."""

    def logs(self, name: str) -> list[LogRecord]:
        """The last lines of the log, also of one that has ended; raises `UnknownInstance`."""

    def beam(self, name: str) -> dict[str, float | None]:
        """The beam in the newest image of a pipeline, by name of the number; empty where there is none."""

    def where(self, name: str) -> str:
        """The address of the server that it runs on; empty where it runs nowhere, or there is one server."""

    def follow(self, name: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever something of this name has changed, running or not; gives what ends that.

        Calls come from a thread of the registry, which must not be held up.
        """
