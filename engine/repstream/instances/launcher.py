"""`Launcher`: what starts instances, here or elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from repstream.pipelines.control import Notice, Request, Specification


class Running(Protocol):
    """The process of one instance."""

    @property
    def process_id(self) -> int: ...

    def send(self, request: Request) -> None:
        """Send a request, never waiting; nothing happens where the process has ended."""

    def stop(self, patience: float) -> None:
        """End it in good order within `patience` seconds, else the hard way; returns when it has ended."""


class Launcher(Protocol):
    """Starts instances. Used from any thread."""

    @property
    def host(self) -> str:
        """The name or address under which clients reach the streams of the instances."""

    def launch(
        self,
        specification: Specification,
        on_notice: Callable[[Notice], None],
        on_end: Callable[[int | None], None],
    ) -> Running:
        """Start an instance; `Ready` follows as a notice, or its end.

        Callbacks come from one thread for each instance, `on_end` once and last, with the exit code
        (negative: the number of the signal; None: not known). Raises `ChildError` where no process can
        be started.
        """

    def close(self) -> None:
        """End what is still there of it; instances are stopped before."""
