"""The facts that a declaration may state about a parameter, beside its type and limits.

They stand in the `Annotated` metadata of a field of a `Section`; the catalogue reads them::

    every_nth: Annotated[int, Unit("frames"), Access.ALWAYS] = Field(1, ge=1, le=10**9, description="…")
"""

from __future__ import annotations

import enum
from typing import Any, Self

import msgspec
from pydantic import BaseModel, ConfigDict

Value = bool | int | float | str | None
"""What a parameter can hold. `None`: no value now (an empty slot, nothing received yet)."""


class Access(enum.Enum):
    """When a parameter may be written.

    "Idle" means the owner's: the repeater not RUNNING for the source and the streams; for a
    writer's, that no acquisition takes frames: it is READY, or only flushes what it received.
    """

    READ_ONLY = "read_only"
    WHILE_IDLE = "while_idle"
    ALWAYS = "always"


class Kind(enum.Enum):
    """What a value is; a front end maps each to a type of its control system."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    TEXT = "text"
    CHOICE = "choice"


class Unit(msgspec.Struct, frozen=True):
    """Unit of a number, as people write it: ``"s"``, ``"Hz"``, ``"MB/s"``, ``"frames"``."""

    name: str


class Alarm(msgspec.Struct, frozen=True):
    """Levels from which a value is a warning (MINOR) or an alarm (MAJOR); `None`: no such level."""

    warning_low: float | None = None
    warning_high: float | None = None
    alarm_low: float | None = None
    alarm_high: float | None = None


class LongText(msgspec.Struct, frozen=True):
    """Marks a text that may be longer than a path, up to `length` characters (JSON, lists)."""

    length: int


class Counter(msgspec.Struct, frozen=True):
    """Marks a number that only rises until it begins anew (at a start); any other may also fall."""


class OfPrevious(msgspec.Struct, frozen=True):
    """Marks what is told of an acquisition, and goes on being told when the next one has begun."""


class Section(BaseModel):
    """Base of every declaration: strict, immutable, and nothing that is not declared is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_enum_values=True)

    def changed(self, fields: dict[str, Any]) -> Self:
        """A copy with `fields` replaced, validated as a whole; raises `pydantic.ValidationError`."""
        return self.model_validate({**self.model_dump(), **fields})
