"""The simulated detector that clients of a view may start and stop; who serves the view makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Simulation:
    """Whether it sends, and how many images it has made since its last start."""

    streaming: bool
    images: int


class Simulator(Protocol):
    """A simulated detector that sends to the source of one engine. Thread-safe."""

    def start(self, header: str = "") -> None:
        """Send from now on, counting anew; one that sends is started again.

        `header`: the kind of header, as `repstream simulate` names it. Raises `RepstreamError` with the
        reason where it cannot.
        """

    def stop(self) -> None:
        """Send no more; harmless when it does not."""

    def state(self) -> Simulation:
        """What it does now."""
