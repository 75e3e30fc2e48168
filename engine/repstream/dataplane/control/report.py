"""How the input, the outputs and their files fare, as the data plane reports it."""

from __future__ import annotations

from typing import Literal

import msgspec

from repstream.accounting import IdRun, InputSnapshot, OutputSnapshot
from repstream.states import AcquisitionState


class ReceiverReport(msgspec.Struct, frozen=True):
    """One of several receivers: its process, 0 while it is not there, and the frames it has received.

    `is_mute`: it has not answered for a while.
    """

    process_id: int
    frames: int
    is_mute: bool = False


class MergeReport(msgspec.Struct, frozen=True):
    """What a data plane that merges a stream has got: the number of the last message of each lane.

    `held`: messages that wait for those with lower ids.
    """

    reached: dict[int, int]
    held: int


class SourceReport(msgspec.Struct, frozen=True):
    """The input now. `last_time` is Unix seconds of the last frame, or None before the first.

    `problem`: what is wrong at the other end, empty where nothing is known to be. `runs`: the ids since
    the last report, where other receivers get others. `receivers`: where there are several, each of them.
    `denied`: how often somebody was refused because of the key. `merge`: where a stream is merged.
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
    merge: MergeReport | None = None


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
