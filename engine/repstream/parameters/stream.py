"""Parameters of an output: which frames it gets, and what happens when its consumer is slow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from repstream.parameters.curve import KeyName, PeerNames, check_address, key_field, peers_field
from repstream.parameters.facts import Access, Level, Role, Section, Unit, address_form
from repstream.parameters.header_columns import parse_channels
from repstream.policies.decimation import Decimation
from repstream.policies.slow_consumer import SlowRule

TRANSPORTS: Mapping[str, str] = {
    **dict.fromkeys(("tcp", "ipc"), "repstream.dataplane.zmq_transport"),
    "ring": "repstream.dataplane.ring_transport",
}
"""The schemes of addresses, and the module that provides the transport for each (`open_transport`)."""


class OutputConfig(Section):
    """What a stream and a writer have in common: a decimation policy and a bounded queue."""

    enable: Annotated[bool, Access.WHILE_IDLE, Role.ENABLED] = Field(
        True, title="Enabled", description="Whether this output takes frames."
    )
    policy: Annotated[Decimation, Access.ALWAYS] = Field(
        Decimation.FORWARD,
        title="Policy",
        description="Rule that selects frames; each policy has its own parameters.",
    )
    every_nth: Annotated[int, Access.ALWAYS, Unit("frames")] = Field(
        1,
        ge=1,
        le=1_000_000_000,
        title="Every nth frame",
        description="send_every_nth: a frame is sent if its id is a multiple of this number.",
    )
    every_nth_offset: Annotated[int, Access.ALWAYS, Unit("frames"), Level.EXPERT] = Field(
        0,
        ge=0,
        le=1_000_000_000,
        title="Offset of every nth frame",
        description="send_every_nth: subtracted from the id first, so that N outputs can share the frames.",
    )
    every_sec: Annotated[float, Access.ALWAYS, Unit("s")] = Field(
        1.0,
        ge=0.0,
        le=86_400.0,
        title="Minimum interval",
        description="send_every_sec: minimum time between two frames sent.",
    )
    burst: Annotated[int, Access.ALWAYS, Unit("frames"), Level.EXPERT] = Field(
        1,
        ge=1,
        le=1_000_000_000,
        title="Burst length",
        description="send_every_nth_frame, batch, periodic: number of consecutive frames sent (Y).",
    )
    frame_block: Annotated[int, Access.ALWAYS, Unit("frames"), Level.EXPERT] = Field(
        15,
        ge=1,
        le=1_000_000_000,
        title="Block length",
        description="send_every_nth_frame, batch: number of frames in a block (N).",
    )
    stride: Annotated[int, Access.ALWAYS, Unit("frames"), Level.EXPERT] = Field(
        1,
        ge=1,
        le=1_000_000_000,
        title="Stride",
        description="strides: this number of frames is sent, then the same number is skipped.",
    )
    burst_rate: Annotated[float, Access.ALWAYS, Unit("Hz"), Level.EXPERT] = Field(
        1.0, ge=0.001, le=100_000.0, title="Burst rate", description="periodic: bursts per second (F)."
    )
    modulo: Annotated[int, Access.ALWAYS, Unit("frames"), Level.EXPERT] = Field(
        1,
        ge=1,
        le=1_000_000_000,
        title="Modulo",
        description="modulo: one frame is sent out of this number received, whatever their ids.",
    )
    on_slow: Annotated[SlowRule, Access.WHILE_IDLE, Level.EXPERT] = Field(
        SlowRule.DROP_OLDEST,
        title="When the queue is full",
        description="With a full queue: block the source, drop the newest frame or drop the oldest frame.",
    )
    buffer_size: Annotated[int, Access.WHILE_IDLE, Unit("frames"), Level.EXPERT] = Field(
        5000,
        ge=1,
        le=1_000_000,
        title="Queue length",
        description="Maximum number of frames in the queue of this output.",
    )
    buffer_memory: Annotated[int, Access.WHILE_IDLE, Unit("MiB"), Level.EXPERT] = Field(
        512,
        ge=1,
        le=1_000_000,
        title="Queue memory",
        description="Maximum memory of the frames in the queue of this output.",
    )


class StreamConfig(OutputConfig):
    """A live stream: one ZMQ socket that this engine binds (or connects)."""

    address: Annotated[str, Access.WHILE_IDLE, address_form(TRANSPORTS)] = Field(
        "tcp://*:9610",
        min_length=7,
        max_length=255,
        pattern=rf"^({'|'.join(TRANSPORTS)})://\S+$",
        title="Address",
        description="Address that consumers connect to, such as tcp://*:9610.",
    )
    mode: Annotated[Literal["PUSH", "PUB"], Access.WHILE_IDLE] = Field(
        "PUSH",
        title="Socket type",
        description="PUSH distributes frames among its consumers, PUB sends every frame to each of them.",
    )
    curve_key: KeyName = key_field("this stream")
    curve_peers: PeerNames = peers_field("consumers that may connect, * for all that know ours")
    header: Annotated[Literal["unchanged", "std_det_writer"], Access.WHILE_IDLE, Level.EXPERT] = Field(
        "unchanged",
        title="Header",
        description="Whether headers are sent as received or rewritten for an external std-det-writer.",
    )
    format: Annotated[Literal["unchanged", "array-1.0", "bsread"], Access.WHILE_IDLE] = Field(
        "unchanged",
        title="Format",
        description="Format of the messages: as received, or every image as array-1.0 or as bsread.",
    )
    channel: Annotated[str, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "image",
        max_length=128,
        title="bsread image channel",
        description="bsread: name of the image's channel; empty takes the name it comes with, else image.",
    )
    compression: Annotated[Literal["none", "lz4", "bitshuffle_lz4"], Access.WHILE_IDLE, Level.EXPERT] = Field(
        "none", title="bsread compression", description="bsread: compression of the image."
    )
    pulse_id: Annotated[str, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "",
        max_length=128,
        title="bsread pulse id",
        description="bsread: attribute that is the pulse id; empty takes the frame id.",
    )
    attribute_channels: Annotated[str, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "*",
        max_length=1023,
        title="bsread channels of attributes",
        description="bsread: attributes sent as channels with their type, such as pos:float64; * for all.",
    )
    ring_slots: Annotated[int, Access.WHILE_IDLE, Unit("images"), Level.EXPERT] = Field(
        1000,
        ge=2,
        le=1_000_000,
        title="Ring buffer slots",
        description="Number of slots of a ring buffer (ring://name) in shared memory.",
    )
    alarm_on_drop: Annotated[bool, Access.ALWAYS, Level.EXPERT] = Field(
        True,
        title="Alarm on dropped frames",
        description="Whether a frame dropped here counts as losing; switch it off for previews.",
    )

    merged: Annotated[bool, Access.WHILE_IDLE, Level.EXPERT] = Field(
        False,
        title="Merge receivers",
        description="With several receivers: one stream, in the order of frame ids, not one for each.",
    )
    merge_time: Annotated[float, Access.WHILE_IDLE, Unit("s"), Level.EXPERT] = Field(
        0.5,
        ge=0.0,
        le=60.0,
        title="Wait for lower ids",
        description="merged: longest time a frame waits for lower ids; a frame that comes later is dropped.",
    )

    @model_validator(mode="after")
    def _can_be_encrypted(self) -> Self:
        check_address(self.address, self.curve_key)
        return self

    @model_validator(mode="after")
    def _format_fits(self) -> Self:
        if self.format == "unchanged":
            return self
        if self.header != "unchanged":
            raise ValueError(
                f"format {self.format} has headers of its own; set header or format to unchanged"
            )
        if self.address.startswith("ring://"):
            raise ValueError(
                f"a ring buffer has a format of its own; set format to unchanged, not {self.format}"
            )
        if self.attribute_channels != "*":
            parse_channels(self.attribute_channels, self.channel)
        return self

    @field_validator("attribute_channels")
    @classmethod
    def _channels_have_types(cls, text: str) -> str:
        if text != "*":
            parse_channels(text)
        return text
