"""What a writer says about itself, and about its newest acquisition and the one before. All read-only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from repstream.parameters.facts import (
    Alarm,
    Format,
    Level,
    LongText,
    Loss,
    Role,
    Shown,
    Status,
    Unit,
)
from repstream.parameters.output_status import Losses, OutputStatus
from repstream.parameters.status import Count, Rate, Total
from repstream.states import AcquisitionResult, AcquisitionState, StartResult, WriterState


class WriterStatus(OutputStatus):
    """A writer, but what belongs to one of its acquisitions; counters are of the newest."""

    state: Annotated[WriterState, Role.STATE, Alarm(invalid_values=("UNKNOWN",))] = Field(
        WriterState.READY, title="State", description="State of the writer."
    )
    start_result: Annotated[
        StartResult,
        Role.START_RESULT,
        Alarm(warning_values=("refused", "unknown", "interrupted"), alarm_values=("failed",)),
    ] = Field(
        StartResult.NONE,
        title="Result of the last start",
        description="What became of the last arm or start; completed: all its images are in the closed file.",
    )
    start_id: Annotated[str, Role.START_ID, Level.EXPERT] = Field(
        "",
        title="Acquisition of the last start",
        description="Id of the acquisition that the last arm or start began or opened; empty: none.",
    )
    start_message: Annotated[str, LongText(1024)] = Field(
        "",
        title="Message of the last start",
        description="What became of the last arm or start, as a sentence.",
    )
    start_count: Annotated[Total, Level.EXPERT] = Field(
        0, title="Starts so far", description="Number of arms and starts, those that were refused included."
    )
    gate: Literal["shut", "open"] = Field("shut", title="Gate", description="Whether frames go to the file.")
    progress: Annotated[Rate, Unit("%")] = Field(
        0.0,
        le=100.0,
        title="Progress",
        description="Images written as a percentage of those requested; 0 if no number was requested.",
    )
    kept: Annotated[Count, Unit("frames"), Level.EXPERT] = Field(
        0,
        title="Pre-trigger frames kept",
        description="Frames kept for the beginning of a file; they count as queued.",
    )
    spilled: Annotated[Count, Unit("frames"), Level.EXPERT] = Field(
        0, title="Frames spilled", description="Frames waiting in spill_folder; they count as queued."
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
    space_warning: Annotated[str, LongText(1024), Level.EXPERT] = Field(
        "",
        title="Space warning",
        description="Why the free space may not suffice for this acquisition; empty if it does.",
    )
    folder_status: Annotated[str, LongText(1024)] = Field(
        "",
        title="Folder problem",
        description="What is wrong with the folder, or since when it does not answer; empty if nothing is.",
    )
    folder_exists: Annotated[bool | None, Level.EXPERT] = Field(
        None, title="Folder exists", description="Whether the folder exists."
    )
    folder_writable: Annotated[bool | None, Level.EXPERT] = Field(
        None, title="Folder writable", description="Whether files can be created in the folder."
    )
    waiting: Annotated[str, LongText(1024), Role.WAITING] = Field(
        "",
        title="Wait description",
        description="What the acquisition waits for, and since when, as a sentence.",
    )
    waiting_for: Annotated[
        Literal["nothing", "gate", "trigger", "source", "stream", "disk", "selection"], Level.EXPERT
    ] = Field(
        "nothing",
        title="Waiting for",
        description="What the acquisition waits for; selection: frames arrive, but none for the file.",
    )
    waiting_since: Annotated[float | None, Unit("s"), Format.TIME, Level.EXPERT] = Field(
        None,
        title="Waiting since",
        description="Unix time since which nothing has arrived from there, if it is known.",
    )


class AcquisitionStatus(Losses):
    """An acquisition and its file: the newest one, or the one before, which may still be flushed."""

    acq_state: Annotated[AcquisitionState, Role.ACQUISITION] = Field(
        AcquisitionState.NONE, title="Acquisition state", description="State of the acquisition."
    )
    acq_result: Annotated[AcquisitionResult, Role.RESULT, Alarm(alarm_values=("failed",))] = Field(
        AcquisitionResult.NONE, title="Acquisition result", description="How the acquisition ended."
    )
    acq_message: Annotated[str, LongText(1024), Role.OUTCOME] = Field(
        "", title="Acquisition message", description="What became of the acquisition, as a sentence."
    )
    acquisition_id: Annotated[str, Level.EXPERT] = Field(
        "", title="Acquisition id", description="Unique id of the acquisition."
    )
    acq_run_id: Annotated[str, Level.EXPERT] = Field(
        "", title="Acquisition run id", description="Run id of the acquisition."
    )
    full_file_name: Annotated[str, LongText(1024)] = Field(
        "", title="Acquisition file", description="Full name of the file of the acquisition."
    )
    num_requested: Annotated[Count, Unit("images")] = Field(
        0, title="Images requested", description="Number of images requested; 0 continues until stopped."
    )
    num_written: Annotated[Total, Unit("images")] = Field(
        0, title="Images written", description="Images that are in the file and can be read."
    )
    num_missing: Annotated[Count, Unit("images"), Loss()] = Field(
        0, title="Images missing", description="Frame ids that have not arrived in this acquisition."
    )
    file_size: Annotated[Count, Unit("B")] = Field(0, title="File size", description="Size of the file.")
    left: Annotated[Count, Unit("frames"), Level.EXPERT] = Field(
        0,
        title="Frames left to write",
        description="Frames still to be written after the end of the acquisition.",
    )
    left_time: Annotated[Rate | None, Unit("s"), Level.EXPERT] = Field(
        None,
        title="Time left to write",
        description="Estimated time until all frames are written, at the present rate.",
    )
    start_time: Annotated[float | None, Unit("s"), Format.TIME] = Field(
        None, title="Start time", description="Unix time of the start."
    )
    stop_time: Annotated[float | None, Unit("s"), Format.TIME, Level.EXPERT] = Field(
        None, title="End time", description="Unix time of the end."
    )
    acq_duration: Annotated[Rate | None, Unit("s")] = Field(
        None,
        title="Acquisition duration",
        description="Time from the start to the end, whatever becomes of the clock; none before the end.",
    )


class CallStatus(Status):
    """How long one kind of call on a writer's files takes, since the repeater was started."""

    last: Annotated[Rate, Unit("s"), Level.EXPERT] = Field(
        0.0, title="Last duration", description="Duration of the last one."
    )
    mean: Annotated[Rate, Unit("s"), Level.EXPERT] = Field(
        0.0, title="Mean duration", description="Mean duration since the start."
    )
    longest: Annotated[Rate, Unit("s"), Level.EXPERT] = Field(
        0.0, title="Longest duration", description="Longest duration since the start."
    )
    duration: Annotated[str, LongText(1024), Unit("s"), Level.EXPERT, Format.HISTOGRAM] = Field(
        "", title="Durations", description="Durations since the start as JSON, for a histogram."
    )


NEWEST = Shown(AcquisitionStatus)
PREVIOUS = Shown(AcquisitionStatus, "previous_", "Previous: ", "Previous acquisition: ")
"""The two acquisitions that a writer shows; the newest one takes frames, or none does."""
CALLS = {
    "create": Shown(CallStatus, "create_", "Create: ", "Making a file. "),
    "write": Shown(CallStatus, "write_", "Write: ", "Writing the images that wait, up to 32 MiB. "),
    "flush": Shown(CallStatus, "flush_", "Flush: ", "Putting what was written on the disk. "),
    "close": Shown(CallStatus, "close_", "Close: ", "Closing a file. "),
}
"""The kinds of calls, as the data plane names them."""
