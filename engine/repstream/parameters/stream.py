"""Parameters of an output: which frames it gets, and what happens when its consumer is slow."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from repstream.parameters.facts import Access, Section, Unit
from repstream.policies.decimation import Decimation
from repstream.policies.slow_consumer import SlowRule


class OutputConfig(Section):
    """What a stream and a writer have in common: a decimation policy and a bounded queue."""

    enable: Annotated[bool, Access.WHILE_IDLE] = Field(True, description="Whether this output takes frames.")
    policy: Annotated[Decimation, Access.ALWAYS] = Field(
        Decimation.FORWARD, description="Which frames are sent; each policy has its own parameters."
    )
    every_nth: Annotated[int, Access.ALWAYS, Unit("frames")] = Field(
        1, ge=1, le=1_000_000_000, description="send_every_nth: a frame when its id is a multiple of this."
    )
    every_sec: Annotated[float, Access.ALWAYS, Unit("s")] = Field(
        1.0, ge=0.0, le=86_400.0, description="send_every_sec: least time between two frames sent."
    )
    burst: Annotated[int, Access.ALWAYS, Unit("frames")] = Field(
        1,
        ge=1,
        le=1_000_000_000,
        description="send_every_nth_frame, batch, periodic: frames in a row (Y).",
    )
    frame_block: Annotated[int, Access.ALWAYS, Unit("frames")] = Field(
        15, ge=1, le=1_000_000_000, description="send_every_nth_frame, batch: length of a block (N)."
    )
    stride: Annotated[int, Access.ALWAYS, Unit("frames")] = Field(
        1, ge=1, le=1_000_000_000, description="strides: so many frames are sent, as many left out, in turn."
    )
    burst_rate: Annotated[float, Access.ALWAYS, Unit("Hz")] = Field(
        1.0, ge=0.001, le=100_000.0, description="periodic: bursts a second (F)."
    )
    modulo: Annotated[int, Access.ALWAYS, Unit("frames")] = Field(
        1, ge=1, le=1_000_000_000, description="modulo: one in so many frames received, whatever their ids."
    )
    on_slow: Annotated[SlowRule, Access.WHILE_IDLE] = Field(
        SlowRule.DROP_OLDEST,
        description="When the queue is full: block the source, drop the newest or drop the oldest frame.",
    )
    buffer_size: Annotated[int, Access.WHILE_IDLE, Unit("frames")] = Field(
        5000, ge=1, le=1_000_000, description="Frames that may wait in this output's queue."
    )
    buffer_memory: Annotated[int, Access.WHILE_IDLE, Unit("MiB")] = Field(
        512, ge=1, le=1_000_000, description="Memory that the frames in this output's queue may hold."
    )


class StreamConfig(OutputConfig):
    """A live stream: one ZMQ socket that this engine binds (or connects)."""

    address: Annotated[str, Access.WHILE_IDLE] = Field(
        "tcp://*:9610",
        min_length=7,
        max_length=255,
        pattern=r"^(tcp|ipc)://\S+$",
        description="Address that consumers connect to, such as tcp://*:9610.",
    )
    mode: Annotated[Literal["PUSH", "PUB"], Access.WHILE_IDLE] = Field(
        "PUSH", description="Socket type: PUSH shares frames between its consumers, PUB gives all to each."
    )
    header: Annotated[Literal["unchanged", "std_det_writer"], Access.WHILE_IDLE] = Field(
        "unchanged",
        description="Whether headers go out as received, or rewritten for an external std-det-writer.",
    )
    alarm_on_drop: Annotated[bool, Access.ALWAYS] = Field(
        True, description="Whether a frame dropped here counts as losing; switch it off for previews."
    )
