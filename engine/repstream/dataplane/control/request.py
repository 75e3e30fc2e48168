"""What the service asks of its data plane."""

from __future__ import annotations

from typing import Literal

import msgspec

from repstream.files.checksum import Checksum
from repstream.files.fence import Start
from repstream.files.plan import Axis
from repstream.parameters.file_names import PartNames


class Close(msgspec.Struct, frozen=True, tag="close"):
    """Stop receiving, drain what was received, close everything; then `Closed`.

    Acquisitions end as interrupted. Streams that nobody empties are given `patience` seconds, a file
    whose disk does not answer `disk_patience` (0: any time it takes).
    """

    request: int
    patience: float
    disk_patience: float = 0.0


class Update(msgspec.Struct, frozen=True, tag="update"):
    """Take the parameters that may change while running from a new configuration."""

    request: int
    configuration: str


class AcquisitionPlan(msgspec.Struct, frozen=True):
    """One acquisition as the service has checked it; the folder of `path` exists.

    `attributes` go into the file as they are; `num_images` 0 goes on until stopped;
    `shared_step`: the distance of the ids of its images where other receivers write others of them, else 0:
    `Settle` says where it begins, `End` when it is complete; the rest as in `WriterConfig`. `start`: that of
    the data plane, where they are counted.
    """

    acquisition_id: str
    run_id: str
    path: str
    detector_name: str
    num_images: int
    compression: str
    overwrite: bool
    user_id: int
    attributes: dict[str, str | int | float]
    user_metadata: str = ""
    checksum: Checksum = "none"
    placement: Literal["arrival", "by_id"] = "arrival"
    sync_interval: float = 0.0
    images_per_file: int = 0
    number_of_parts: int = 1
    part_names: PartNames = "repstream"
    in_parts: bool = False
    part_services: str = ""
    metadata_service: bool = False
    block_size: int = 0
    first_image_timeout: float = 0.0
    idle_timeout: float = 0.0
    max_duration: float = 0.0
    follow_series: bool = False
    threshold: str = ""
    axis: Axis = "image_id"
    experiment: dict[str, str | int | float] = {}
    header_columns: tuple[tuple[str, str], ...] = ()
    start: Start | None = None
    keep_empty_file: bool = True
    shared_step: int = 0

    @property
    def reads_rings(self) -> bool:
        """Whether the processes that write take images out of a ring by themselves."""
        return self.in_parts and self.compression == "none" and self.checksum == "none"


class Arm(msgspec.Struct, frozen=True, tag="arm"):
    """Make the file of an acquisition; an `AcquisitionNotice` says when it waits.

    The gate stays shut where `frames` is None; otherwise it opens at once, as `OpenGate` says.
    """

    request: int
    slot: int
    plan: AcquisitionPlan
    frames: int | None = None


class Lane(msgspec.Struct, frozen=True):
    """A receiver from its start to its end: its number, and which of its streams are merged."""

    number: int
    streams: tuple[str, ...]


class Turn(msgspec.Struct, frozen=True):
    """Which of so many receivers this is (from 0), where each gets every message and takes some by the id."""

    number: int
    receivers: int


class Merge(msgspec.Struct, frozen=True):
    """How a stream is merged: the lanes that there are at the start, and the limits of what waits.

    A frame waits for `patience` seconds at most for those with lower ids; `most` frames do, or
    `most_memory` (MiB).
    """

    lanes: tuple[int, ...]
    patience: float
    most: int
    most_memory: int


class Open(msgspec.Struct, frozen=True, tag="open"):
    """Bind every enabled output, connect the input, and begin to repeat.

    `configuration` is a `Configuration` as JSON, with a slot for every stream and writer. `arms`:
    acquisitions that go on already, whose writers are armed before a frame is received. If anything cannot
    be had the answer says so and nothing stays open. `lane`: where others receive, too, and streams of
    all are merged. `merge`: this one merges a stream, and its input is where the lanes end. `turn`: where
    the input publishes, and others receive the same.
    """

    request: int
    configuration: str
    arms: tuple[Arm, ...] = ()
    lane: Lane | None = None
    merge: Merge | None = None
    turn: Turn | None = None


class OpenGate(msgspec.Struct, frozen=True, tag="gate"):
    """Let frames through to the file: `frames` of them, or (0) until num_images.

    The gate is open when this is answered; frames wait in the queue while the file is not there yet.
    """

    request: int
    slot: int
    frames: int


class Settle(msgspec.Struct, frozen=True, tag="settle"):
    """A shared acquisition has the images from this id on; those that wait are written or left out."""

    request: int
    slot: int
    acquisition_id: str
    first_id: int


class ShutGate(msgspec.Struct, frozen=True, tag="shut"):
    """Let no more frames through to the file, which stays open; a `GateNotice` says so if it was open."""

    request: int
    slot: int


class End(msgspec.Struct, frozen=True, tag="end"):
    """End an acquisition: what waits is written, or (`discard`) thrown away and counted.

    Without its id it is the newest one of the writer. `complete`: it has, with the other receivers, all
    images that were asked for.
    """

    request: int
    slot: int
    discard: bool
    acquisition_id: str = ""
    complete: bool = False


class Flush(msgspec.Struct, frozen=True, tag="flush"):
    """Put what a writer has written so far on the disk."""

    request: int
    slot: int


class Adopt(msgspec.Struct, frozen=True, tag="adopt"):
    """Go on for the service that asks, where the one before has died; `Adopted` follows the answer.

    `start`: which one it takes the data plane for. `configuration`: what the service has, as in `Open`.
    """

    request: int
    start: Start
    configuration: str


class Bye(msgspec.Struct, frozen=True, tag="bye"):
    """The service ends on purpose: drain and close everything, then end the process."""

    request: int


Request = Open | Close | Update | Arm | OpenGate | Settle | ShutGate | End | Flush | Adopt | Bye
