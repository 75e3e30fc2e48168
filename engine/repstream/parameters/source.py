"""Parameters of the input: where frames come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from repstream.parameters.facts import Access, Section, Unit
from repstream.parameters.pixel_types import PixelType

ImageType = Literal["any", PixelType]


class SourceConfig(Section):
    """The input of the repeater: one ZMQ socket, and how its messages are read."""

    address: Annotated[str, Access.WHILE_IDLE] = Field(
        "tcp://127.0.0.1:9609",
        min_length=7,
        max_length=255,
        pattern=r"^(tcp|ipc|inproc)://\S+$",
        description="Address of the detector's stream, such as tcp://host:9990.",
    )
    mode: Annotated[Literal["PULL", "SUB"], Access.WHILE_IDLE] = Field(
        "PULL", description="Socket type: PULL for a detector that pushes, SUB for one that publishes."
    )
    connection: Annotated[Literal["connect", "bind"], Access.WHILE_IDLE] = Field(
        "connect", description="Whether the input connects to the address or binds it."
    )
    io_threads: Annotated[int, Access.WHILE_IDLE, Unit("threads")] = Field(
        2, ge=1, le=16, description="ZMQ I/O threads of the data plane."
    )
    buffer_size: Annotated[int, Access.WHILE_IDLE, Unit("messages")] = Field(
        5000, ge=1, le=1_000_000, description="Messages that may wait in the input socket."
    )
    buffer_memory: Annotated[int, Access.WHILE_IDLE, Unit("MiB")] = Field(
        512,
        ge=1,
        le=1_000_000,
        description="Memory for waiting messages; limits buffer_size where the image size is known.",
    )
    image_height: Annotated[int, Access.WHILE_IDLE, Unit("pixels")] = Field(
        0, ge=0, le=1_000_000, description="Height that images must have; 0 learns it from the first frame."
    )
    image_width: Annotated[int, Access.WHILE_IDLE, Unit("pixels")] = Field(
        0, ge=0, le=1_000_000, description="Width that images must have; 0 learns it from the first frame."
    )
    image_type: Annotated[ImageType, Access.WHILE_IDLE] = Field(
        "any", description="Pixel type that images must have; any learns it from the first frame."
    )
    channel: Annotated[str, Access.WHILE_IDLE] = Field(
        "",
        max_length=255,
        description="Channel of a bsread message that holds the image; empty: the only one.",
    )
    threshold: Annotated[str, Access.WHILE_IDLE] = Field(
        "", max_length=255, description="Threshold of DECTRIS images that is taken; empty: the only one."
    )
    id_step: Annotated[int, Access.WHILE_IDLE] = Field(
        1,
        ge=1,
        le=1_000_000,
        description="Difference of two frame ids in a row: 10 for 10 Hz pulses at 100 Hz.",
    )
