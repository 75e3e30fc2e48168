"""Receivers, and others beside them, that died: each is started again, and does what the others do."""

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
    """The planes of one start that live, by number, and what they do."""

    live: set[int]
    asked: Asked

    @property
    def is_open(self) -> bool:
        """Whether they repeat frames."""

    @property
    def is_closing(self) -> bool:
        """Whether they are being stopped."""

    def taking(self, plane: int) -> Sequence[SharedAcquisition]:
        """The acquisitions for which they take images, or soon do, and this one is to do so, too."""

    def opening(self, plane: int, number: int, arms: tuple[control.Arm, ...]) -> control.Open:
        """What it is asked to open."""

    def begins(self, plane: int) -> None:
        """It is about to open: frames may come to it before it says so."""

    def stays_away(self, plane: int) -> None:
        """It did not open."""

    def called(self, plane: int) -> str:
        """What people call it."""

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

    def died(self, plane: int, reason: str) -> None:
        """A receiver has ended, perhaps one that had just begun again."""
        self._waking.discard(plane)
        self._say(f"{self._others.called(plane)} died: {reason}; it begins again")
        self._due.setdefault(plane, time.monotonic())

    def heard(self, plane: int) -> None:
        """A receiver has said something."""
        if plane in self._waking and not self._others.is_closing:
            self._waking.discard(plane)
            self._join(plane)

    def watch(self, now: float) -> None:
        """Start those whose time has come; `now` is monotonic."""
        for plane in [plane for plane, due in self._due.items() if now >= due]:
            del self._due[plane]
            try:
                self._launch(plane)
            except OSError as error:
                self._retry(plane, f"{self._others.called(plane)} cannot be started: {error}")
            else:
                self._waking.add(plane)

    def _join(self, plane: int) -> None:
        others = self._others
        others.live.add(plane)
        if not others.is_open:
            return
        acquisitions = others.taking(plane)
        arms = tuple(control.Arm(0, a.slot, a.part_for(plane), a.wanted) for a in acquisitions)

        def opened(reasons: Reasons) -> None:
            self.opening.discard(plane)
            for acquisition in acquisitions:
                if reasons:
                    acquisition.lose(plane, sentence(reasons, others.called), fail=False)
                else:
                    acquisition.settle(plane)
            if reasons:
                others.live.discard(plane)
                others.stays_away(plane)
                self._retry(plane, f"it did not begin again: {sentence(reasons, others.called)}")

        self.opening.add(plane)
        others.begins(plane)
        others.asked.ask([plane], lambda k, number: others.opening(k, number, arms), opened)

    def _retry(self, plane: int, message: str) -> None:
        self._say(message)
        self._due[plane] = time.monotonic() + RETRY_INTERVAL

    def _say(self, message: str) -> None:
        self._others.tell(control.Note(logging.ERROR, message))
