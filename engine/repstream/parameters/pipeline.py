"""Parameters of a pipeline: what it receives, which messages it takes, and how its results leave.

The keys are those of cam_server's configuration files; those of the image's processing (`image_…`,
binning, rotation, averaging) are declared where images are processed, and kept here as they are.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from repstream.parameters.beam_alarms import AlarmLevels, check_numbers
from repstream.parameters.camera import Packing, ScriptMemory, StreamSettings
from repstream.parameters.curve import KeyName, PeerNames, key_field, peers_field
from repstream.parameters.facts import Unit

PIPELINE_TYPES = ("processing", "store", "stream", "custom", "fanout", "fanin")
"""Values of `pipeline_type`."""


class PipelineSettings(StreamSettings):
    """Configuration of one pipeline."""

    pipeline_type: str = Field("processing", title="Type", description="Kind of pipeline.")
    camera_name: str | None = Field(None, title="Camera", description="Camera whose stream is received.")
    input_stream: str | None = Field(
        None,
        title="Input address",
        description="Address that is received from, instead of a camera.",
    )
    input_pipeline: str | None = Field(
        None, title="Input pipeline", description="Pipeline whose stream is received, instead of a camera's."
    )
    input_mode: Literal["SUB", "PULL"] | None = Field(
        None, title="Input mode", description="Socket of the input; none: PULL for fan-in, else SUB."
    )
    output_stream: str | None = Field(
        None, title="Output address", description="Address that the output connects to, instead of binding."
    )
    output_pipeline: str | None = Field(
        None, title="Output pipeline", description="Pipeline whose input the output connects to."
    )
    function: str | None = Field(
        None, title="Function", description="What computes the channels that are sent."
    )
    function_timeout: Annotated[float, Unit("s")] = Field(
        5.0,
        gt=0,
        le=86_400,
        title="Time of the function",
        description="Time that a call of the function of a script may take; it begins anew after that.",
    )
    function_memory: ScriptMemory = Field(
        2048,
        title="Memory of the function",
        description="Memory that the function of a script may take; it begins anew where it needs more.",
    )
    reload: bool = Field(False, title="Reload", description="Read the script of the function anew.")
    include: list[str] | None = Field(None, title="Channels included", description="Only these are sent.")
    exclude: list[str] | None = Field(None, title="Channels left out", description="These are not sent.")
    mode: Literal["PUB", "PUSH", "FILE"] | None = Field(
        None, title="Output", description="Socket of the output, or FILE; none: PUSH for fan-out and store."
    )
    queue_size: int = Field(
        10, ge=1, le=1_000_000, title="Queue length", description="Messages that wait for a slow client."
    )
    block: bool = Field(
        True, title="Wait for clients", description="A PUSH output waits for its client; else it drops."
    )
    file: str | None = Field(None, title="File", description="File of the mode FILE.")
    layout: Literal["DEFAULT", "FLAT"] = Field("DEFAULT", title="Layout", description="Layout of the file.")
    localtime: bool = Field(True, title="Local time", description="Times in names and file are local ones.")
    change: bool = Field(False, title="Allow changes", description="A new shape begins a new group.")
    read_only: bool = Field(False, title="Read only", description="While it runs nobody changes it.")
    records: int | None = Field(None, ge=0, title="Records", description="Messages after which it ends.")
    pid_range: tuple[int, int] | None = Field(
        None, title="Range of pulse ids", description="First and last pulse id that is taken."
    )
    pause: bool = Field(False, title="Pause", description="Drop all that is received.")
    downsampling: int | None = Field(
        None, ge=0, title="Downsampling", description="Messages dropped after each that is taken."
    )
    modulo: int | None = Field(None, ge=1, title="Modulo", description="Take the n-th messages only (store).")
    max_frame_rate: Annotated[float | None, Unit("Hz")] = Field(
        None, title="Maximum rate", description="Messages that come sooner are dropped."
    )
    camera_timeout: Annotated[float, Unit("s")] = Field(
        10.0,
        title="Camera timeout",
        description="Time without images after which the camera server is asked again; 0 or less: never.",
    )
    stream_timeout: Annotated[float, Unit("s")] = Field(
        10.0,
        title="Stream timeout",
        description="Time without messages after which it connects anew.",
    )
    abort_on_timeout: bool = Field(False, title="End on timeout", description="End when the input is silent.")
    abort_on_error: bool = Field(True, title="End on error", description="End when the function fails.")
    processing_threads: int = Field(
        0, ge=0, le=256, title="Threads", description="Threads that process; 0: the one that receives."
    )
    thread_buffer_size: int = Field(
        20, ge=1, le=100_000, title="Thread buffer", description="Messages that wait for the threads."
    )
    send_buffer_size: int = Field(
        40, ge=1, le=100_000, title="Send buffer", description="Results that wait to be sent in order."
    )
    bsread_address: str | None = Field(
        None,
        title="Second input",
        description="Address of a bsread stream whose channels join the image of the same pulse id.",
    )
    bsread_curve_key: KeyName = key_field("the second input", "CURVE key of the second input")
    bsread_curve_peers: PeerNames = peers_field(
        "the sender of the second input", "CURVE peers of the second input"
    )
    bsread_channels: list[str] | None = Field(
        None,
        title="Channels of the second input",
        description="Only these channels join the image; none: all.",
    )
    bsread_image_buf: int = Field(
        1000,
        ge=1,
        le=100_000,
        title="Images that wait",
        description="Images that wait for the second input's message of their pulse id.",
    )
    bsread_data_buf: int = Field(
        1000,
        ge=1,
        le=100_000,
        title="Messages that wait",
        description="Messages of the second input that wait for the image of their pulse id.",
    )
    enforce_pid: bool = Field(False, title="Rising ids only", description="Drop pulse ids that do not rise.")
    enforce_timestamp: bool = Field(False, title="Rising times only", description="Drop times that fall.")
    create_header: Literal["on_change", "once", "always"] | bool = Field(
        "on_change", title="New headers", description="When the data header is made anew."
    )
    allow_type_changes: bool = Field(
        True, title="Type changes", description="Else a channel whose type changes is sent without a value."
    )
    allow_shape_changes: bool = Field(
        True, title="Shape changes", description="Else a channel whose shape changes is sent without a value."
    )
    data_compression: Packing | bool | None = Field(
        None, title="Compression", description="Compression of the channels; true: bitshuffle_lz4."
    )
    data_header_compression: Packing | bool | None = Field(
        None, title="Header compression", description="Compression of the data header."
    )
    pid_buffer: int | None = Field(
        None,
        ge=1,
        title="Reordering buffer",
        description="Messages that are put in order of pulse ids.",
    )
    alarms: dict[str, AlarmLevels] = Field(
        {},
        title="Alarm levels",
        description="Levels of the beam's numbers that front ends show as warnings and alarms, by name.",
    )

    @field_validator("alarms")
    @classmethod
    def _are_numbers_of_the_beam(cls, alarms: dict[str, AlarmLevels]) -> dict[str, AlarmLevels]:
        check_numbers(alarms)
        return alarms


DEFAULTS: dict[str, Any] = {
    "image_background_enable": False,
    "image_background": None,
    "image_threshold": None,
    "image_region_of_interest": None,
    "image_good_region": None,
    "image_slices": None,
    "pipeline_type": "processing",
}
"""The keys that a configuration of the type "processing" gets where it lacks them."""

GOOD_REGION_DEFAULTS: dict[str, Any] = {"threshold": 0.3, "gfscale": 1.8}
SLICES_DEFAULTS: dict[str, Any] = {"number_of_slices": 1, "scale": 2, "orientation": "vertical"}
