"""A writer: an output that selects frames for its files, one an acquisition."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from repstream.accounting import InputLedger, OutputLedger
from repstream.dataplane.control import AcquisitionNotice, AcquisitionPlan, GateNotice, WriterReport
from repstream.dataplane.outputs import deciding, policy_of
from repstream.dataplane.writing.acquisition import COMPLETED, INTERRUPTED, Acquisition
from repstream.dataplane.writing.following import Following
from repstream.dataplane.writing.late_start import KeptFrames, Trigger
from repstream.dataplane.writing.writer_queue import keeping, queue_for
from repstream.messages.frame import Frame
from repstream.messages.series import SeriesEnd, SeriesStart
from repstream.parameters.source import SourceConfig
from repstream.parameters.writer import WriterConfig
from repstream.states import OVER, AcquisitionResult, AcquisitionState

log = logging.getLogger(__name__)

PLANNED_LOSSES = frozenset({"abort"})

Tell = Callable[[AcquisitionNotice | GateNotice], None]


class WriterOutput:
    """One writer from open to close: which frames go to which of its acquisitions.

    Used from the loop's thread; `poll` is due after each `wake`, which comes from others.
    `tell` takes the notices. The newest acquisition gets the frames. The one before may still be
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
        self.ledger = OutputLedger()
        self._config = config
        self._source = source
        self._received = received
        self._tell = tell
        self._wake = wake
        self._lock = threading.Lock()
        self._decide = deciding(config)
        self._kept = KeptFrames.of(config)
        self._trigger = Trigger()
        self._following = Following()
        self._may_follow = False
        self._told: SeriesStart | None = None
        self._newest: Acquisition | None = None
        self._current: Acquisition | None = None  # the newest, until its file is closed
        self._behind: Acquisition | None = None  # the one before, until its file is closed
        self._earlier_losses = 0

    @property
    def busy(self) -> bool:
        """Whether an acquisition is under way."""
        return self._current is not None or self._behind is not None

    @property
    def blocking(self) -> bool:
        """Whether a frame waits for room in a queue, or a series for its file: no more may be received."""
        if self._following.pending is not None:
            return True
        if self._behind is not None and self._behind.blocking:
            return True
        current = self._current
        return current is not None and (current.blocking or (current.gate.is_open and len(self._kept) > 0))

    @property
    def losses(self) -> int:
        """Frames lost here unplanned, in all acquisitions."""
        with self._lock:
            behind = 0 if self._behind is None else _unplanned(self._behind.ledger)
            return self._earlier_losses + behind + _unplanned(self.ledger)

    def offer(self, frame: Frame, now: float) -> bool:
        """Take, skip or drop one frame; whether it is held for want of room (`blocking`).

        `now` is a monotonic time in seconds.
        """
        current = self._current
        if current is not None and self._trigger.fires(frame) and not current.cannot_open:
            self._tell(GateNotice(self.slot, current.id, time.time(), is_open=True))
            self.open_gate(0)
        if current is None or not current.gate.is_open:
            self._set_aside(frame, now)
        elif len(self._kept):
            # What was kept has not found room yet, and goes first.
            self._keep(frame, now)
        else:
            self._pass(frame, now, current)
            return current.blocking
        return self.blocking

    def offer_burst(self, frames: Sequence[Frame], now: float) -> bool:
        """Offer frames that came one soon after the other, up to `now` (monotonic); as `offer`.

        None is lost where one is held: those behind it are held too.
        """
        current = self._current
        if current is not None and self._takes_all and current.take_run(frames):
            return current.blocking
        for frame in frames:
            self.offer(frame, now)
        return self.blocking

    def begin_series(self, start: SeriesStart, now: float) -> bool:
        """Let a series into the file of an acquisition that follows them; whether it has to wait.

        What its start tells goes into whatever file begins with one of its frames. `now` is a
        monotonic time in seconds.
        """
        self._told = start
        following, current = self._following, self._current
        if not following.enabled:
            return False
        if following.current is not None and current is not None:
            message = (
                f"Interrupted: series {start.series} began before series {following.current.series} ended."
            )
            current.end(AcquisitionResult.INTERRUPTED, message)
        following.begin(start, now)
        self._open_to_series()
        return self.blocking

    def end_series(self, end: SeriesEnd) -> None:
        """Complete the acquisition of a series."""
        self._told = None
        if self._following.ends(end.series) and self._current is not None:
            self._current.end(AcquisitionResult.COMPLETED, COMPLETED)

    def arm(self, plan: AcquisitionPlan) -> str:
        """Begin an acquisition; the reason if that is impossible. `WAITING_IMAGES` or `FAILED` follows."""
        current = self._current
        if current is not None and current.state is not AcquisitionState.FLUSHING_IMAGES:
            return f"acquisition {current.id} is under way"
        if self._behind is not None:
            return f"acquisition {self._behind.id} is still being written"
        try:
            queue = queue_for(self._config)
        except OSError as error:
            return f"frames cannot be spilled to {self._config.spill_folder}: {error.strerror or error}"
        if current is None:
            self._earlier_losses += _unplanned(self.ledger)
        acquisition = Acquisition(
            plan,
            source=self._source,
            queue=queue,
            lock=self._lock,
            malformed=self._malformed,
            on_state=self._on_state,
            on_shut=self._on_shut,
            wake=self._wake,
        )
        with self._lock:
            for _ in range(len(self._kept)):
                self.ledger.book_offered_again()
                acquisition.ledger.book_kept()
        self.ledger = acquisition.ledger
        self._behind, self._current, self._newest = current, acquisition, acquisition
        self._trigger = Trigger(self._config.trigger_attribute)
        self._following.arm(plan.follow_series)
        self._may_follow = plan.follow_series
        self._decide = deciding(self._config)
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
        if reason := current.cannot_open:
            return reason
        # Frames wait in the queue while the file is not there yet: what comes after the answer is taken.
        self._open(current, frames)
        return ""

    def end(self, discard: bool, acquisition_id: str = "") -> str:
        """End an acquisition, if it is under way: write what waits, or throw it away.

        Without an id it is the newest one; with that of another, series go on being followed.
        """
        chosen = self._current
        if acquisition_id and self._behind is not None and self._behind.id == acquisition_id:
            chosen = self._behind
        else:
            self._following.stop()
        if chosen is None or (acquisition_id and chosen.id != acquisition_id):
            return ""
        if discard:
            chosen.abort()
        else:
            chosen.end(AcquisitionResult.INTERRUPTED, INTERRUPTED)
        return ""

    def give_up(self, now: float, patience: float) -> None:
        """Fail what waits for a disk that has not answered for so many seconds; `now` is monotonic."""
        for acquisition in self._under_way():
            acquisition.give_up(now, patience)

    def flush(self) -> str:
        """Have what was written put on the disk."""
        for acquisition in self._under_way():
            acquisition.sync()
        return ""

    def update(self, config: WriterConfig) -> None:
        """Take the parameters that may change while running; a policy that stays keeps its memory."""
        if policy_of(config) != policy_of(self._config):
            self._decide = deciding(config)
        if keeping(config) != keeping(self._config):
            self.release()
            self._kept = KeptFrames.of(config)
        self._config = config

    def release(self) -> None:
        """Let go of every kept frame."""
        count = len(self._kept)
        for _ in range(count):
            self._kept.pop()
        self._let_go(count)

    def poll(self) -> None:
        """Follow what the threads of the files did."""
        for acquisition in self._under_way():
            closed = acquisition.look()
            if acquisition is self._current:
                self._open_to_series()
                self._feed()
            if closed:
                self._close(acquisition)

    def watch(self, now: float, held: bool) -> None:
        """Let go of what was kept too long, end the acquisition where a time limit says so.

        `now` is a monotonic time; `held`: an output holds up the input.
        """
        current = self._current
        if current is None or not current.gate.is_open:
            self._let_go(self._kept.expire(now))
        if self._following.gives_up(now, busy=self.busy):
            log.warning("writer %s: no acquisition was begun for a series; it is not followed", self.name)
        if current is not None:
            current.watch(now, held)

    def report(self) -> WriterReport:
        """The newest acquisition now, or what there is before the first."""
        if self._newest is not None:
            return self._newest.report(self.blocking)
        with self._lock:
            ledger = self.ledger.snapshot()
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
        return None if self._behind is None else self._behind.report(self._behind.blocking)

    @property
    def _takes_all(self) -> bool:
        """Whether there is nothing to decide about a frame but whether it fits."""
        current = self._current
        is_open = current is not None and current.gate.is_open and not len(self._kept)
        return is_open and self._decide is None and not self._trigger.enabled

    def _under_way(self) -> list[Acquisition]:
        return [acquisition for acquisition in (self._behind, self._current) if acquisition is not None]

    def _pass(self, frame: Frame, now: float, current: Acquisition) -> None:
        """Skip, drop or queue a frame that came at `now` and finds the gate open."""
        gate, decide = current.gate, self._decide
        if gate.is_duplicate(frame.frame_id):
            self._skip("duplicate")
        elif decide is not None and not decide(frame.frame_id, now):
            self._skip("policy")
        elif reason := gate.unfit(frame):
            with self._lock:
                self.ledger.book_dropped(reason)
        else:
            current.take(frame, self._told)

    def _open(self, current: Acquisition, frames: int) -> None:
        self._let_go(self._kept.expire(time.monotonic()))
        current.open(frames)
        self._feed()

    def _open_to_series(self) -> None:
        """Open the gate to the series that waits, if its file is there."""
        current, following = self._current, self._following
        if following.pending is None or current is None or current.ending:
            return
        if current.state is AcquisitionState.NONE:
            return
        following.take()
        self.release()
        self._tell(GateNotice(self.slot, current.id, time.time(), is_open=True))
        self._open(current, following.frames)

    def _feed(self) -> None:
        """Pass what was kept through the open gate, as far as there is room."""
        current = self._current
        while current is not None and len(self._kept) and current.gate.is_open and not current.blocking:
            frame, came = self._kept.pop()
            with self._lock:
                self.ledger.book_offered_again()
            self._pass(frame, came, current)

    def _set_aside(self, frame: Frame, now: float) -> None:
        """Keep a frame that finds the gate shut, or leave it out."""
        if self._kept.enabled:
            self._keep(frame, now)
            self._let_go(self._kept.expire(now))
        else:
            self._skip(self._shut_reason)

    def _keep(self, frame: Frame, now: float) -> None:
        with self._lock:
            self.ledger.book_kept()
        self._kept.put(frame, now)

    def _let_go(self, frames: int) -> None:
        reason = self._shut_reason
        with self._lock:
            for _ in range(frames):
                self.ledger.book_released(reason)

    @property
    def _shut_reason(self) -> str:
        return "idle" if self._current is None else "gate"

    def _close(self, acquisition: Acquisition) -> None:
        if acquisition is self._behind:
            self._behind = None
            self._earlier_losses += _unplanned(acquisition.ledger)
        else:
            self._current = None
        acquisition.close()

    def _on_state(self, acquisition: Acquisition) -> None:
        if acquisition.state is AcquisitionState.FAILED and acquisition is self._newest:
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
                report=acquisition.report(self.blocking),
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

    def _on_shut(self, acquisition: Acquisition) -> None:
        self._tell(GateNotice(self.slot, acquisition.id, time.time()))

    def _skip(self, reason: str) -> None:
        with self._lock:
            self.ledger.book_skipped(reason)

    def _malformed(self) -> int:
        return sum(self._received.malformed.values())


def _unplanned(ledger: OutputLedger) -> int:
    return sum(n for reason, n in ledger.dropped.items() if reason not in PLANNED_LOSSES)
