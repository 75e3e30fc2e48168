"""Receivers that died: each is started again, and does what the others do."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from repstream.dataplane import control
from repstream.service.receivers.asked import Asked, Reasons, sentence
from repstream.service.receivers.shared_acquisition import SharedAcquisition

RETRY_INTERVAL = 1.0
"""Seconds until a receiver that could not begin again is tried once more."""


class Others(Protocol):
    """The receivers that live, and what they do."""

    live: set[int]
    asked: Asked

    @property
    def is_open(self) -> bool:
        """Whether they repeat frames."""

    @property
    def is_closing(self) -> bool:
        """Whether they are being stopped."""

    def taking(self) -> Sequence[SharedAcquisition]:
        """The acquisitions for which they take images, or soon do."""

    def share(self, receiver: int) -> str:
        """The configuration of a receiver, as in `control.Open`."""

    def tell(self, notice: control.Notice) -> None:
        """Say something to the service."""


class Returning:
    """Brings receivers back; `launch` starts one as another process, or raises OSError.

    A new process is asked nothing until it has said something: an interpreter takes a while to start, and
    nobody is to wait for that. Then it is asked to open and to arm in one request: once its input
    is connected it gets frames that no other receiver has, and they belong to the acquisitions that go on.
    """

    def __init__(self, others: Others, launch: Callable[[int], None]) -> None:
        self._others = others
        self._launch = launch
        self._due: dict[int, float] = {}
        self._waking: set[int] = set()
        self.opening: set[int] = set()
        """Those that have not answered yet whether they take part."""

    def died(self, receiver: int, reason: str) -> None:
        """A receiver has ended, perhaps one that had just begun again."""
        self._waking.discard(receiver)
        self._say(f"receiver {receiver + 1} died: {reason}; it begins again")
        self._due.setdefault(receiver, time.monotonic())

    def heard(self, receiver: int) -> None:
        """A receiver has said something."""
        if receiver in self._waking and not self._others.is_closing:
            self._waking.discard(receiver)
            self._join(receiver)

    def watch(self, now: float) -> None:
        """Start those whose time has come; `now` is monotonic."""
        for receiver in [receiver for receiver, due in self._due.items() if now >= due]:
            del self._due[receiver]
            try:
                self._launch(receiver)
            except OSError as error:
                self._retry(receiver, f"receiver {receiver + 1} cannot be started: {error}")
            else:
                self._waking.add(receiver)

    def _join(self, receiver: int) -> None:
        others = self._others
        others.live.add(receiver)
        if not others.is_open:
            return
        acquisitions = others.taking()
        arms = tuple(control.Arm(0, a.slot, a.part_for(receiver), a.wanted) for a in acquisitions)

        def opened(reasons: Reasons) -> None:
            self.opening.discard(receiver)
            for acquisition in acquisitions:
                if reasons:
                    acquisition.lose(receiver, sentence(reasons), fail=False)
                else:
                    acquisition.settle(receiver)
            if reasons:
                others.live.discard(receiver)
                self._retry(receiver, f"it did not begin again: {sentence(reasons)}")

        self.opening.add(receiver)
        others.asked.ask([receiver], lambda k, number: control.Open(number, others.share(k), arms), opened)

    def _retry(self, receiver: int, message: str) -> None:
        self._say(message)
        self._due[receiver] = time.monotonic() + RETRY_INTERVAL

    def _say(self, message: str) -> None:
        self._others.tell(control.Note(logging.ERROR, message))
