"""What the conformance suite asks of every front end, through a real client of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from queue import Queue
from typing import Protocol

from repstream.parameters.catalogue import Parameter
from repstream.parameters.facts import Alarm, Value


class Rejected(Exception):
    """The front end refused a write or a command; the text is what a user of it gets to read."""


def facts_of(parameter: Parameter, value: Value) -> dict[str, object]:
    """Everything that is declared of a parameter, and how bad `value` is."""
    alarm = parameter.alarm or Alarm()
    return {
        "writable": parameter.writable,
        "limits": (parameter.minimum, parameter.maximum),
        "unit": parameter.unit,
        "choices": parameter.choices,
        "title": parameter.title,
        "description": parameter.text,
        "level": parameter.level.value,
        "default": parameter.default,
        "length": parameter.length,
        "alarm": (alarm.alarm_low, alarm.warning_low, alarm.warning_high, alarm.alarm_high),
        "severity": int(parameter.severity(value)),
    }


class FrontEndClient(Protocol):
    """A real client (DeviceProxy, libca, HTTP, our own) of one front end on one engine.

    Keys are those of the catalogue with the slot (``streams.1.every_nth``). Values are given and
    taken as the catalogue has them (a choice as its text).
    """

    name: str
    cannot: frozenset[str]
    """Facts that this control system cannot carry, as the room's types.py lists them: a fact
    (``"description"``), or a fact of one parameter (``"choices:source.image_type"``)."""

    def keys(self) -> Iterator[str]: ...
    def read(self, key: str) -> Value: ...
    def write(self, key: str, value: Value) -> None:
        """Raises `Rejected` with the reason that the user sees."""

    def execute(self, command: str, argument: Value = None) -> None:
        """Give a command and wait for its completion; raises `Rejected`."""

    def facts(self, key: str) -> Mapping[str, object]:
        """What this front end says of a parameter, by the names that `facts_of` uses; no more, no less."""

    def watch(self, key: str) -> AbstractContextManager[Queue[Value]]:
        """Every value that the front end announces (never by polling), the first one included or not."""
