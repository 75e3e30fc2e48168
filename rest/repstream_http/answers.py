"""The shapes of the answers; their descriptions are what the generated documentation says."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

JsonValue = Annotated[
    bool | int | float | str | None,
    Field(description="The value; null where there is none now (an empty slot)."),
]
Key = Annotated[
    str, Field(description="Key with the name of the stream or writer.", examples=["streams.live.every_nth"])
]
SlotKey = Annotated[
    str,
    Field(
        description="The same key with the slot, which no renaming changes.", examples=["streams.1.every_nth"]
    ),
]
UnixTime = Annotated[float, Field(description="Unix time in seconds.", examples=[1767225600.25])]


class Facts(BaseModel):
    """What is declared of a parameter."""

    key: Key
    slot_key: SlotKey
    group: str = Field(description="engine, source, streams or writers.", examples=["streams"])
    slot: int = Field(description="Slot, counted from 1; 0 where there are none.", examples=[1])
    field: str = Field(examples=["every_nth"])
    title: str = Field(description="Name for people, unique in its group.", examples=["Every nth frame"])
    level: str = Field(description="Who needs it: operator or expert.", examples=["operator"])
    format: str = Field(
        description="How people read a number: plain, or time for a Unix time.", examples=["plain"]
    )
    kind: str = Field(description="bool, int, float, text or choice.", examples=["int"])
    access: str = Field(
        description="read_only, while_idle (its owner not running) or always.", examples=["always"]
    )
    writable: bool = Field(examples=[True])
    description: str = Field(examples=["Address that consumers connect to, such as tcp://*:9610."])
    unit: str = Field(description="Empty where there is none.", examples=["frames"])
    default: JsonValue = Field(examples=[1])
    minimum: int | float | None = Field(description="Least value, itself allowed.", examples=[1])
    maximum: int | float | None = Field(
        description="Greatest value, itself allowed.", examples=[1_000_000_000]
    )
    length: int = Field(description="Most characters of a text; 0 for what is no text.", examples=[0])
    choices: list[str] = Field(description="All values of a choice.", examples=[[]])
    alarm: dict[str, Any] | None = Field(
        description="Levels from which, and values at which, this is a warning or an alarm.", examples=[None]
    )


class Reading(Facts):
    """One parameter: its value, when that changed last, and its facts."""

    value: JsonValue = Field(examples=[10])
    time: UnixTime
    severity: str = Field(
        description="How bad this value is: none, minor, major or invalid.", examples=["none"]
    )


class CommandFacts(BaseModel):
    """What is declared of a command."""

    key: str = Field(examples=["writers.main.start"])
    slot_key: str = Field(examples=["writers.1.start"])
    group: str = Field(examples=["writers"])
    slot: int = Field(examples=[1])
    name: str = Field(examples=["start"])
    title: str = Field(description="Name for people.", examples=["Start writing"])
    description: str
    waits: bool = Field(description="Whether its completion may take long.")
    allowed_in: list[str] = Field(
        description="States of its owner in which it is possible; empty: in all.", examples=[["READY"]]
    )
    argument: dict[str, Any] | None = Field(description="JSON Schema of the argument, where there is one.")


class GroupEntry(BaseModel):
    """A group of parameters and commands."""

    name: str = Field(description="What their keys begin with.", examples=["streams"])
    singular: str = Field(description="What one of it is called.", examples=["stream"])
    slots: int = Field(description="Number of slots; 0: one, without slots.", examples=[8])
    named: bool = Field(
        description="Whether users create, name and remove what is in a slot.", examples=[True]
    )


class CatalogueAnswer(BaseModel):
    """Everything that can be read, written and commanded, with all facts."""

    groups: list[GroupEntry]
    slots: dict[str, str] = Field(description="Slot of each name.", examples=[{"streams.live": "streams.1"}])
    parameters: list[Facts]
    commands: list[CommandFacts]


class Values(BaseModel):
    """Many values at one moment."""

    epoch: str = Field(description="Names the life of the engine: a restart has another.")
    sequence: int = Field(description="Number of the last change that these values contain.")
    time: UnixTime
    slots: dict[str, str] = Field(description="Slot of each name.", examples=[{"streams.live": "streams.1"}])
    values: dict[str, JsonValue] = Field(
        description="Value by key.", examples=[{"streams.live.every_nth": 10, "source.mode": "PULL"}]
    )


class CommandAnswer(BaseModel):
    """A command that was taken."""

    id: str = Field(description="Id of the command in the completion that the WebSocket brings.")
    command: str = Field(examples=["writers.main.start"])
    done: bool = Field(description="Whether it has ended; if not, it goes on.")
    ok: bool | None = Field(description="Whether it ended well; null while it goes on.")
    message: str = Field(description="What came of it.", examples=["100 images in /data/run1/scan_000001.h5"])
    result: str = Field(
        description="How the acquisition that it waited for ended; empty where it waited for none.",
        examples=["completed"],
    )
    acquisition_id: str = Field(
        description="Id of the acquisition that it waited for.", examples=["1767225600250-1"]
    )


class StateAnswer(BaseModel):
    """A small summary for people and scripts that poll.

    Beside the fields listed here each group of the engine that has a status has one of its name: of
    streams, writers and other groups with slots by name or number (`{"live": {...}}`).
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, dict[str, JsonValue | dict[str, JsonValue]]] = Field(init=False)

    engine: str = Field(description="Name of the engine.", examples=["repstream"])
    state: str = Field(description="UNKNOWN where the engine cannot be reached.", examples=["RUNNING"])
    status: str | None = Field(examples=["running, 20.0 Hz"])
    time: UnixTime
    source: dict[str, JsonValue] = Field(description="What is counted at the input.")


class EngineEntry(BaseModel):
    """One of the engines that this server shows."""

    name: str = Field(examples=["repstream"])
    state: str = Field(examples=["RUNNING"])
    path: str = Field(description="Where its API begins.", examples=["/api/v1/engines/repstream"])
    default: bool = Field(description="Whether /api/v1 itself means this one.")


class Directory(BaseModel):
    """What the engines of this server have."""

    engines: list[dict[str, Any]] = Field(
        description="Each with its own fields, the source, and lists of streams, writers and pictures."
    )


class Health(BaseModel):
    """Whether the server answers (it does) and its engines can be reached."""

    ok: bool = Field(description="Whether all engines can be reached.")
    engines: dict[str, str] = Field(description="State by engine.", examples=[{"repstream": "RUNNING"}])


class ErrorDetail(BaseModel):
    """Why something was not done; nothing was changed."""

    subject: str = Field(description="The parameter, command or path.", examples=["streams.live.every_nth"])
    reason: str = Field(examples=["must be 1 or more, not 0; it stays 5"])
    allowed: list[str] = Field(
        description="Values or states in which it would have been taken.", examples=[[]]
    )


class ErrorAnswer(BaseModel):
    """The shape of every error."""

    model_config = ConfigDict(title="Error")

    error: ErrorDetail
