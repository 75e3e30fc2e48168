"""What the engine says about itself: states, counters, rates. All read-only.

`None` means: no value now (an empty slot, nothing received yet, engine not reachable).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, create_model
from pydantic.fields import FieldInfo

from repstream.parameters.facts import (
    Alarm,
    Counter,
    Format,
    Level,
    LongText,
    OfPrevious,
    Role,
    Section,
    Unit,
)
from repstream.states import AcquisitionResult, AcquisitionState, RepeaterState, StartResult, WriterState

COUNT_LIMIT = 2**64 - 1
Count = Annotated[int, Field(ge=0, le=COUNT_LIMIT)]
Total = Annotated[Count, Counter()]
Rate = Annotated[float, Field(ge=0)]


class EngineStatus(Section):
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
    heartbeat: Annotated[int, Field(ge=0, le=2**31 - 1), Counter(), Level.EXPERT] = Field(
        0, title="Heartbeat", description="Counter that increases by one every second."
    )


class SourceStatus(Section):
    """The input; counters are since the last start."""

    connected: bool = Field(
        False, title="Connected", description="Whether a detector is connected to the input."
    )
    link_problem: Annotated[str, LongText(1024)] = Field(
        "",
        title="Connection problem",
        description="Why a detector that answers cannot be connected; empty if there is no problem.",
    )
    messages: Annotated[Total, Unit("messages")] = Field(
        0, title="Messages received", description="Messages received since the last start."
    )
    received: Annotated[Total, Unit("frames")] = Field(
        0, title="Frames received", description="Frames received since the last start."
    )
    received_bytes: Annotated[Total, Unit("B")] = Field(
        0, title="Bytes received", description="Bytes received since the last start."
    )
    malformed: Annotated[Total, Unit("messages")] = Field(
        0, title="Malformed messages", description="Messages that do not follow their format."
    )
    malformed_reasons: Annotated[str, LongText(1024), Level.EXPERT] = Field(
        "", title="Malformed messages by reason", description="Number of malformed messages for each reason."
    )
    other: Annotated[Total, Unit("messages")] = Field(
        0,
        title="Messages without image",
        description="Valid messages without an image; streams forward them.",
    )
    other_kinds: Annotated[str, LongText(1024), Level.EXPERT] = Field(
        "",
        title="Messages without image by kind",
        description="Number of messages without an image for each kind.",
    )
    missing: Annotated[Count, Unit("frames")] = Field(
        0, title="Missing frames", description="Frame ids that have not arrived."
    )
    duplicates: Annotated[Total, Unit("frames")] = Field(
        0, title="Duplicate frames", description="Frames whose id had arrived before."
    )
    late: Annotated[Total, Unit("frames")] = Field(
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


class OutputStatus(Section):
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
    dropped: Annotated[Total, Unit("frames"), OfPrevious()] = Field(
        0, title="Frames dropped", description="Frames lost at this output."
    )
    dropped_reasons: Annotated[str, LongText(1024), OfPrevious(), Level.EXPERT] = Field(
        "", title="Frames dropped by reason", description="Number of dropped frames for each reason."
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
    sent_bytes: Annotated[Total, Unit("B")] = Field(
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


class StreamStatus(OutputStatus):
    """A live stream; counters are since the last start."""

    clients: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        0, title="Consumers connected", description="Number of consumers connected now."
    )
    disconnects: Annotated[int, Field(ge=0, le=2**31 - 1), Counter()] = Field(
        0,
        title="Consumers disconnected",
        description="Number of consumers that have disconnected; frames they had not read are lost.",
    )


class WriterStatus(OutputStatus):
    """A writer and its acquisition; counters are of the acquisition."""

    state: Annotated[WriterState, Role.STATE, Alarm(invalid_values=("UNKNOWN",))] = Field(
        WriterState.READY, title="State", description="State of the writer."
    )
    start_result: Annotated[
        StartResult,
        Alarm(warning_values=("refused", "unknown", "interrupted"), alarm_values=("failed",)),
    ] = Field(
        StartResult.NONE,
        title="Result of the last start",
        description="What became of the last arm or start; completed: all its images are in the closed file.",
    )
    start_id: str = Field(
        "",
        title="Acquisition of the last start",
        description="Id of the acquisition that the last arm or start began or opened; empty: none.",
    )
    start_message: Annotated[str, LongText(1024)] = Field(
        "",
        title="Message of the last start",
        description="What became of the last arm or start, as a sentence.",
    )
    start_count: Total = Field(
        0, title="Starts so far", description="Number of arms and starts, those that were refused included."
    )
    acq_state: Annotated[AcquisitionState, OfPrevious(), Role.ACQUISITION] = Field(
        AcquisitionState.NONE, title="Acquisition state", description="State of the acquisition."
    )
    acq_result: Annotated[AcquisitionResult, OfPrevious(), Role.RESULT, Alarm(alarm_values=("failed",))] = (
        Field(AcquisitionResult.NONE, title="Acquisition result", description="How the acquisition ended.")
    )
    acq_message: Annotated[str, LongText(1024), OfPrevious(), Role.OUTCOME] = Field(
        "", title="Acquisition message", description="What became of the acquisition, as a sentence."
    )
    acquisition_id: Annotated[str, OfPrevious(), Level.EXPERT] = Field(
        "", title="Acquisition id", description="Unique id of the acquisition."
    )
    acq_run_id: Annotated[str, OfPrevious()] = Field(
        "", title="Acquisition run id", description="Run id of the acquisition."
    )
    full_file_name: Annotated[str, LongText(1024), OfPrevious()] = Field(
        "", title="Acquisition file", description="Full name of the file of the acquisition."
    )
    gate: Literal["shut", "open"] = Field("shut", title="Gate", description="Whether frames go to the file.")
    num_requested: Annotated[Count, Unit("images"), OfPrevious()] = Field(
        0, title="Images requested", description="Number of images requested; 0 continues until stopped."
    )
    num_written: Annotated[Total, Unit("images"), OfPrevious()] = Field(
        0, title="Images written", description="Images that are in the file and can be read."
    )
    num_missing: Annotated[Count, Unit("images"), OfPrevious()] = Field(
        0, title="Images missing", description="Frame ids that have not arrived in this acquisition."
    )
    progress: Annotated[Rate, Unit("%")] = Field(
        0.0,
        le=100.0,
        title="Progress",
        description="Images written as a percentage of those requested; 0 if no number was requested.",
    )
    file_size: Annotated[Count, Unit("B"), OfPrevious()] = Field(
        0, title="File size", description="Size of the file."
    )
    kept: Annotated[Count, Unit("frames"), Level.EXPERT] = Field(
        0,
        title="Pre-trigger frames kept",
        description="Frames kept for the beginning of a file; they count as queued.",
    )
    spilled: Annotated[Count, Unit("frames"), Level.EXPERT] = Field(
        0, title="Frames spilled", description="Frames waiting in spill_folder; they count as queued."
    )
    left: Annotated[Count, Unit("frames"), OfPrevious()] = Field(
        0,
        title="Frames left to write",
        description="Frames still to be written after the end of the acquisition.",
    )
    left_time: Annotated[Rate | None, Unit("s"), OfPrevious()] = Field(
        None,
        title="Time left to write",
        description="Estimated time until all frames are written, at the present rate.",
    )
    disk_rate: Annotated[Rate, Unit("MB/s"), Level.EXPERT] = Field(
        0.0,
        title="Disk rate",
        description="Rate at which the disk took the last images, while it was writing.",
    )
    disk_wait: Annotated[Rate, Unit("s"), Alarm(warning_high=1, alarm_high=5), Level.EXPERT] = Field(
        0.0, title="Disk wait", description="Time that the present write to the disk has taken so far."
    )
    free_space: Annotated[float | None, Unit("GB"), Alarm(warning_low=10, alarm_low=1)] = Field(
        None, title="Free space", description="Free space where the next file will be created."
    )
    space_warning: Annotated[str, LongText(1024)] = Field(
        "",
        title="Space warning",
        description="Why the free space may not suffice for this acquisition; empty if it does.",
    )
    folder_status: Annotated[str, LongText(1024)] = Field(
        "",
        title="Folder problem",
        description="What is wrong with the folder, or since when it does not answer; empty if nothing is.",
    )
    folder_exists: bool | None = Field(None, title="Folder exists", description="Whether the folder exists.")
    folder_writable: bool | None = Field(
        None, title="Folder writable", description="Whether files can be created in the folder."
    )
    waiting: Annotated[str, LongText(1024), Role.WAITING] = Field(
        "",
        title="Wait description",
        description="What the acquisition waits for, and since when, as a sentence.",
    )
    waiting_for: Literal["nothing", "gate", "trigger", "source", "stream", "disk", "selection"] = Field(
        "nothing",
        title="Waiting for",
        description="What the acquisition waits for; selection: frames arrive, but none for the file.",
    )
    waiting_since: Annotated[float | None, Unit("s"), Format.TIME] = Field(
        None,
        title="Waiting since",
        description="Unix time since which nothing has arrived from there, if it is known.",
    )
    start_time: Annotated[float | None, Unit("s"), OfPrevious(), Format.TIME] = Field(
        None, title="Start time", description="Unix time of the start."
    )
    stop_time: Annotated[float | None, Unit("s"), OfPrevious(), Format.TIME] = Field(
        None, title="End time", description="Unix time of the end."
    )


NEWEST, PREVIOUS = "", "previous_"
"""Begin the names of what describes the newest acquisition, and the one before it."""


def _of_previous(fields: Mapping[str, FieldInfo]) -> dict[str, Any]:
    return {
        f"{PREVIOUS}{name}": (field.annotation, _previous(field))
        for name, field in fields.items()
        if OfPrevious() in field.metadata
    }


def _previous(field: FieldInfo) -> FieldInfo:
    title, text = str(field.title), field.description
    merged = FieldInfo.merge_field_infos(
        field,
        title=f"Previous: {title[:1].lower()}{title[1:]}",
        description=f"Previous acquisition: {text}",
    )
    merged.metadata = [fact for fact in merged.metadata if not isinstance(fact, Role)]
    return merged


PreviousStatus: type[Section] = create_model(
    "PreviousStatus",
    __base__=Section,
    __doc__="The acquisition before the newest; it may still be flushed while that one goes on.",
    **_of_previous(WriterStatus.model_fields),
)
