"""Parameters of a camera: where its images come from, how they are turned, and the stream that they leave by.

The keys are those of cam_server's configuration files, so that a site's files load as they are; keys that
are not declared are kept and heeded by nobody.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from repstream.parameters.curve import KeyName, PeerNames, key_field, peers_field
from repstream.parameters.facts import Section, Unit

CAMERA_SOURCES = (
    "simulation",
    "epics",
    "bsread",
    "area_detector",
    "bschannel",
    "array10",
    "stream",
    "hdf5",
    "script",
)
"""Values of `source_type` that are supported."""

ScriptMemory = Annotated[int, Unit("MiB"), Field(ge=64, le=1_048_576)]
"""What the process of a user's script may take."""

PROTOCOLS = ("tcp",)
"""Values of `protocol`."""

ENCRYPTED_SOURCES = ("bsread", "bschannel", "array10", "stream")
"""Values of `source_type` whose images come over ZMQ, which CURVE encrypts."""

Packing = Literal["none", "lz4", "bitshuffle_lz4"]


class StreamSettings(Section):
    """What every instance has: a stream that it serves, and its end."""

    model_config = ConfigDict(extra="allow")

    no_client_timeout: Annotated[float, Unit("s")] = Field(
        10.0,
        title="Time without clients",
        description="Time without a client after which the instance ends by itself; 0 or less: never.",
    )
    port: int = Field(
        0, ge=0, le=65535, title="Port", description="Port of the stream; 0 takes a free one of the range."
    )
    buffer_size: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        title="Buffer length",
        description="Messages that wait in the instance itself, the oldest makes room; 0 or none: no buffer.",
    )
    curve_key: KeyName = key_field("the streams that it sends")
    curve_peers: PeerNames = peers_field(
        "clients that may connect (* for all that know ours), or of the server"
    )
    input_curve_key: KeyName = key_field("the input", "CURVE key of the input")
    input_curve_peers: PeerNames = peers_field(
        "the sender, or of senders that may connect where the input binds", "CURVE peers of the input"
    )


class Calibration(Section):
    """Which part of the image has which size, in the user's unit."""

    model_config = ConfigDict(extra="allow")

    reference_marker: tuple[float, float, float, float] = Field(
        (0, 0, 100, 100),
        title="Reference marker",
        description="Pixels of the marker's corners: x and y of the upper left, x and y of the lower right.",
    )
    reference_marker_width: float = Field(
        100.0, title="Marker width", description="Width of the marker in the user's unit."
    )
    reference_marker_height: float = Field(
        100.0, title="Marker height", description="Height of the marker in the user's unit."
    )
    angle_horizontal: Annotated[float, Unit("deg")] = Field(
        0.0,
        title="Horizontal angle",
        description="Angle from the camera to the screen's normal, horizontal.",
    )
    angle_vertical: Annotated[float, Unit("deg")] = Field(
        0.0, title="Vertical angle", description="Angle from the camera to the screen's normal, vertical."
    )


class CameraSettings(StreamSettings):
    """Configuration of one camera."""

    source: str = Field(title="Source", description="Where images come from, in the form of the source type.")
    source_type: str = Field("epics", title="Source type", description="Kind of source.")
    mirror_x: bool = Field(False, title="Mirror left-right", description="Flip left and right.")
    mirror_y: bool = Field(False, title="Mirror up-down", description="Flip up and down.")
    rotate: int = Field(0, title="Rotation", description="Number of turns by 90 degrees, counter-clockwise.")
    roi: tuple[int, int, int, int] | None = Field(
        None, title="Region", description="offset_x, size_x, offset_y, size_y after rotation."
    )
    image_background: str | None = Field(
        None, title="Background", description="Id of the background that is subtracted."
    )
    binning_x: int = Field(1, ge=1, le=100_000, title="Binning in x", description="Columns that become one.")
    binning_y: int = Field(1, ge=1, le=100_000, title="Binning in y", description="Rows that become one.")
    binning_mean: bool = Field(
        False, title="Binning by mean", description="Mean instead of the sum of the pixels."
    )
    camera_calibration: Calibration | None = Field(
        None, title="Calibration", description="Size of the pixels; none: axes count pixels."
    )
    queue_size: int = Field(
        100, ge=1, le=1_000_000, title="Queue length", description="Messages that wait for a slow client."
    )
    connections: int = Field(
        1,
        ge=1,
        le=64,
        title="Connections",
        description="TCP connections to a bsread source; with several images are put in order of their ids.",
    )
    buffer_threshold: float = Field(
        0.5,
        ge=0,
        le=1,
        title="Fill of the buffer",
        description="Share of a bsread source's buffer that images fill while they are put in order.",
    )
    protocol: str = Field("tcp", title="Protocol", description="Protocol of the stream.")
    forwarder_port: int = Field(
        0,
        ge=0,
        le=65535,
        title="Forwarder port",
        description="Port of a second output (PUSH), which sends the image alone; 0: there is none.",
    )
    image_compression: Packing | bool | None = Field(
        None, title="Image compression", description="Compression of the image; true: bitshuffle_lz4."
    )
    scalar_compression: Packing | bool | None = Field(
        None, title="Compression of other channels", description="As for the image, of all other channels."
    )
    data_header_compression: Packing | bool | None = Field(
        None, title="Header compression", description="As for the image, of the data header."
    )
    simulate_pulse_id: bool = Field(
        False, title="Simulated pulse ids", description="Number images by time, in units of 10 ms."
    )
    frame_rate: Annotated[float | None, Unit("Hz")] = Field(
        None, gt=0, le=100_000, title="Frame rate", description="Images a second of a source that makes them."
    )
    read_timeout: Annotated[float, Unit("s")] = Field(
        30.0,
        gt=0,
        le=3600,
        title="Time of a script's read",
        description="Time that the class of a script may take for an image; it is made anew after that.",
    )
    class_memory: ScriptMemory = Field(
        2048,
        title="Memory of a script's class",
        description="Memory that the class of a script may take; it is made anew where it needs more.",
    )


def packing(value: Packing | bool | None) -> Packing:
    """What a key for compression asks for."""
    if value is True:
        return "bitshuffle_lz4"
    return value or "none"


DEFAULTS: dict[str, Any] = {
    name: field.default
    for name, field in CameraSettings.model_fields.items()
    if name
    in (
        "source_type",
        "mirror_x",
        "mirror_y",
        "rotate",
        "roi",
        "image_background",
        "binning_x",
        "binning_y",
        "binning_mean",
        "camera_calibration",
    )
}
"""The keys that a configuration gets where it lacks them."""
