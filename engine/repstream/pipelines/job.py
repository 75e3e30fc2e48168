"""What an instance does with the messages that it receives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from repstream.messages.frame import Frame
from repstream.pipelines.control import Input
from repstream.pipelines.received import Received
from repstream.sources.source import Source


class Inlet(NamedTuple):
    """A source, and what makes of one of its messages those that go out.

    `take` is given the parts and a monotonic time in seconds; it raises `ProcessingError` with the reason
    to end.
    """

    source: Source
    take: Callable[[Sequence[Any], float], Sequence[Frame]]


class Job(Protocol):
    """Messages in, messages out. Used from one thread."""

    @property
    def inlets(self) -> Sequence[Inlet]:
        """Where messages may come from now; asked for each time, since a source may be opened anew."""

    @property
    def more_clients(self) -> int | None:
        """Clients of an output of the job's own; None where it has none."""

    @property
    def received(self) -> Received:
        """The account of what came."""

    @property
    def geometry(self) -> tuple[int, int] | None:
        """Width and height of a camera as streamed; None before the first image, and of a pipeline."""

    @property
    def frame_shape(self) -> tuple[int, int, int] | None:
        """Width, height and bytes of a pixel of what is sent, None before the first image."""

    @property
    def header_changes(self) -> int:
        """How often the data header became another one."""

    @property
    def no_client_timeout(self) -> float:
        """Seconds without a client after which the instance ends; 0 or less: never."""

    def beam(self) -> dict[str, float | None] | None:
        """The beam in the newest image; None where there is none, or none since the last time."""

    @property
    def finished(self) -> bool:
        """Whether it has done what it was for, and the instance ends."""

    @property
    def problem(self) -> str:
        """What is wrong though it goes on; empty where nothing is."""

    @property
    def lost(self) -> Mapping[str, int]:
        """Messages that were received and did not go out, and should have, by reason."""

    @property
    def skipped(self) -> Mapping[str, int]:
        """Messages that the configuration leaves out, by reason."""

    def configure(self, configuration: Mapping[str, Any]) -> None:
        """Take another complete configuration; raises `Refused` and keeps the former one then."""

    def rest(self) -> Sequence[Frame]:
        """What is held back, at the end."""

    def hear(self, found: Input) -> None:
        """Where the input is that was asked for."""

    @property
    def woken(self) -> int | None:
        """A descriptor that is readable when other threads have made something; None without such threads."""

    @property
    def busy(self) -> bool:
        """Whether no message may be taken now: other threads have enough to do."""

    def collect(self) -> Sequence[Frame]:
        """What other threads have made. Raises as `Inlet.take`."""

    def tick(self, now: float) -> Sequence[Frame]:
        """Ten times a second; what goes out now. Raises as `Inlet.take`."""

    def close(self) -> None:
        """Let go of everything."""
