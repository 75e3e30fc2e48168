"""Questions to several receivers at once, each answered when all have answered. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from repstream.dataplane import control

Reasons = Mapping[int, str]
"""Why receivers did not do what they were asked, by their numbers; those that did it are not in it."""

Build = Callable[[int, int], control.Request]
"""The request for a receiver, given its number and that of the request."""


@dataclass
class _Question:
    done: Callable[[Reasons], None]
    waiting: set[int]
    reasons: dict[int, str] = field(default_factory=dict)


class Asked:
    """`send` hands a request to a receiver."""

    def __init__(self, send: Callable[[int, control.Request], None]) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._open: dict[tuple[int, int], _Question] = {}

    def ask(
        self, receivers: Iterable[int], build: Build, done: Callable[[Reasons], None] = lambda reasons: None
    ) -> None:
        """Ask these receivers; `done` is called when all have answered, at once where there are none."""
        question = _Question(done, set(receivers))
        if not question.waiting:
            done({})
        for receiver in sorted(question.waiting):
            number = next(self._numbers)
            self._open[receiver, number] = question
            self._send(receiver, build(receiver, number))

    def on_answer(self, receiver: int, answer: control.Answer) -> None:
        question = self._open.pop((receiver, answer.request), None)
        if question is not None:
            self._settle(question, receiver, answer.reason)

    def on_death(self, receiver: int, reason: str) -> None:
        """A receiver answers nothing any more."""
        for key in [key for key in self._open if key[0] == receiver]:
            self._settle(self._open.pop(key), receiver, f"it died: {reason}")

    def _settle(self, question: _Question, receiver: int, reason: str) -> None:
        if reason:
            question.reasons[receiver] = reason
        question.waiting.discard(receiver)
        if not question.waiting:
            question.done(question.reasons)


def sentence(reasons: Reasons, called: Callable[[int], str]) -> str:
    """The first of these reasons, with what the receiver is `called`; empty where there is none."""
    return next((f"{called(receiver)}: {reasons[receiver]}" for receiver in sorted(reasons)), "")
