"""What streams and writers say about themselves. All read-only."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from repstream.parameters.facts import (
    Alarm,
    Counter,
    Level,
    LongText,
    Loss,
    Role,
    Status,
    Unit,
)
from repstream.parameters.status import COUNT_LIMIT, Count, Rate, Total


class Losses(Status):
    """What an output has lost."""

    dropped: Annotated[Total, Unit("frames"), Loss()] = Field(
        0, title="Frames dropped", description="Frames lost at this output."
    )
    dropped_reasons: Annotated[str, LongText(1024), Level.EXPERT] = Field(
        "", title="Frames dropped by reason", description="Number of dropped frames for each reason."
    )


class OutputStatus(Status):
    """What a stream and a writer count alike: offered = sent + skipped + dropped + queued.

    A stream counts messages without an image too, which it forwards whatever its policy.
    """

    name: Annotated[str | None, Role.NAME] = Field(
        None, title="Name", description="Name of the stream or writer in this slot."
    )
    offered: Annotated[Total, Unit("frames"), Level.EXPERT] = Field(
        0, title="Frames offered", description="Frames that reached this output."
    )
    sent: Annotated[Total, Unit("frames")] = Field(
        0, title="Frames sent", description="Frames sent by a stream or written by a writer."
    )
    skipped: Annotated[Total, Unit("frames")] = Field(
        0, title="Frames skipped", description="Frames left out as intended, by the policy or a shut gate."
    )
    skipped_reasons: Annotated[str, LongText(1024), Level.EXPERT] = Field(
        "", title="Frames skipped by reason", description="Number of skipped frames for each reason."
    )
    queued: Annotated[Count, Unit("frames")] = Field(
        0, title="Frames queued", description="Frames waiting in the queue of this output."
    )
    queue_use: Annotated[Rate, Unit("%"), Alarm(warning_high=70, alarm_high=90)] = Field(
        0.0,
        le=100.0,
        title="Queue usage",
        description="How full the queue is, by frames or by memory, whichever is higher.",
    )
    sent_bytes: Annotated[Total, Unit("B"), Level.EXPERT] = Field(
        0, title="Bytes sent", description="Bytes sent by a stream or written by a writer."
    )
    rate: Annotated[Rate, Unit("Hz")] = Field(
        0.0, title="Frame rate", description="Frames sent or written per second."
    )
    throughput: Annotated[Rate, Unit("MB/s")] = Field(
        0.0, title="Data rate", description="Data sent or written per second."
    )
    last_frame_id: Annotated[int | None, Field(ge=0, le=COUNT_LIMIT)] = Field(
        None, title="Last frame id", description="Id of the last frame sent or written."
    )
    blocking: Annotated[bool, Role.BLOCKING] = Field(
        False, title="Blocking the source", description="Whether this output holds back the source now."
    )


class StreamStatus(Losses, OutputStatus):
    """A live stream; counters are since the last start."""

    clients: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        0, title="Consumers connected", description="Number of consumers connected now."
    )
    disconnects: Annotated[int, Field(ge=0, le=2**31 - 1), Counter()] = Field(
        0,
        title="Consumers disconnected",
        description="Number of consumers that have disconnected; frames they had not read are lost.",
    )
    denied: Annotated[Total, Level.EXPERT] = Field(
        0,
        title="Consumers denied",
        description="With CURVE: how often a consumer without a key, or with a wrong one, was refused.",
    )
