"""What a row of Lima's table may be: the type of its attribute, and what stands behind it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tango import CmdArgType

from repstream.parameters.facts import Value

Read = Callable[[str], Value]
"""Gives the value that the engine holds of a key."""

Shown = Value | tuple[bool | int | float | str, ...]
"""A value of an attribute, several where it is a spectrum; None: no value now."""

Changes = Mapping[str, Value]
"""Parameters of the engine to be written together, by key."""


@dataclass(frozen=True)
class Live:
    """Values of the engine: what is shown of them, and what a write changes (None: nothing may be written).

    `write` gets the value and may read what is held; it raises `ValueError` for what cannot be.
    """

    keys: tuple[str, ...]
    show: Callable[[Read], Shown]
    write: Callable[[Shown, Read], Changes] | None = None


@dataclass(frozen=True)
class Kept:
    """Kept by the engine for clients that read it back; nothing else comes of it."""

    default: Shown
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Fixed:
    """Always the same. `settable`: a client may write it, but nothing else."""

    value: Shown
    settable: bool = True


class Course(enum.Enum):
    """Follows the acquisition that was prepared here (see `course.py`)."""

    STATUS = "whether an acquisition goes on: Ready, Running or Fault"
    FAULT = "why acq_status is Fault"
    READY = "whether the next acquisition may begin"
    LAST_READY = "number of the last image that can be read, -1: none yet"
    LAST_SAVED = "number of the last image in the file, -1: none yet"
    LAST_ACQUIRED = "number of the last image that was taken, -1: none yet"
    NEXT_NUMBER = "number of the next file; while one is written, of that"
    VIDEO = "true starts the repeater; false stops nothing, others may be looking"


@dataclass(frozen=True)
class Row:
    """One attribute. `words`: what a text may be, in any case of letters; `length`: of a spectrum."""

    name: str
    title: str
    dtype: CmdArgType
    what: Live | Kept | Fixed | Course
    words: tuple[str, ...] = ()
    length: int = 0
    unit: str = ""

    @property
    def writable(self) -> bool:
        match self.what:
            case Live(write=write):
                return write is not None
            case Course():
                return self.what in {Course.NEXT_NUMBER, Course.VIDEO}
            case Fixed(settable=settable):
                return settable
            case Kept():
                return True
