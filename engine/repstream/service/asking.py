"""Asking the data plane: each question has one answer, which is acted upon before anything that follows."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from repstream.dataplane import control
from repstream.errors import EngineFault, Refused
from repstream.service.pulse import Pulse
from repstream.service.supervisor import Plane
from repstream.service.turn import aside


@dataclass(frozen=True, slots=True)
class _Asked:
    subject: str
    accepted: Callable[[], None]
    answer: asyncio.Future[str]


class Asking:
    """The data plane as the owner of the state sees it; to be used in the owner's thread only."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.pulse = Pulse()
        self._numbers = itertools.count(1)
        self._asked: dict[int, _Asked] = {}

    async def launch(
        self, on_notice: Callable[[control.Notice], None], on_death: Callable[[str], None], settings: str
    ) -> bool:
        """Start the data plane if there is none; whether one was taken up, as `Plane.launch` says."""
        if self.pulse.lives:
            return False
        self.pulse.launched(time.monotonic())
        try:
            return await aside(partial(self.plane.launch, on_notice, on_death, settings))
        except OSError as error:
            self.pulse.ended()
            raise EngineFault("engine", f"the data plane cannot be started: {error}") from error

    async def ask(
        self,
        subject: str,
        build: Callable[[int], control.Request],
        accepted: Callable[[], None] = lambda: None,
    ) -> None:
        """Ask the data plane; raises `Refused` with its reason, `EngineFault` where it is gone.

        `accepted` is called when it has done what was asked, before any notice that follows, also where
        the requester has gone meanwhile.
        """
        if not self.pulse.lives:
            raise EngineFault(subject, "the data plane is not running; initialize starts it again")
        number = next(self._numbers)
        asked = _Asked(subject, accepted, asyncio.get_running_loop().create_future())
        self._asked[number] = asked
        self.plane.send(build(number))
        if reason := await asked.answer:
            raise Refused(subject, reason)

    def on_answer(self, answer: control.Answer) -> None:
        """Act upon an answer."""
        asked = self._asked.pop(answer.request, None)
        if asked is None:
            return
        try:
            if not answer.reason:
                asked.accepted()
        except Exception as error:
            _settle(asked, error)
            raise
        _settle(asked, answer.reason)

    def on_death(self, reason: str) -> None:
        """The data plane has ended: nothing that was asked is answered any more."""
        self.pulse.ended()
        asked, self._asked = list(self._asked.values()), {}
        for each in asked:
            _settle(each, EngineFault(each.subject, f"the data plane died: {reason}"))


def _settle(asked: _Asked, outcome: str | Exception) -> None:
    if asked.answer.done():
        return
    if isinstance(outcome, str):
        asked.answer.set_result(outcome)
    else:
        asked.answer.set_exception(outcome)
