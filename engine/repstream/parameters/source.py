"""Parameters of the input: where frames come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from repstream.parameters.curve import KeyName, PeerNames, check_address, key_field, peers_field
from repstream.parameters.facts import Access, Level, Section, Unit, address_form
from repstream.parameters.pixel_types import PixelType
from repstream.parameters.receivers import MOST_RECEIVERS, parse_addresses, parse_cpus

SOURCES: Mapping[str, str] = {
    **dict.fromkeys(("tcp", "ipc", "inproc"), "repstream.sources.zmq"),
    "ring": "repstream.sources.ring_buffer",
    "pva": "repstream.sources.epics_pva",
    **dict.fromkeys(("ca", "cam"), "repstream.sources.epics_ca"),
}
"""The schemes of addresses, and the module that provides the source for each (`open_source`)."""

ImageType = Literal["any", PixelType]


class SourceConfig(Section):
    """The input of the repeater: where its messages come from, and how they are read."""

    address: Annotated[str, Access.WHILE_IDLE, address_form(SOURCES)] = Field(
        "tcp://127.0.0.1:9609",
        min_length=7,
        max_length=255,
        pattern=rf"^({'|'.join(SOURCES)})://\S+$",
        title="Address",
        description="Address of the detector's stream, such as tcp://host:9990, ring://name or pva://PV.",
    )
    mode: Annotated[Literal["PULL", "SUB"], Access.WHILE_IDLE] = Field(
        "PULL",
        title="Socket type",
        description="PULL for a detector that pushes, SUB for one that publishes.",
    )
    connection: Annotated[Literal["connect", "bind"], Access.WHILE_IDLE, Level.EXPERT] = Field(
        "connect",
        title="Connect or bind",
        description="Whether the input connects to the address or binds it.",
    )
    curve_key: KeyName = key_field("the input")
    curve_peers: PeerNames = peers_field(
        "senders that may connect, * for all; where the input connects, the sender's"
    )
    io_threads: Annotated[int, Access.WHILE_IDLE, Unit("threads"), Level.EXPERT] = Field(
        2, ge=1, le=16, title="ZMQ I/O threads", description="Number of ZMQ I/O threads of the data plane."
    )
    buffer_size: Annotated[int, Access.WHILE_IDLE, Unit("messages"), Level.EXPERT] = Field(
        5000,
        ge=1,
        le=1_000_000,
        title="Buffer length",
        description="Maximum number of messages waiting in the input socket.",
    )
    buffer_memory: Annotated[int, Access.WHILE_IDLE, Unit("MiB"), Level.EXPERT] = Field(
        512,
        ge=1,
        le=1_000_000,
        title="Buffer memory",
        description="Memory for waiting messages; limits buffer_size if the image size is known.",
    )
    ring_slots: Annotated[int, Access.WHILE_IDLE, Unit("images"), Level.EXPERT] = Field(
        1000,
        ge=2,
        le=1_000_000,
        title="Ring buffer slots",
        description="Number of slots of a ring buffer (ring://name); must be that of its producer.",
    )
    image_height: Annotated[int, Access.WHILE_IDLE, Unit("pixels"), Level.EXPERT] = Field(
        0,
        ge=0,
        le=1_000_000,
        title="Image height",
        description="Required height of the images; 0 takes that of the first frame.",
    )
    image_width: Annotated[int, Access.WHILE_IDLE, Unit("pixels"), Level.EXPERT] = Field(
        0,
        ge=0,
        le=1_000_000,
        title="Image width",
        description="Required width of the images; 0 takes that of the first frame.",
    )
    image_type: Annotated[ImageType, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "any",
        title="Pixel type",
        description="Required pixel type of the images; any takes that of the first frame.",
    )
    channel: Annotated[str, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "",
        max_length=255,
        title="bsread image channel",
        description="bsread channel that holds the image; empty selects the only one; several, separated by "
        "commas, are a dataset each in files.",
    )
    threshold: Annotated[str, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "",
        max_length=255,
        title="DECTRIS threshold",
        description="DECTRIS threshold whose images are used; empty selects the only one; several, separated "
        "by commas, or * for all, are a dataset each in files.",
    )
    verify_hash: Annotated[bool, Access.WHILE_IDLE, Level.EXPERT] = Field(
        False,
        title="Verify the sender's hash",
        description="Check the hash that bsread (header) and DECTRIS Stream v1 (image) send; a message that "
        "differs is malformed. Takes the time of an MD5 for each image.",
    )
    repeat_malformed: Annotated[bool, Access.WHILE_IDLE, Level.EXPERT] = Field(
        False,
        title="Repeat malformed messages",
        description="Whether streams forward malformed messages too, whatever their policy.",
    )
    id_step: Annotated[int, Access.WHILE_IDLE, Level.EXPERT] = Field(
        1,
        ge=1,
        le=1_000_000,
        title="Frame id step",
        description="Difference between consecutive frame ids: 10 for 10 Hz pulses at 100 Hz.",
    )
    receivers: Annotated[int, Access.WHILE_IDLE, Unit("processes"), Level.EXPERT] = Field(
        1,
        ge=1,
        le=MOST_RECEIVERS,
        title="Receivers",
        description="Processes that receive the frames, each with streams on the next ports.",
    )
    receiver_addresses: Annotated[str, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "",
        max_length=1023,
        title="Addresses of receivers",
        description="Address for each of several receivers, separated by commas; empty: all use address.",
    )
    receiver_cpus: Annotated[str, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "",
        max_length=255,
        title="Cores of receivers",
        description="Cores on which each receiver runs, such as 2, 4-7 for two receivers; empty: any.",
    )
    receiver_loss: Annotated[Literal["go_on", "fail"], Access.WHILE_IDLE, Level.EXPERT] = Field(
        "go_on",
        title="When a receiver dies",
        description="Whether acquisitions go on with the other receivers, or fail.",
    )

    @field_validator("receiver_addresses")
    @classmethod
    def _addresses_are_addresses(cls, text: str) -> str:
        parse_addresses(text)
        return text

    @field_validator("receiver_cpus")
    @classmethod
    def _cpus_are_numbers(cls, text: str) -> str:
        parse_cpus(text)
        return text

    @model_validator(mode="after")
    def _can_be_encrypted(self) -> Self:
        check_address(self.address, self.curve_key)
        return self
