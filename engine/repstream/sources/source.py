"""What the data plane asks of a source of messages; how a source lends out its memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

NEVER = float("inf")


class Source(Protocol):
    """Where messages come from: a socket, a ring buffer, a camera, a file. Used from one thread.

    A module that provides one has a function `open_source` (`opening.Opener`).
    """

    @property
    def pollable(self) -> Any:
        """What `zmq.zmq_poll` can wait for: a ZMQ socket or a file descriptor, readable when messages wait.

        Asked for each time, since a source may open a socket anew.
        """

    @property
    def connected(self) -> bool:
        """Whether the sender is there."""

    @property
    def problem(self) -> str:
        """What keeps a sender that is there from being connected; empty where nothing is known to."""

    @property
    def capacity(self) -> int:
        """Messages that may wait here: as many are taken at most once a stop was asked for."""

    def receive(self, patient: bool = False) -> Sequence[Any] | None:
        """The parts of the next message, header first; None when none waits nor (`patient`) comes soon.

        Soon is within some 10 ms. Parts are anything with the buffer protocol and `len`, which is
        their size in bytes. They are never copied and stay as they are until nobody refers to them;
        what lends memory that it wants back hands out parts made by `lend`.
        """

    def update(self) -> None:
        """Follow who comes and goes; called ten times a second."""

    def close(self) -> None:
        """Let go of everything but the memory that is still lent."""


@runtime_checkable
class PacedSource(Source, Protocol):
    """A source that at times wants `update` more often than ten times a second."""

    @property
    def due(self) -> float:
        """Seconds after which `update` is wanted again; `NEVER` where ten times a second is enough."""


def lend(memory: Any, give_back: Callable[[], object]) -> memoryview:
    """A part in borrowed `memory`, read-only; `give_back` is called when nobody refers to it any more.

    That may be a queue, a writer's thread or a socket, so the call may come from any thread, and
    must not block. Until then the memory must not be written to.
    """
    array = np.frombuffer(memory, np.uint8).view(_Lent)
    array.flags.writeable = False
    array.give_back = give_back
    return array.data


class _Lent(np.ndarray[Any, np.dtype[np.uint8]]):
    """Borrowed memory. Its end is a method of its own: `weakref.finalize` costs 8 µs more for an image."""

    give_back: Callable[[], object]

    def __del__(self) -> None:
        self.give_back()
