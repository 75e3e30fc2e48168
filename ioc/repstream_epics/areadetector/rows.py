"""What a row of areaDetector's table may be: the type of its PVs, and what stands behind them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from repstream.parameters.facts import Value

Held = Mapping[str, Value]
"""Everything that the engine holds, by key."""


class Type(enum.Enum):
    """The type of a PV; `CHARS` is text of any length, `STRING` one of at most 39 characters.

    `IMAGE` is an array of single precision: exact for 16 bits, and for 24 bits of what has more.
    """

    LONG = ("longin", "longout")
    DOUBLE = ("ai", "ao")
    SWITCH = ("bi", "bo")
    CHOICE = ("mbbi", "mbbo")
    STRING = ("stringin", "stringout")
    CHARS = ("waveform", "waveform")
    IMAGE = ("", "waveform")


class Form(enum.Enum):
    """Which PVs a row stands for: ``X`` and ``X_RBV``, only one of them."""

    PAIR = "X, X_RBV"
    SETPOINT = "X"
    READBACK = "X_RBV"


@dataclass(frozen=True)
class Live:
    """Values of the engine: what is shown of them, and what a write changes (None: nothing may be written).

    `show` may give None: no value now. `write` raises `ValueError` for what cannot be.
    `looked_at`: a write is complete once the file system has been looked at.
    """

    keys: tuple[str, ...]
    show: Callable[[Held], Value]
    write: Callable[[Value], Mapping[str, Value]] | None = None
    looked_at: bool = False


@dataclass(frozen=True)
class Kept:
    """Kept for clients that read it back; the engine keeps it, and does nothing with it."""

    default: str | int | float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Fixed:
    """Always the same; a write of anything else is refused."""

    value: str | int | float


@dataclass(frozen=True)
class Counted:
    """A counter of the engine that clients may set: the distance is kept."""

    key: str


class Action(enum.Enum):
    """Rows with a control of their own."""

    ACQUIRE = "opens the gate of the writer for the images of ImageMode; without Capture it only counts"
    CAPTURE = "creates the file (1), ends the acquisition and closes the file (0)"
    FLUSH = "writes everything received so far to the disk"
    ACQUIRE_BUSY = "follows Acquire"
    NUM_IMAGES_COUNTER = "images of this Acquire so far"
    ARRAY_DATA = "the picture of slot 1, row by row; taken only while somebody looks"
    PICTURED = "of the picture in ArrayData"
    DETECTOR_STATE = "follows Acquire and the state of the repeater"
    WRITE_STATUS = "outcome of the last request to HDF1: and of the acquisition"
    WRITE_MESSAGE = "why, for people"
    STATUS_MESSAGE = "why the last request to cam1: was refused"


@dataclass(frozen=True)
class Row:
    """One line of the table. `name` begins with its group (``cam1:``); `strings` of an enum, in order.

    `tolerant`: the readback takes writes and ignores them, since scripts write it.
    `shown`: a PV that nobody writes, although its name has no ``_RBV``.
    """

    name: str
    title: str
    type: Type
    what: Live | Kept | Fixed | Counted | Action
    form: Form = Form.PAIR
    strings: tuple[str, ...] = ()
    length: int = 0
    unit: str = ""
    tolerant: bool = False
    shown: bool = False
    readback_strings: tuple[str, ...] = ()

    @property
    def pvs(self) -> tuple[str, ...]:
        """The names of its PVs, without the prefix."""
        match self.form:
            case Form.PAIR:
                return (self.name, f"{self.name}_RBV")
            case Form.SETPOINT:
                return (self.name,)
            case Form.READBACK:
                return (f"{self.name}_RBV",)
