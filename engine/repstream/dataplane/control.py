"""Messages between the service and its data plane.

The service asks (`Request`), the data plane answers each with one `Answer`, and reports on its own
how it fares (`Notice`). Both ends notice the death of the other by the end of the pipe.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from repstream.accounting import COUNT_LIMIT, IdRun, InputSnapshot, OutputSnapshot
from repstream.files.checksum import Checksum
from repstream.files.fence import Start
from repstream.files.plan import Axis
from repstream.parameters.file_names import PartNames
from repstream.pipe_messages import PipeMessages
from repstream.states import AcquisitionResult, AcquisitionState


class Open(msgspec.Struct, frozen=True, tag="open"):
    """Bind every enabled output, connect the input, and begin to repeat.

    `configuration` is a `Configuration` as JSON, with a slot for every stream and writer. If
    anything cannot be bound the answer says so and nothing stays open.
    """

    request: int
    configuration: str


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


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """Answer to one request; `reason` is empty when it was done."""

    request: int
    reason: str = ""


class ReceiverReport(msgspec.Struct, frozen=True):
    """One of several receivers: its process, 0 while it is not there, and the frames it has received."""

    process_id: int
    frames: int


class SourceReport(msgspec.Struct, frozen=True):
    """The input now. `last_time` is Unix seconds of the last frame, or None before the first.

    `problem`: what is wrong at the other end, empty where nothing is known to be. `runs`: the ids since
    the last report, where other receivers get others. `receivers`: where there are several, each of them.
    `denied`: how often somebody was refused because of the key.
    """

    ledger: InputSnapshot
    connected: bool
    last_time: float | None
    shape: tuple[int, ...] | None
    dtype: str | None
    problem: str = ""
    runs: tuple[IdRun, ...] = ()
    receivers: tuple[ReceiverReport, ...] = ()
    denied: int = 0


class StreamReport(msgspec.Struct, frozen=True):
    """One stream now; `queue_use` in percent of its frames or memory, whichever is more.

    `denied`: how often somebody was refused because of the key.
    """

    ledger: OutputSnapshot
    queue_use: float
    clients: int
    disconnects: int
    blocking: bool
    denied: int = 0


class Opening(msgspec.Struct, frozen=True):
    """What went through a gate since it was opened.

    `number` counts the openings of the acquisition from 1. `images` were taken for the file, from
    `first_id` to `last_id` in the order in which they came. `begin` is the time from which on they came,
    `end` that at which the gate was shut; None while it is open. Times are monotonic seconds.
    """

    number: int
    begin: float
    end: float | None = None
    images: int = 0
    first_id: int | None = None
    last_id: int | None = None


Call = Literal["create", "write", "flush", "close"]
"""What is done with a file: it is made, takes a batch of frames, is put on the disk, is closed."""

CALL_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds up to which calls are counted together; what takes longer is counted behind them."""


class CallReport(msgspec.Struct, frozen=True):
    """Calls of one kind since the writer was opened, in seconds: all together, the last, the longest.

    `counts`: how many took up to each of `CALL_BOUNDS` and more than the one before, then those beyond.
    """

    seconds: float = 0.0
    last: float = 0.0
    longest: float = 0.0
    counts: tuple[int, ...] = (0,) * (len(CALL_BOUNDS) + 1)


class WriterReport(msgspec.Struct, frozen=True):
    """One writer now; the ledger is that of `acquisition_id`, the last one there was.

    `disk_rate`: bytes a second while the disk was writing. `disk_wait`: seconds that the write
    under way has lasted. `opening` is the last one of its gate, None before the first. `runs`: the ids
    that were taken since the last report, where other receivers take others.
    """

    ledger: OutputSnapshot
    queue_use: float
    acquisition_id: str
    state: AcquisitionState
    gate_open: bool
    missing: int
    file_size: int
    blocking: bool = False
    disk_rate: float = 0.0
    disk_wait: float = 0.0
    spilled: int = 0
    opening: Opening | None = None
    calls: dict[Call, CallReport] = msgspec.field(default_factory=dict)
    runs: tuple[IdRun, ...] = ()


class Report(msgspec.Struct, frozen=True, tag="report"):
    """Everything now, ten times a second, by slot; `losses` counts unplanned losses so far.

    `clock`: when, for rates (monotonic seconds). `behind`: acquisitions that are still flushed while the
    writer has begun another one. `last_frames`: where the last frame of a stream is asked for (see
    `dataplane.last_frames`), empty where none is kept.
    """

    clock: float
    source: SourceReport
    streams: dict[int, StreamReport]
    writers: dict[int, WriterReport]
    losses: int
    behind: dict[int, WriterReport] = msgspec.field(default_factory=dict)
    last_frames: str = ""


class AcquisitionNotice(msgspec.Struct, frozen=True, tag="acquisition"):
    """An acquisition has got into another state; `report` is its own, with the final counts at an end.

    In FINISHED and FAILED the file is closed, `result` and `message` say how it ended.
    `path` is the file's full name. `time` is in Unix seconds, `clock` the same in monotonic ones. `follow`:
    the next series of the detector may need an acquisition, which can begin now; the input waits for
    `Arm`, or `End`, then.
    """

    slot: int
    acquisition_id: str
    state: AcquisitionState
    result: AcquisitionResult
    message: str
    path: str
    time: float
    clock: float
    report: WriterReport
    follow: bool = False


class GateNotice(msgspec.Struct, frozen=True, tag="gate_notice"):
    """A gate has moved with the file open: shut after its frames or on request, or opened as configured.

    `report` has the counters at the moment at which it shut, `clock` says when that was (monotonic seconds).
    """

    slot: int
    acquisition_id: str
    clock: float
    is_open: bool = False
    opening: Opening | None = None
    report: WriterReport | None = None


class Told(msgspec.Struct, frozen=True):
    """An acquisition as it was begun (see `Arm`), and each state that was reported of it."""

    plan: AcquisitionPlan
    frames: int | None
    notices: tuple[AcquisitionNotice, ...] = ()


class Adopted(msgspec.Struct, frozen=True, tag="adopted"):
    """What goes on in a data plane that a service has taken up; every other notice comes after it.

    `draining`: it was stopped and is not closed yet. `acquisitions`: by slot, the newest last; `gates`:
    the slots of the writers whose gate is open.
    """

    draining: bool
    acquisitions: dict[int, list[Told]]
    gates: tuple[int, ...]


class FirstNotice(msgspec.Struct, frozen=True, tag="first"):
    """The first image of a shared acquisition came to this receiver, and waits for `Settle`.

    `before`: the last id that came before its gate was opened, None where there was none.
    """

    slot: int
    acquisition_id: str
    first_id: int
    before: int | None


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """Everything is closed after `Close`; the last report, and how many frames found no taker."""

    report: Report
    undelivered: int


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """Nothing is open and the data plane is well; ten times a second, where `Report` says it otherwise."""


class Note(msgspec.Struct, frozen=True, tag="note"):
    """Something for the log: `level` as in `logging`."""

    level: int
    message: str


Notice = Answer | Report | Beat | AcquisitionNotice | GateNotice | FirstNotice | Adopted | Closed | Note

_encoder = msgspec.msgpack.Encoder()


def encode(message: Request | Notice) -> bytes:
    """A message as bytes, whatever numbers and texts are in it.

    A number beyond 64 bits becomes the nearest that they hold, what is no Unicode character a
    question mark: what a detector or a file system sends must not end the data plane.
    """
    try:
        return _encoder.encode(message)
    except (OverflowError, UnicodeEncodeError):
        return _encoder.encode(_bounded(msgspec.to_builtins(message, str_keys=False)))


def _bounded(value: Any) -> Any:
    match value:
        case dict():
            return {_bounded(key): _bounded(item) for key, item in value.items()}
        case list() | tuple():
            return [_bounded(item) for item in value]
        case bool():
            return value
        case int():
            return min(max(value, -(2**63)), COUNT_LIMIT)
        case str():
            return value.encode(errors="replace").decode()
        case _:
            return value


requests: PipeMessages[Request] = PipeMessages(Request, encode=encode)
notices: PipeMessages[Notice] = PipeMessages(Notice, encode=encode)
