"""What the engine says about itself: states, counters, rates. All read-only.

`None` means: no value now (an empty slot, nothing received yet, engine not reachable).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from repstream.parameters.facts import (
    Alarm,
    Counter,
    Format,
    Level,
    LongText,
    Loss,
    Role,
    Status,
    Unit,
)
from repstream.states import RepeaterState

COUNT_LIMIT = 2**64 - 1
Count = Annotated[int, Field(ge=0, le=COUNT_LIMIT)]
Total = Annotated[Count, Counter()]
Rate = Annotated[float, Field(ge=0)]


class EngineStatus(Status):
    """The repeater as a whole."""

    name: Annotated[str, Role.NAME] = Field(
        "repstream", title="Engine name", description="Name of this engine."
    )
    state: Annotated[
        RepeaterState, Role.STATE, Alarm(alarm_values=("ERROR",), invalid_values=("UNKNOWN",))
    ] = Field(RepeaterState.STOPPED, title="State", description="State of the repeater.")
    status: Annotated[str, LongText(1024), Role.STATUS] = Field(
        "", title="Status", description="What the engine does now, as a sentence."
    )
    losing: Annotated[bool, Role.LOSING, Alarm(warning_values=(True,))] = Field(
        False, title="Losing frames", description="Whether frames were lost unexpectedly within the last 5 s."
    )
    allowed_commands: Annotated[str, LongText(1024), Level.EXPERT] = Field(
        "",
        title="Allowed commands",
        description="Commands that the present state allows, separated by spaces.",
    )
    draining: Annotated[Count, Unit("frames")] = Field(
        0, title="Frames to drain", description="Frames still to be sent after a stop."
    )
    draining_time: Annotated[Rate | None, Unit("s")] = Field(
        None,
        title="Time to drain",
        description="Estimated time until all frames are sent, at the present rate.",
    )
    last_error: Annotated[str, LongText(1024), Role.ERROR] = Field(
        "", title="Last error", description="Text of the last error; reset clears it."
    )
    last_error_time: Annotated[float, Unit("s"), Format.TIME] = Field(
        0.0, title="Time of last error", description="Unix time of the last error."
    )
    error_count: Total = Field(
        0, title="Errors since reset", description="Number of errors since the last reset."
    )
    last_command: str = Field(
        "", title="Last command", description="The last command or write; if it was refused, the reason."
    )
    last_command_by: str = Field(
        "", title="Last command by", description="Who gave the last command: front end, user and host."
    )
    locked_by: str = Field(
        "", title="Locked by", description="Holder of the control lock; empty if nobody holds it."
    )
    config: Annotated[str, LongText(65536), Level.EXPERT, Role.CONFIGURATION] = Field(
        "", title="Configuration", description="The whole configuration as JSON."
    )
    config_file: Annotated[str, Level.EXPERT] = Field(
        "",
        title="Configuration file",
        description="File that the configuration was last loaded from or saved to.",
    )
    roots: Annotated[str, LongText(4096), Level.EXPERT, Role.ROOTS] = Field(
        "", title="Allowed folders", description="Folders below which files may be written."
    )
    version: Annotated[str, Level.EXPERT] = Field(
        "", title="Software version", description="Version of the software."
    )
    host: Annotated[str, Level.EXPERT] = Field("", title="Host", description="Host on which the engine runs.")
    process_id: Annotated[int, Field(ge=0, le=2**31 - 1), Level.EXPERT] = Field(
        0, title="Data plane process", description="Process id of the data plane."
    )
    uptime: Annotated[Rate, Unit("s"), Level.EXPERT] = Field(
        0.0, title="Uptime", description="Time since the engine was started."
    )
    starts: Annotated[Count, Level.EXPERT] = Field(
        0,
        title="Starts of the data plane",
        description="How often the data plane was started with these settings; 0 where none are kept.",
    )
    heartbeat: Annotated[int, Field(ge=0, le=2**31 - 1), Counter(), Level.EXPERT, Role.HEARTBEAT] = Field(
        0, title="Heartbeat", description="Counter that increases by one every second."
    )


class SourceStatus(Status):
    """The input; counters are since the last start."""

    connected: bool = Field(
        False, title="Connected", description="Whether a detector is connected to the input."
    )
    link_problem: Annotated[str, LongText(1024)] = Field(
        "",
        title="Connection problem",
        description="Why a detector that answers cannot be connected; empty if there is no problem.",
    )
    receivers_now: Annotated[str, LongText(4096), Level.EXPERT] = Field(
        "",
        title="Receivers now",
        description="Process, frames and rate of each of several receivers; empty where there is one.",
    )
    denied: Annotated[Total, Level.EXPERT] = Field(
        0,
        title="Senders denied",
        description="With CURVE: how often a sender without a key, or with a wrong one, was refused.",
    )
    messages: Annotated[Total, Unit("messages"), Level.EXPERT] = Field(
        0, title="Messages received", description="Messages received since the last start."
    )
    received: Annotated[Total, Unit("frames")] = Field(
        0, title="Frames received", description="Frames received since the last start."
    )
    received_bytes: Annotated[Total, Unit("B"), Level.EXPERT] = Field(
        0, title="Bytes received", description="Bytes received since the last start."
    )
    malformed: Annotated[Total, Unit("messages"), Loss()] = Field(
        0, title="Malformed messages", description="Messages that do not follow their format."
    )
    malformed_reasons: Annotated[str, LongText(1024), Level.EXPERT] = Field(
        "", title="Malformed messages by reason", description="Number of malformed messages for each reason."
    )
    other: Annotated[Total, Unit("messages"), Level.EXPERT] = Field(
        0,
        title="Messages without image",
        description="Valid messages without an image; streams forward them.",
    )
    other_kinds: Annotated[str, LongText(1024), Level.EXPERT] = Field(
        "",
        title="Messages without image by kind",
        description="Number of messages without an image for each kind.",
    )
    missing: Annotated[Count, Unit("frames"), Loss()] = Field(
        0, title="Missing frames", description="Frame ids that have not arrived."
    )
    duplicates: Annotated[Total, Unit("frames"), Level.EXPERT] = Field(
        0, title="Duplicate frames", description="Frames whose id had arrived before."
    )
    late: Annotated[Total, Unit("frames"), Level.EXPERT] = Field(
        0, title="Late frames", description="Frames that arrived late and filled a gap in the ids."
    )
    resets: Annotated[Total, Level.EXPERT] = Field(
        0, title="Numbering restarts", description="How often the frame ids have started again."
    )
    rate: Annotated[Rate, Unit("Hz")] = Field(
        0.0, title="Frame rate", description="Frames received per second."
    )
    throughput: Annotated[Rate, Unit("MB/s")] = Field(
        0.0, title="Data rate", description="Data received per second."
    )
    last_frame_id: Annotated[int | None, Field(ge=0, le=COUNT_LIMIT)] = Field(
        None, title="Last frame id", description="Id of the last frame received."
    )
    last_frame_time: Annotated[float | None, Unit("s"), Format.TIME] = Field(
        None, title="Time of last frame", description="Unix time at which the last frame was received."
    )
    seen_height: Annotated[int | None, Field(ge=0, le=2**31 - 1), Unit("pixels")] = Field(
        None, title="Height of last image", description="Height of the last image received."
    )
    seen_width: Annotated[int | None, Field(ge=0, le=2**31 - 1), Unit("pixels")] = Field(
        None, title="Width of last image", description="Width of the last image received."
    )
    seen_type: str | None = Field(
        None, title="Pixel type of last image", description="Pixel type of the last image received."
    )
