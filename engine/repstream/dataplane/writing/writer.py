"""A writer: an output whose frames go to files, one an acquisition."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from repstream import states
from repstream.accounting import InputLedger, OutputLedger
from repstream.dataplane.control import (
    AcquisitionNotice,
    AcquisitionPlan,
    FirstNotice,
    GateNotice,
    WriterReport,
)
from repstream.dataplane.writing.acquisition import COMPLETED, INTERRUPTED, Acquisition
from repstream.dataplane.writing.call_times import CallTimes
from repstream.dataplane.writing.fit import Fit
from repstream.dataplane.writing.following import Following
from repstream.dataplane.writing.gate import Gate
from repstream.dataplane.writing.numbering import Numbering
from repstream.dataplane.writing.selection import Selection
from repstream.dataplane.writing.shared_numbering import SharedNumbering
from repstream.dataplane.writing.writer_queue import queue_for
from repstream.files.chunk_index import CAPACITY
from repstream.messages.frame import Frame
from repstream.messages.series import SeriesEnd, SeriesStart
from repstream.parameters.source import SourceConfig
from repstream.parameters.writer import WriterConfig
from repstream.states import OVER, AcquisitionResult, AcquisitionState

log = logging.getLogger(__name__)

PLANNED_LOSSES = frozenset({"abort"})

Tell = Callable[[AcquisitionNotice | GateNotice | FirstNotice], None]


class WriterOutput:
    """One writer from open to close: its acquisitions, and the `Selection` that feeds the newest of them.

    Used from the loop's thread; `poll` is due after each `wake`, which comes from others.
    `tell` takes the notices. The acquisition before the newest may still be
    flushed behind it, in memory of its own (`buffer_memory` once more), but no third one begins
    then. After an acquisition its ledger stays, and counts what comes then as skipped ("idle"),
    until the next one begins another. Frames that are kept to begin a file stay kept until they are
    older than that, and move on to the ledger of the next acquisition.
    """

    def __init__(
        self,
        *,
        slot: int,
        name: str,
        config: WriterConfig,
        source: SourceConfig,
        received: InputLedger,
        tell: Tell,
        wake: Callable[[], None],
    ) -> None:
        self.slot = slot
        self.name = name
        self._config = config
        self._source = source
        self._received = received
        self._tell = tell
        self._wake = wake
        self._lock = threading.Lock()
        self._selection = Selection(
            config, self._lock, on_trigger=self._on_trigger, on_full=self._on_full, on_first=self._on_first
        )
        self._following = Following()
        self._calls = CallTimes()
        self._may_follow = False
        self._newest: Acquisition | None = None
        self._current: Acquisition | None = None  # the newest, until its file is closed
        self._behind: Acquisition | None = None  # the one before, until its file is closed
        self._earlier_losses = 0
        self._before: int | None = None  # the last id before the gate was opened

    @property
    def busy(self) -> bool:
        """Whether an acquisition is under way."""
        return self._current is not None or self._behind is not None

    @property
    def blocking(self) -> bool:
        """Whether a frame waits for room in a queue, or a series for its file: no more may be received."""
        if self._selection.is_blocked or self._following.pending is not None:
            return True
        return self._behind is not None and self._behind.blocking

    @property
    def losses(self) -> int:
        """Frames lost here unplanned, in all acquisitions."""
        with self._lock:
            behind = 0 if self._behind is None else _unplanned(self._behind.ledger)
            return self._earlier_losses + behind + _unplanned(self._selection.ledger)

    def admit(self, frames: Sequence[Frame], now: float) -> bool:
        """Take, skip, drop or keep frames that came one soon after the other, up to `now` (monotonic).

        Whether the writer is `blocking`. None is lost then: those behind one that is held are held, too.
        """
        self._selection.admit(frames, now)
        return self.blocking

    def begin_series(self, start: SeriesStart, now: float) -> bool:
        """Let a series into the file of an acquisition that follows them; whether it has to wait.

        What its start says goes into any file that begins with one of its frames. `now` is a
        monotonic time in seconds.
        """
        following = self._following
        if following.enabled and following.is_over:
            self._complete()
        elif following.enabled and following.current is not None:
            message = (
                f"Interrupted: series {start.series} began before series {following.current.series} ended."
            )
            self._end(self._current, AcquisitionResult.INTERRUPTED, message)
        self._selection.begin_series(start)
        if not following.enabled:
            return False
        following.begin(start, now)
        self._open_to_series()
        return self.blocking

    def end_series(self, end: SeriesEnd, now: float) -> None:
        """Complete the acquisition of a series, at once or when its images that are under way have come."""
        self._selection.end_series()
        if self._following.end(end.series, now) and self._selection.is_whole:
            self._complete()

    def arm(self, plan: AcquisitionPlan) -> str:
        """Begin an acquisition; the reason if that is impossible. `WAITING_IMAGES` or `FAILED` follows."""
        current = self._current
        if current is not None and not states.is_flushing(current.state):
            return f"acquisition {current.id} is under way"
        if self._behind is not None:
            return f"acquisition {self._behind.id} is still being written"
        try:
            queue = queue_for(self._config)
        except OSError as error:
            why = error.strerror or error
            return f"frames cannot be spilled to {self._config.spill_folder}: {why}; set another spill_folder"
        if current is None:
            self._earlier_losses += _unplanned(self._selection.ledger)
        acquisition = Acquisition(
            plan,
            numbering=_numbering(plan, self._source.id_step),
            queue=queue,
            lock=self._lock,
            malformed=self._malformed,
            on_state=self._on_state,
            wake=self._wake,
            calls=self._calls,
        )
        gate = Gate(min(plan.num_images or CAPACITY, CAPACITY))
        self._selection.begin(acquisition, gate, Fit(self._source, plan.compression != "none"))
        self._behind, self._current, self._newest = current, acquisition, acquisition
        self._following.arm(plan.follow_series)
        self._may_follow = plan.follow_series
        return ""

    def open_gate(self, frames: int) -> str:
        """Let `frames` frames through, or (0) all of the acquisition; the reason if that is impossible.

        An acquisition that follows series waits for one, and takes `frames` of it.
        """
        current = self._current
        if current is None:
            return "no acquisition is armed"
        if self._following.enabled and not current.ending:
            self._following.frames = frames
            return ""
        if current.ending:
            return f"acquisition {current.id} is ending"
        if self._selection.is_open:
            return f"the gate of acquisition {current.id} is open already"
        # Frames wait in the queue while the file is not there yet: what comes after the answer is taken.
        self._before = self._received.last_frame_id
        self._selection.open(frames)
        return ""

    def settle(self, acquisition_id: str, first_id: int) -> str:
        """Take the images of a shared acquisition from this id on."""
        current = self._current
        if current is not None and current.id == acquisition_id and not current.ending:
            self._selection.settle(first_id)
        return ""

    def shut_gate(self) -> str:
        """Let no more frames through, with the file open; nothing where the gate is shut."""
        current = self._current
        if current is None or current.ending or not self._selection.is_open:
            return ""
        self._selection.shut()
        if not current.ending:  # frames that had waited for their places may have been its last
            self._tell_shut(current)
        return ""

    def end(self, discard: bool, acquisition_id: str = "", complete: bool = False) -> str:
        """End an acquisition, if it is under way: write what waits, or throw it away.

        Without an id it is the newest one; with that of another, series go on being followed. `complete`:
        nothing of it is missing.
        """
        chosen = self._current
        if acquisition_id and self._behind is not None and self._behind.id == acquisition_id:
            chosen = self._behind
        else:
            self._following.stop()
        if chosen is None or (acquisition_id and chosen.id != acquisition_id):
            return ""
        if discard:
            if chosen is self._current:
                self._selection.shut(discard=True)
            chosen.abort()
        elif complete:
            self._end(chosen, AcquisitionResult.COMPLETED, COMPLETED)
        else:
            self._end(chosen, AcquisitionResult.INTERRUPTED, INTERRUPTED)
        return ""

    def give_up(self, now: float, patience: float) -> None:
        """Fail what waits for a disk that has not answered for `patience` seconds; `now` is monotonic."""
        for acquisition in self._under_way():
            acquisition.give_up(now, patience)

    def flush(self) -> str:
        """Have what was written put on the disk."""
        for acquisition in self._under_way():
            acquisition.sync()
        return ""

    def update(self, config: WriterConfig) -> None:
        """Take the parameters that may change while running."""
        self._selection.update(config)
        self._config = config

    def release(self) -> None:
        """Let go of every frame that is kept for the next file."""
        self._selection.release()

    def poll(self) -> None:
        """Follow what the threads of the files did."""
        for acquisition in self._under_way():
            closed = acquisition.look()
            if acquisition is self._current:
                self._open_to_series()
                self._selection.feed()
            if closed:
                self._close(acquisition)

    def watch(self, now: float, held: bool) -> None:
        """Let go of what was kept too long, end the acquisition where a time limit says so.

        `now` is a monotonic time; `held`: an output holds up the input.
        """
        selection, current = self._selection, self._current
        selection.watch(now)
        if self._following.gives_up(now, busy=self.busy):
            log.warning("writer %s: no acquisition was begun for a series; it is not followed", self.name)
        if self._following.is_over and (selection.is_whole or self._following.has_waited(now)):
            self._complete()
        if current is not None and (over := current.over(now, is_open=selection.is_open, held=held)):
            self._end(current, AcquisitionResult.INTERRUPTED, f"Interrupted: {over}.")

    def report(self) -> WriterReport:
        """The newest acquisition now, or what there is before the first."""
        if self._newest is not None:
            return self._report_of(self._newest)
        with self._lock:
            ledger = self._selection.ledger.snapshot()
        return WriterReport(
            ledger=ledger,
            queue_use=0.0,
            acquisition_id="",
            state=AcquisitionState.NONE,
            gate_open=False,
            missing=0,
            file_size=0,
        )

    def report_behind(self) -> WriterReport | None:
        """The acquisition that is flushed while another one goes on, if there is one."""
        behind = self._behind
        return None if behind is None else behind.report(is_open=False, blocking=behind.blocking)

    def _report_of(self, acquisition: Acquisition) -> WriterReport:
        is_open = acquisition is self._current and self._selection.is_open
        opening = self._selection.opening if acquisition is self._newest else None
        return acquisition.report(is_open=is_open, blocking=self.blocking, opening=opening)

    def _under_way(self) -> list[Acquisition]:
        return [acquisition for acquisition in (self._behind, self._current) if acquisition is not None]

    def _end(self, acquisition: Acquisition | None, result: AcquisitionResult, message: str) -> None:
        """Take no more frames for an acquisition, and have it end."""
        if acquisition is None:
            return
        if acquisition is self._current and not acquisition.ending:
            self._selection.shut()
        acquisition.end(result, message)

    def _complete(self) -> None:
        self._following.complete()
        self._end(self._current, AcquisitionResult.COMPLETED, COMPLETED)

    def _open_to_series(self) -> None:
        """Open the gate to the series that waits, if its file is there."""
        current, following = self._current, self._following
        if following.pending is None or current is None or current.ending:
            return
        if states.has_no_file(current.state):
            return
        following.take()
        self._selection.release()
        self._tell(GateNotice(self.slot, current.id, time.monotonic(), is_open=True))
        self._selection.open(following.frames)

    def _on_trigger(self) -> None:
        current = self._current
        if current is not None and not current.ending:
            self._tell(GateNotice(self.slot, current.id, time.monotonic(), is_open=True))
            self.open_gate(0)

    def _on_first(self, first_id: int) -> None:
        current = self._current
        assert current is not None
        self._tell(FirstNotice(self.slot, current.id, first_id, self._before))

    def _on_full(self, taken: int) -> None:
        """The gate has shut after its frames, which may be all of the acquisition."""
        current = self._current
        assert current is not None
        wanted = current.plan.num_images
        if current.plan.shared_step or taken < min(wanted or CAPACITY, CAPACITY):
            self._tell_shut(current)
        elif 0 < wanted <= CAPACITY:
            self._end(current, AcquisitionResult.COMPLETED, COMPLETED)
        else:
            message = f"Interrupted: a file holds no more than {CAPACITY} images."
            self._end(current, AcquisitionResult.INTERRUPTED, message)

    def _tell_shut(self, current: Acquisition) -> None:
        opening, report = self._selection.opening, self._report_of(current)
        self._tell(GateNotice(self.slot, current.id, time.monotonic(), opening=opening, report=report))

    def _close(self, acquisition: Acquisition) -> None:
        if acquisition is self._behind:
            self._behind = None
            self._earlier_losses += _unplanned(acquisition.ledger)
        else:
            self._selection.finish()
            self._current = None
        acquisition.close()

    def _on_state(self, acquisition: Acquisition) -> None:
        if states.has_failed(acquisition.state) and acquisition is self._newest:
            self._following.stop()
        self._tell(
            AcquisitionNotice(
                slot=self.slot,
                acquisition_id=acquisition.id,
                state=acquisition.state,
                result=acquisition.result,
                message=acquisition.message,
                path=acquisition.plan.path,
                time=time.time(),
                clock=time.monotonic(),
                report=self._report_of(acquisition),
                follow=self._follows(),
            )
        )

    def _follows(self) -> bool:
        """Whether the acquisition of the next series may be asked for now; true once for each."""
        newest = self._newest
        over = newest is not None and newest.state in OVER
        if not (over and self._may_follow and self._following.enabled and self._behind is None):
            return False
        self._may_follow = False
        return True

    def _malformed(self) -> int:
        return sum(self._received.malformed.values())


def _numbering(plan: AcquisitionPlan, step: int) -> Numbering:
    if plan.shared_step:
        return SharedNumbering(plan.shared_step)
    return Numbering(step, by_id=plan.placement == "by_id")


def _unplanned(ledger: OutputLedger) -> int:
    return sum(n for reason, n in ledger.dropped.items() if reason not in PLANNED_LOSSES)
