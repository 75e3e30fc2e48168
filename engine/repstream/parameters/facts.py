"""The facts that a declaration may state about a parameter, beside its type and limits.

They stand in the `Annotated` metadata of a field of a `Section`; the catalogue reads them::

    every_nth: Annotated[int, Unit("frames"), Access.ALWAYS] = Field(
        1, ge=1, le=10**9, title="Every nth frame", description="…"
    )

Every field has a title of at most `TITLE_LENGTH` characters, unique in its group, and a description.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Self, cast

import msgspec
from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

Value = bool | int | float | str | None
"""What a parameter can hold. `None`: no value now (an empty slot, nothing received yet)."""


TITLE_LENGTH = 40
"""Characters of a title: what EPICS has room for in a description (``.DESC``)."""


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


class Level(enum.Enum):
    """Who needs a parameter: everybody who operates, or who sets up and looks for faults."""

    OPERATOR = "operator"
    EXPERT = "expert"


class Format(enum.Enum):
    """How people read a value: as it is, a Unix time as date and time, a text as counts of durations.

    The text of a histogram is JSON: ``count``, ``sum`` (in the parameter's unit), and in ``le`` how many took
    up to each bound, the last of which is ``+Inf``.
    """

    PLAIN = "plain"
    TIME = "time"
    HISTOGRAM = "histogram"


class Severity(enum.IntEnum):
    """How bad a value is, with the numbers of EPICS; INVALID: nothing is known."""

    NONE = 0
    MINOR = 1
    MAJOR = 2
    INVALID = 3


class Role(enum.Enum):
    """What front ends look for by its meaning, at most one of each in a group; they never name a field."""

    NAME = "name"
    """What the engine, or what is in a slot, is called."""
    STATE = "state"
    """State of the repeater, of a writer or of a picture."""
    STATUS = "status"
    """What it does now, a sentence."""
    LOSING = "losing"
    """While this is true, running is an alarm."""
    ERROR = "error"
    """Reason of the error state."""
    CONFIGURATION = "configuration"
    """The whole configuration as JSON."""
    ROOTS = "roots"
    """Folders below which files may be written, separated as in PATH."""
    ENABLED = "enabled"
    """Whether an output takes frames at all."""
    BLOCKING = "blocking"
    """Whether an output holds back the source."""
    ACQUISITION = "acquisition"
    """State of the newest acquisition."""
    RESULT = "result"
    """How the newest acquisition ended."""
    OUTCOME = "outcome"
    """What became of the newest acquisition, a sentence."""
    WAITING = "waiting"
    """What the newest acquisition waits for, a sentence."""
    PICTURES = "pictures"
    """Address that serves the pictures themselves; what is declared here are only numbers."""
    DARKEST = "darkest"
    """Value that an encoded picture shows black."""
    BRIGHTEST = "brightest"
    """Value that an encoded picture shows white."""
    START_RESULT = "start result"
    """What became of the last start, a word of `states.StartResult`."""
    HEARTBEAT = "heartbeat"
    """A number that rises while the engine works."""
    START_ID = "start id"
    """Id of the acquisition that the last start began."""


class Unit(msgspec.Struct, frozen=True):
    """Unit of a number, as people write it: ``"s"``, ``"Hz"``, ``"MB/s"``, ``"frames"``."""

    name: str


class Alarm(msgspec.Struct, frozen=True):
    """When a value is a warning (MINOR) or an alarm (MAJOR).

    A number is so from a level on (`None`: no such level), a choice or a boolean at certain values;
    `invalid_values` say that nothing is known.
    """

    warning_low: float | None = None
    warning_high: float | None = None
    alarm_low: float | None = None
    alarm_high: float | None = None
    warning_values: tuple[str | bool, ...] = ()
    alarm_values: tuple[str | bool, ...] = ()
    invalid_values: tuple[str | bool, ...] = ()

    def severity(self, value: Value) -> Severity:
        """How bad a value is; no value is INVALID."""
        if value is None or value in self.invalid_values:
            return Severity.INVALID
        if value in self.alarm_values or _beyond(value, self.alarm_low, self.alarm_high):
            return Severity.MAJOR
        if value in self.warning_values or _beyond(value, self.warning_low, self.warning_high):
            return Severity.MINOR
        return Severity.NONE


def _beyond(value: Value, low: float | None, high: float | None) -> bool:
    if isinstance(value, bool | str) or value is None:
        return False
    return (low is not None and value <= low) or (high is not None and value >= high)


class LongText(msgspec.Struct, frozen=True):
    """Marks a text that may be longer than a path, up to `length` characters (JSON, lists)."""

    length: int


class Form(msgspec.Struct, frozen=True):
    """What a text with a pattern must look like, in words: ``"an address such as tcp://host:9990"``."""

    words: str


def address_form(schemes: Iterable[str]) -> Form:
    """The form of an address with one of these schemes."""
    return Form(f"an address that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")


class Counter(msgspec.Struct, frozen=True):
    """Marks a number that only rises until it begins anew (at a start); any other may also fall."""


class Loss(msgspec.Struct, frozen=True):
    """Marks a number of what was lost and should not have been: 0 is good, anything else is shown in red."""


class Derived(msgspec.Struct, frozen=True):
    """Marks a setting that follows from others: it is not saved, and writing it sets those."""


class Section(BaseModel):
    """Base of every declaration: strict, immutable, and nothing that is not declared is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_enum_values=True)

    @classmethod
    def of(cls, values: Mapping[str, Value], prefix: str = "") -> Self:
        """The object that these values stand for, by field with `prefix`; all are None in an empty slot."""
        fields: dict[str, Any] = {name: values[f"{prefix}{name}"] for name in cls.model_fields}
        for name, kind in _enumerations(cls).items():
            if fields[name] is not None:
                fields[name] = kind(fields[name])
        return cast("Self", cls.model_construct(None, **fields))

    def settings(self) -> dict[str, Any]:
        """The values as JSON has them, without what follows from others."""
        derived = {name for name, field in type(self).model_fields.items() if Derived() in field.metadata}
        return self.model_dump(mode="json", exclude=derived)

    def changed(self, fields: dict[str, Any]) -> Self:
        """A copy with `fields` replaced, validated as a whole; raises `pydantic.ValidationError`."""
        return self.model_validate({**self.model_dump(), **fields})


class Status(Section):
    """What an engine says about itself: an object that code reads and changes, and shows as values.

    It is published by the names of its fields, so what is declared is what is shown.
    """

    model_config = ConfigDict(frozen=False, use_enum_values=False)

    def values(self, prefix: str = "") -> dict[str, Value]:
        """The values by field, each name with `prefix`."""
        return {f"{prefix}{n}": v.value if isinstance(v, enum.Enum) else v for n, v in self}


@cache
def _enumerations(model: type[Section]) -> dict[str, type[enum.Enum]]:
    if model.model_config.get("use_enum_values"):
        return {}
    kinds = {name: field.annotation for name, field in model.model_fields.items()}
    return {n: kind for n, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, enum.Enum)}


class Shown(msgspec.Struct, frozen=True):
    """A model as parameters of a group; for a second object of one model, under other names.

    `prefix` begins the names, `title` and `text` the titles and descriptions of that other one; it has
    no roles, and is for experts.
    """

    model: type[Section]
    prefix: str = ""
    title: str = ""
    text: str = ""

    def fields(self) -> Iterator[tuple[str, FieldInfo]]:
        """Each field with its name."""
        for name, field in self.model.model_fields.items():
            yield f"{self.prefix}{name}", self._other(field) if self.prefix else field

    def _other(self, field: FieldInfo) -> FieldInfo:
        title = str(field.title)
        other = FieldInfo.merge_field_infos(
            field,
            title=f"{self.title}{title[:1].lower()}{title[1:]}",
            description=f"{self.text}{field.description}",
        )
        facts = [fact for fact in other.metadata if not isinstance(fact, Role | Level)]
        other.metadata = [*facts, Level.EXPERT]
        return other
