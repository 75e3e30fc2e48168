"""What front ends show of a camera or a pipeline: a catalogue of its own kind.

Settings here are those of a configuration that are one number, text or truth value; the whole configuration
is a text of the engine's group. An instance takes them at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from repstream.parameters.commands import Argument, CommandDeclaration
from repstream.parameters.facts import Access, Alarm, Kind, Level, LongText, Loss, Role, Section, Status, Unit
from repstream.parameters.groups import Group, GroupDeclaration
from repstream.parameters.status import COUNT_LIMIT, Count, Rate, Total
from repstream.states import RepeaterState

CAMERA, PIPELINE, STREAM, BEAM = "camera", "pipeline", "stream", "beam"

Number = Annotated[int, Access.ALWAYS]
Switch = Annotated[bool, Access.ALWAYS]


class InstanceStatus(Status):
    """The instance as a whole."""

    name: Annotated[str, Role.NAME] = Field("", title="Name", description="Name of the camera or pipeline.")
    state: Annotated[
        RepeaterState, Role.STATE, Alarm(alarm_values=("ERROR",), invalid_values=("UNKNOWN",))
    ] = Field(
        RepeaterState.STOPPED,
        title="State",
        description="RUNNING while it has a process; ERROR when that has ended for a reason.",
    )
    status: Annotated[str, LongText(1024), Role.STATUS] = Field(
        "", title="Status", description="What it does now, as a sentence."
    )
    losing: Annotated[bool, Role.LOSING, Alarm(warning_values=(True,))] = Field(
        False, title="Losing messages", description="Whether messages were lost within the last 5 s."
    )
    last_error: Annotated[str, LongText(1024), Role.ERROR] = Field(
        "", title="Last error", description="Why it ended, or what is wrong while it runs."
    )
    config: Annotated[str, LongText(65536), Level.EXPERT, Role.CONFIGURATION] = Field(
        "", title="Configuration", description="The whole configuration as JSON."
    )
    process_id: Annotated[int, Field(ge=0, le=2**31 - 1), Level.EXPERT] = Field(
        0, title="Process", description="Process id of the instance."
    )
    cpu: Annotated[Rate, Unit("%"), Level.EXPERT] = Field(
        0.0, title="Processor", description="Use of one processor core."
    )
    memory: Annotated[Rate, Unit("MiB"), Level.EXPERT] = Field(
        0.0, title="Memory", description="Memory that no other process shares."
    )


class StreamStatus(Status):
    """What it receives and sends; counters are since its start."""

    address: str = Field("", title="Address", description="Address of the stream that it sends.")
    curve_key: Annotated[str, Level.EXPERT] = Field(
        "", title="CURVE key", description="Name of the key that encrypts the stream; empty: not encrypted."
    )
    clients: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        0, title="Clients", description="Clients that are connected to the stream."
    )
    denied: Annotated[Total, Level.EXPERT] = Field(
        0,
        title="Clients refused",
        description="Times that somebody without a key, or a wrong one, was refused.",
    )
    received: Annotated[Total, Unit("messages")] = Field(
        0, title="Received", description="Messages received, or images made."
    )
    receive_rate: Annotated[Rate, Unit("Hz")] = Field(
        0.0, title="Rate received", description="Messages received a second."
    )
    throughput: Annotated[Rate, Unit("MB/s")] = Field(
        0.0, title="Data rate received", description="Data received a second."
    )
    sent: Annotated[Total, Unit("messages")] = Field(0, title="Sent", description="Messages sent.")
    send_rate: Annotated[Rate, Unit("Hz")] = Field(
        0.0, title="Rate sent", description="Messages sent a second."
    )
    lost: Annotated[Total, Unit("messages"), Loss()] = Field(
        0, title="Lost", description="Messages that did not arrive, could not be processed, or found no room."
    )
    lost_reasons: Annotated[str, LongText(1024), Level.EXPERT] = Field(
        "", title="Lost by reason", description="Number of lost messages for each reason."
    )
    skipped: Annotated[Total, Unit("messages")] = Field(
        0, title="Skipped", description="Messages that the configuration leaves out."
    )
    pulse_id: Annotated[int | None, Field(ge=0, le=COUNT_LIMIT)] = Field(
        None, title="Pulse id", description="Pulse id of the last message sent."
    )
    width: Annotated[Count | None, Unit("pixels")] = Field(
        None, title="Image width", description="Width of the images that are sent."
    )
    height: Annotated[Count | None, Unit("pixels")] = Field(
        None, title="Image height", description="Height of the images that are sent."
    )


class CameraControls(Section):
    """What is done with a camera's images."""

    mirror_x: Switch = Field(False, title="Mirror left-right", description="Flip left and right.")
    mirror_y: Switch = Field(False, title="Mirror up-down", description="Flip up and down.")
    rotate: Number = Field(
        0, ge=-3, le=3, title="Rotation", description="Number of turns by 90 degrees, counter-clockwise."
    )
    binning_x: Annotated[Number, Unit("pixels")] = Field(
        1, ge=1, le=100_000, title="Binning in x", description="Columns that become one."
    )
    binning_y: Annotated[Number, Unit("pixels")] = Field(
        1, ge=1, le=100_000, title="Binning in y", description="Rows that become one."
    )
    binning_mean: Switch = Field(
        False, title="Binning by mean", description="Mean instead of the sum of the pixels."
    )


class PipelineControls(Section):
    """What a pipeline does with images."""

    pause: Switch = Field(False, title="Pause", description="Drop all that is received.")
    image_threshold: Annotated[float, Access.ALWAYS, Unit("counts")] = Field(
        0.0, ge=0, le=1e9, title="Threshold", description="Pixels below it become 0; 0: none."
    )
    image_background_enable: Switch = Field(
        False, title="Subtract background", description="Subtract the collected background."
    )
    averaging: Annotated[Number, Unit("images")] = Field(
        0, ge=-100_000, le=100_000, title="Averaging", description="Mean of so many images; 0: none."
    )
    downsampling: Annotated[Number, Unit("messages")] = Field(
        0, ge=0, le=1_000_000, title="Downsampling", description="Messages dropped after each that is taken."
    )
    max_frame_rate: Annotated[float, Access.ALWAYS, Unit("Hz")] = Field(
        0.0, ge=0, le=100_000, title="Maximum rate", description="What comes sooner is dropped; 0: nothing."
    )


class BeamStatus(Status):
    """The beam in the newest image, at most ten times a second; lengths in the unit of the axes."""

    x_center: float | None = Field(None, title="Centre in x", description="Centre of the Gaussian in x.")
    x_width: float | None = Field(
        None, title="Width in x", description="Standard deviation of the Gaussian in x."
    )
    y_center: float | None = Field(None, title="Centre in y", description="Centre of the Gaussian in y.")
    y_width: float | None = Field(
        None, title="Width in y", description="Standard deviation of the Gaussian in y."
    )
    x_center_of_mass: float | None = Field(
        None, title="Centre of mass in x", description="Mean place in x, weighted by the profile."
    )
    y_center_of_mass: float | None = Field(
        None, title="Centre of mass in y", description="Mean place in y, weighted by the profile."
    )
    x_fwhm: float | None = Field(
        None, title="FWHM in x", description="Full width of the profile at half its maximum, in x."
    )
    y_fwhm: float | None = Field(
        None, title="FWHM in y", description="Full width of the profile at half its maximum, in y."
    )
    intensity: Annotated[float | None, Unit("counts")] = Field(
        None, title="Intensity", description="Sum of all pixels."
    )
    maximum: Annotated[float | None, Unit("counts")] = Field(
        None, title="Maximum", description="Value of the brightest pixel."
    )
    quality: Annotated[float | None, Field(ge=0, le=1), Alarm(warning_low=0.5, alarm_low=0.1)] = Field(
        None,
        title="Quality of the fit",
        description="Share of the profile's variance that the Gaussian explains, the worse of x and y.",
    )


COMMANDS = (
    CommandDeclaration("start", "Start", "Start it; complete once it runs.", waits=True),
    CommandDeclaration("stop", "Stop", "Stop it; complete once it has ended.", waits=True),
    CommandDeclaration(
        "configure",
        "Change configuration",
        "Change keys of the configuration of the running instance, at once.",
        Argument(Kind.TEXT, "JSON with the keys to change.", optional=False),
    ),
)

_ENGINE = GroupDeclaration(Group.ENGINE, "engine", None, (InstanceStatus,), COMMANDS)
_STREAM = GroupDeclaration(STREAM, "stream", None, (StreamStatus,))

CAMERA_GROUPS = (_ENGINE, _STREAM, GroupDeclaration(CAMERA, "camera", CameraControls))
PIPELINE_GROUPS = (
    _ENGINE,
    _STREAM,
    GroupDeclaration(PIPELINE, "pipeline", PipelineControls),
    GroupDeclaration(BEAM, "beam", None, (BeamStatus,)),
)
"""The groups of a camera's catalogue and of a pipeline's."""


def controls(model: type[Section], configuration: Mapping[str, Any]) -> dict[str, Any]:
    """What a configuration says about the settings that are shown; their defaults where it says nothing."""
    fields = model.model_fields
    return {
        name: field.default if configuration.get(name) is None else configuration[name]
        for name, field in fields.items()
    }
