"""The groups of a catalogue, declared once: their settings, status, commands and slots.

A kind of engine is a list of groups; `REPEATER` is that of the engine that repeats frames and writes them.
A new group is one more declaration here, and a field of the same name in the configuration where it has
settings.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

import msgspec
from pydantic.fields import FieldInfo

from repstream.parameters.commands import ENGINE_COMMANDS, WRITER_COMMANDS, CommandDeclaration
from repstream.parameters.engine import EngineConfig
from repstream.parameters.facade import FacadeConfig
from repstream.parameters.facts import Section, Shown
from repstream.parameters.output_status import StreamStatus
from repstream.parameters.picture import SLOTS as PICTURES
from repstream.parameters.picture import (
    GateStatus,
    PictureAddress,
    PictureConfig,
    PictureResults,
    PictureStatus,
)
from repstream.parameters.source import SourceConfig
from repstream.parameters.status import EngineStatus, SourceStatus
from repstream.parameters.stream import StreamConfig
from repstream.parameters.writer import WriterConfig
from repstream.parameters.writer_status import CALLS, NEWEST, PREVIOUS, WriterStatus


class Group(enum.StrEnum):
    """The names of the groups, as keys and the configuration have them."""

    ENGINE = "engine"
    SOURCE = "source"
    STREAM = "streams"
    WRITER = "writers"
    FACADE = "facade"
    PICTURE = "pictures"


class Slots(enum.Enum):
    """How the slots of a group are filled.

    NONE: the group has no slots, there is one of it. NAMED: users create, name and remove what is in a
    slot, and an empty one has no values. NUMBERED: every slot is always there and goes by its number;
    its settings stand in the configuration by that number (see `configuration.numbered`).
    """

    NONE = "none"
    NAMED = "named"
    NUMBERED = "numbered"


class GroupDeclaration(msgspec.Struct, frozen=True):
    """One group. No field name may stand in two of its models.

    `singular` names one of it (``stream``). `settings` is the model of its part of the configuration,
    which has the group's name there; None where the group has no settings. `count` is the number of
    slots where an engine does not say otherwise. `experts`: fields that only experts need here, though a
    model that other groups have too gives them to operators.
    """

    name: str
    singular: str
    settings: type[Section] | None = None
    status: tuple[type[Section] | Shown, ...] = ()
    commands: tuple[CommandDeclaration, ...] = ()
    slots: Slots = Slots.NONE
    count: int = 0
    experts: frozenset[str] = frozenset()

    def fields(self) -> Iterator[tuple[str, FieldInfo]]:
        """All fields of all models with their names, in the order in which the catalogue has them."""
        for model in (*((self.settings,) if self.settings else ()), *self.status):
            yield from (model if isinstance(model, Shown) else Shown(model)).fields()


REPEATER = (
    GroupDeclaration(Group.ENGINE, "engine", EngineConfig, (EngineStatus,), ENGINE_COMMANDS),
    GroupDeclaration(Group.SOURCE, "source", SourceConfig, (SourceStatus,)),
    GroupDeclaration(Group.STREAM, "stream", StreamConfig, (StreamStatus,), slots=Slots.NAMED, count=8),
    GroupDeclaration(
        Group.WRITER,
        "writer",
        WriterConfig,
        (WriterStatus, NEWEST, PREVIOUS, *CALLS.values()),
        WRITER_COMMANDS,
        slots=Slots.NAMED,
        count=4,
        experts=frozenset({"every_nth", "every_sec", "last_frame_id", "skipped", "queued"}),
    ),
    GroupDeclaration(Group.FACADE, "facade", FacadeConfig),
    GroupDeclaration(
        Group.PICTURE,
        "picture",
        PictureConfig,
        (PictureStatus, PictureAddress, PictureResults, GateStatus),
        slots=Slots.NUMBERED,
        count=PICTURES,
    ),
)
"""The engine that receives frames, repeats them as streams and writes them."""
