"""What the engine tells about itself: states, counters, rates. All read-only.

`None` means: no value now (an empty slot, nothing received yet, engine not reachable).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, create_model
from pydantic.fields import FieldInfo

from repstream.parameters.facts import Alarm, Counter, LongText, OfPrevious, Section, Unit
from repstream.states import AcquisitionResult, AcquisitionState, RepeaterState, WriterState

COUNT_LIMIT = 2**64 - 1
Count = Annotated[int, Field(ge=0, le=COUNT_LIMIT)]
Total = Annotated[Count, Counter()]
Rate = Annotated[float, Field(ge=0)]


class EngineStatus(Section):
    """The repeater as a whole."""

    name: str = Field("repstream", description="Name of this engine.")
    state: RepeaterState = Field(RepeaterState.STOPPED, description="State of the repeater.")
    status: Annotated[str, LongText(1024)] = Field("", description="What the engine does now, for people.")
    losing: bool = Field(False, description="Whether frames were lost unplanned within the last 5 s.")
    allowed_commands: Annotated[str, LongText(1024)] = Field(
        "", description="Commands that the state allows, separated by blanks."
    )
    draining: Annotated[Count, Unit("frames")] = Field(0, description="Frames still to be sent after a stop.")
    draining_time: Annotated[Rate | None, Unit("s")] = Field(
        None, description="How long that takes at the present rate, where it is known."
    )
    last_error: Annotated[str, LongText(1024)] = Field("", description="The last error; reset clears it.")
    last_error_time: Annotated[float, Unit("s")] = Field(0.0, description="Unix time of the last error.")
    error_count: Total = Field(0, description="Errors since the last reset.")
    last_command: str = Field("", description="The last command or write, and why it was refused.")
    last_command_by: str = Field("", description="Who gave it: front end, user, host.")
    locked_by: str = Field("", description="Who holds the control lock; empty when nobody does.")
    config: Annotated[str, LongText(65536)] = Field("", description="The whole configuration as JSON.")
    config_file: str = Field("", description="File that the configuration was last loaded from or saved to.")
    roots: Annotated[str, LongText(4096)] = Field("", description="Folders below which files may be written.")
    version: str = Field("", description="Version of the software.")
    host: str = Field("", description="Host that the engine runs on.")
    process_id: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(0, description="Process of the data plane.")
    uptime: Annotated[Rate, Unit("s")] = Field(0.0, description="Time since the engine was started.")
    heartbeat: Annotated[int, Field(ge=0, le=2**31 - 1), Counter()] = Field(
        0, description="Rises by one every second."
    )


class SourceStatus(Section):
    """The input; counters are since the last start."""

    connected: bool = Field(False, description="Whether a detector is connected to the input.")
    link_problem: Annotated[str, LongText(1024)] = Field(
        "", description="What keeps a detector that answers from being connected; empty while nothing does."
    )
    messages: Annotated[Total, Unit("messages")] = Field(0, description="Messages received.")
    received: Annotated[Total, Unit("frames")] = Field(0, description="Frames received.")
    received_bytes: Annotated[Total, Unit("B")] = Field(0, description="Bytes received.")
    malformed: Annotated[Total, Unit("messages")] = Field(0, description="Messages that were no frames.")
    malformed_reasons: Annotated[str, LongText(1024)] = Field("", description="Malformed messages by reason.")
    other: Annotated[Total, Unit("messages")] = Field(
        0, description="Good messages without an image, which streams forward."
    )
    other_kinds: Annotated[str, LongText(1024)] = Field("", description="Messages without an image by kind.")
    missing: Annotated[Count, Unit("frames")] = Field(0, description="Gaps in the frame ids.")
    duplicates: Annotated[Total, Unit("frames")] = Field(0, description="Frames whose id had come before.")
    late: Annotated[Total, Unit("frames")] = Field(0, description="Frames that filled a gap afterwards.")
    resets: Total = Field(0, description="Times that the numbering began anew.")
    rate: Annotated[Rate, Unit("Hz")] = Field(0.0, description="Frames received a second.")
    throughput: Annotated[Rate, Unit("MB/s")] = Field(0.0, description="Data received a second.")
    last_frame_id: Annotated[int | None, Field(ge=0, le=COUNT_LIMIT)] = Field(
        None, description="Id of the last frame."
    )
    last_frame_time: Annotated[float | None, Unit("s")] = Field(
        None, description="Unix time of the last frame."
    )
    seen_height: Annotated[int | None, Field(ge=0, le=2**31 - 1), Unit("pixels")] = Field(
        None, description="Height of the last image."
    )
    seen_width: Annotated[int | None, Field(ge=0, le=2**31 - 1), Unit("pixels")] = Field(
        None, description="Width of the last image."
    )
    seen_type: str | None = Field(None, description="Pixel type of the last image.")


class OutputStatus(Section):
    """What a stream and a writer count alike: offered = sent + skipped + dropped + queued.

    A stream counts messages without an image too, which it forwards whatever its policy.
    """

    name: str | None = Field(None, description="Name of what occupies this slot.")
    offered: Annotated[Total, Unit("frames")] = Field(0, description="Frames that reached this output.")
    sent: Annotated[Total, Unit("frames")] = Field(0, description="Frames sent, or written by a writer.")
    skipped: Annotated[Total, Unit("frames")] = Field(0, description="Frames left out as planned.")
    skipped_reasons: Annotated[str, LongText(1024)] = Field("", description="Skipped frames by reason.")
    dropped: Annotated[Total, Unit("frames"), OfPrevious()] = Field(0, description="Frames lost here.")
    dropped_reasons: Annotated[str, LongText(1024), OfPrevious()] = Field(
        "", description="Dropped frames by reason."
    )
    queued: Annotated[Count, Unit("frames")] = Field(0, description="Frames waiting here.")
    queue_use: Annotated[Rate, Unit("%"), Alarm(warning_high=70, alarm_high=90)] = Field(
        0.0, le=100.0, description="How full the queue is, in frames or memory, whichever is more."
    )
    sent_bytes: Annotated[Total, Unit("B")] = Field(0, description="Bytes sent, or written by a writer.")
    rate: Annotated[Rate, Unit("Hz")] = Field(0.0, description="Frames sent a second.")
    throughput: Annotated[Rate, Unit("MB/s")] = Field(0.0, description="Data sent a second.")
    last_frame_id: Annotated[int | None, Field(ge=0, le=COUNT_LIMIT)] = Field(
        None, description="Id of the last frame sent."
    )
    blocking: bool = Field(False, description="Whether this output holds up the source now.")


class StreamStatus(OutputStatus):
    """A live stream; counters are since the last start."""

    clients: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(0, description="Consumers connected now.")
    disconnects: Annotated[int, Field(ge=0, le=2**31 - 1), Counter()] = Field(
        0, description="Consumers that went away; what they had not read is lost."
    )


class WriterStatus(OutputStatus):
    """A writer and its acquisition; counters are of the acquisition."""

    state: WriterState = Field(WriterState.READY, description="State of the writer.")
    acq_state: Annotated[AcquisitionState, OfPrevious()] = Field(
        AcquisitionState.NONE, description="State of the acquisition."
    )
    acq_result: Annotated[AcquisitionResult, OfPrevious()] = Field(
        AcquisitionResult.NONE, description="How the acquisition ended."
    )
    acq_message: Annotated[str, LongText(1024), OfPrevious()] = Field(
        "", description="What came of it, for people."
    )
    acquisition_id: Annotated[str, OfPrevious()] = Field("", description="Unique id of the acquisition.")
    acq_run_id: Annotated[str, OfPrevious()] = Field("", description="Run id of the acquisition.")
    full_file_name: Annotated[str, LongText(1024), OfPrevious()] = Field(
        "", description="File of the acquisition."
    )
    gate: Literal["shut", "open"] = Field("shut", description="Whether frames go to the file.")
    num_requested: Annotated[Count, Unit("images"), OfPrevious()] = Field(
        0, description="Images asked for; 0 until stopped."
    )
    num_written: Annotated[Total, Unit("images"), OfPrevious()] = Field(
        0, description="Images in the file and readable."
    )
    num_missing: Annotated[Count, Unit("images"), OfPrevious()] = Field(
        0, description="Gaps in the ids of this acquisition."
    )
    progress: Annotated[Rate, Unit("%")] = Field(
        0.0, le=100.0, description="Images written of those asked for; 0 while no number is asked for."
    )
    file_size: Annotated[Count, Unit("B"), OfPrevious()] = Field(0, description="Size of the file.")
    kept: Annotated[Count, Unit("frames")] = Field(
        0, description="Frames kept to begin a file with; they count as queued."
    )
    spilled: Annotated[Count, Unit("frames")] = Field(
        0, description="Frames that wait in spill_folder; they count as queued."
    )
    left: Annotated[Count, Unit("frames"), OfPrevious()] = Field(
        0, description="Frames still to be written after the end."
    )
    left_time: Annotated[Rate | None, Unit("s"), OfPrevious()] = Field(
        None, description="How long that takes at the present rate, where it is known."
    )
    disk_rate: Annotated[Rate, Unit("MB/s")] = Field(
        0.0, description="Speed at which the disk took the last images, while it was writing."
    )
    disk_wait: Annotated[Rate, Unit("s"), Alarm(warning_high=1, alarm_high=5)] = Field(
        0.0, description="How long the disk has been busy with what is being written now."
    )
    free_space: Annotated[float | None, Unit("GB"), Alarm(warning_low=10, alarm_low=1)] = Field(
        None, description="Free space where the next file goes."
    )
    space_warning: Annotated[str, LongText(1024)] = Field(
        "", description="What is wrong with the free space for this acquisition; empty if it will do."
    )
    folder_exists: bool | None = Field(None, description="Whether the folder exists.")
    folder_writable: bool | None = Field(None, description="Whether files can be made in the folder.")
    waiting: Annotated[str, LongText(1024)] = Field(
        "", description="What the acquisition waits for, since when."
    )
    waiting_for: Literal["nothing", "gate", "trigger", "source", "stream", "disk", "selection"] = Field(
        "nothing", description="Where it stalls; selection: frames come, but none that goes into the file."
    )
    waiting_since: Annotated[float | None, Unit("s")] = Field(
        None, description="Unix time since when nothing came from there, where that is known."
    )
    start_time: Annotated[float | None, Unit("s"), OfPrevious()] = Field(
        None, description="Unix time of the start."
    )
    stop_time: Annotated[float | None, Unit("s"), OfPrevious()] = Field(
        None, description="Unix time of the end."
    )


NEWEST, PREVIOUS = "", "previous_"
"""Begin the names of what is told of the newest acquisition, and of the one before it."""


def _of_previous(fields: Mapping[str, FieldInfo]) -> dict[str, Any]:
    marked = {name: field for name, field in fields.items() if OfPrevious() in field.metadata}
    return {
        f"{PREVIOUS}{name}": (
            field.annotation,
            FieldInfo.merge_field_infos(
                field, description=f"The acquisition before: {field.description or name}"
            ),
        )
        for name, field in marked.items()
    }


PreviousStatus: type[Section] = create_model(
    "PreviousStatus",
    __base__=Section,
    __doc__="The acquisition before the newest; it may still be flushed while that one goes on.",
    **_of_previous(WriterStatus.model_fields),
)
