"""A writer: an output whose frames go to files, one an acquisition."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from repstream.accounting import InputLedger, OutputLedger
from repstream.dataplane.control import AcquisitionNotice, AcquisitionPlan, GateNotice, WriterReport
from repstream.dataplane.disk_meter import DiskMeter
from repstream.dataplane.file_job import FileJob
from repstream.dataplane.file_results import results_of
from repstream.dataplane.following import Following
from repstream.dataplane.frame_store import Placed
from repstream.dataplane.gate import Gate
from repstream.dataplane.late_start import KeptFrames, Trigger
from repstream.dataplane.outputs import MIB, policy_of, queue_of
from repstream.dataplane.placement import Placement
from repstream.dataplane.spill import SpillFile, SpillingQueue
from repstream.dataplane.time_limits import TimeLimits
from repstream.files.chunk_index import CAPACITY
from repstream.files.plan import Scalar
from repstream.messages.frame import Frame
from repstream.messages.series import SeriesEnd, SeriesStart
from repstream.parameters.source import SourceConfig
from repstream.parameters.writer import WriterConfig
from repstream.policies.slow_consumer import OutputQueue, SlowRule
from repstream.states import ACQUISITION, AcquisitionResult, AcquisitionState, after

log = logging.getLogger(__name__)

COMPLETED, INTERRUPTED = "Completed.", "Interrupted."
MOST_KEPT = 1_000_000
PLANNED_LOSSES = frozenset({"abort"})

Tell = Callable[[AcquisitionNotice | GateNotice], None]


class WriterOutput:
    """One writer from open to close: its gate, and the state of its acquisition.

    Used from the loop's thread; `poll` is due after each `wake`, which comes from others.
    `tell` takes the notices. After an acquisition its ledger stays, and counts what comes then
    as skipped ("idle"), until the next one begins another. Frames that are kept to begin a file
    stay kept until they are older than that, and move on to the ledger of the next acquisition.
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
        self._decide = policy_of(config).decide
        self._queue: OutputQueue[Placed] | SpillingQueue = queue_of(config)
        self._kept = KeptFrames.of(config)
        self._trigger = Trigger()
        self._following = Following()
        self._told: SeriesStart | None = None
        self._gate = Gate(0, source)
        self._limits = TimeLimits()
        self._images = 0
        self._last_id: int | None = None
        self._asked: int | None = None
        self._job: FileJob | None = None
        self._state = AcquisitionState.NONE
        self._earlier_losses = 0
        self._malformed_before = 0
        self._id = ""
        self._size = 0
        self._disk = DiskMeter()

    @property
    def busy(self) -> bool:
        """Whether an acquisition is under way."""
        return self._job is not None

    @property
    def blocking(self) -> bool:
        """Whether a frame waits for room in the queue, or a series for its file: no more may be received."""
        if self._following.pending is not None:
            return True
        job = self._job
        return job is not None and (job.blocking or (self._gate.is_open and len(self._kept) > 0))

    @property
    def losses(self) -> int:
        """Frames lost here unplanned, in all acquisitions."""
        with self._lock:
            return self._earlier_losses + _unplanned(self.ledger)

    def offer(self, frame: Frame, now: float) -> bool:
        """Take, skip or drop one frame; whether it is held for want of room (`blocking`).

        `now` is a monotonic time in seconds.
        """
        job = self._job
        if job is not None and self._trigger.fires(frame) and not self._cannot_open():
            self._tell(GateNotice(self.slot, self._id, time.time(), is_open=True))
            self.open_gate(0)
        if job is None or not self._gate.is_open:
            self._set_aside(frame, now)
        elif len(self._kept):
            # What was kept has not found room yet, and goes first.
            self._keep(frame, now)
        else:
            self._pass(frame, now, job)
            return job.blocking
        return self.blocking

    def _pass(self, frame: Frame, now: float, job: FileJob) -> None:
        """Skip, drop or queue a frame that came at `now` and finds the gate open."""
        gate = self._gate
        if gate.is_duplicate(frame.frame_id):
            self._skip("duplicate")
        elif not self._decide(frame.frame_id, now):
            self._skip("policy")
        elif reason := gate.unfit(frame):
            with self._lock:
                self.ledger.book_dropped(reason)
        else:
            self._take(frame, job, gate)

    def begin_series(self, start: SeriesStart, now: float) -> bool:
        """Let a series into the file of an acquisition that follows them; whether it has to wait.

        What its start tells goes into whatever file begins with one of its frames. `now` is a
        monotonic time in seconds.
        """
        self._told = start
        following, job = self._following, self._job
        if not following.enabled:
            return False
        if following.current is not None and job is not None and not job.ending:
            message = (
                f"Interrupted: series {start.series} began before series {following.current.series} ended."
            )
            self._finish(job, AcquisitionResult.INTERRUPTED, message)
        following.begin(start, now)
        self._open_to_series()
        return self.blocking

    def end_series(self, end: SeriesEnd) -> None:
        """Complete the acquisition of a series."""
        self._told = None
        if self._following.ends(end.series) and self._job is not None and not self._job.ending:
            self._finish(self._job, AcquisitionResult.COMPLETED, COMPLETED)

    def arm(self, plan: AcquisitionPlan) -> str:
        """Begin an acquisition; the reason if that is impossible. `WAITING_IMAGES` or `FAILED` follows."""
        if self._job is not None:
            return f"acquisition {self._id} is under way"
        try:
            queue = _queue_of(self._config)
        except OSError as error:
            return f"frames cannot be spilled to {self._config.spill_folder}: {error.strerror or error}"
        self._earlier_losses = self.losses
        self._malformed_before = self._malformed()
        self.ledger = OutputLedger()
        for _ in range(len(self._kept)):
            self.ledger.book_kept()
        self._queue = queue
        self._trigger = Trigger(self._config.trigger_attribute)
        self._following.arm(plan.follow_series)
        placement = Placement(self._source.id_step) if plan.placement == "by_id" else None
        limit = min(plan.num_images or CAPACITY, CAPACITY)
        self._gate = Gate(limit, self._source, placement, plan.compression != "none")
        self._decide = policy_of(self._config).decide
        self._limits = TimeLimits(plan.first_image_timeout, plan.idle_timeout, plan.max_duration)
        self._images, self._last_id = 0, None
        self._state = AcquisitionState.NONE
        self._id = plan.acquisition_id
        self._size = 0
        self._job = FileJob(
            plan,
            queue=self._queue,
            ledger=self.ledger,
            lock=self._lock,
            results=self._results,
            wake=self._wake,
        )
        return ""

    def open_gate(self, frames: int) -> str:
        """Let `frames` frames through, or (0) all of the acquisition; the reason if that is impossible.

        An acquisition that follows series waits for one, and takes `frames` of it.
        """
        if self._following.enabled and self._job is not None and not self._job.ending:
            self._following.frames = frames
            return ""
        if reason := self._cannot_open():
            return reason
        self._asked = frames
        # While the file is not there yet the request waits for it.
        if self._state is not AcquisitionState.NONE:
            self._open()
        return ""

    def end(self, discard: bool) -> str:
        """End the acquisition, if there is one: write what waits, or throw it away."""
        self._following.stop()
        if self._job is None:
            return ""
        if discard:
            self._shut()
            self._job.abort()
        elif not self._job.ending:
            self._finish(self._job, AcquisitionResult.INTERRUPTED, INTERRUPTED)
        return ""

    def flush(self) -> str:
        """Have what was written put on the disk."""
        if self._job is not None:
            self._job.sync()
        return ""

    def update(self, config: WriterConfig) -> None:
        """Take the parameters that may change while running; a policy that stays keeps its memory."""
        if policy_of(config) != policy_of(self._config):
            self._decide = policy_of(config).decide
        if _keeping(config) != _keeping(self._config):
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
        """Follow what the file's thread did."""
        job = self._job
        if job is None:
            return
        # Looked at first: a job that is closed now has told of `opened` before.
        closed = job.closed
        self._size = job.nbytes
        if job.opened and self._state is AcquisitionState.NONE:
            self._enter("waiting")
            if job.ending:
                self._enter("flushing")
            elif self._asked is not None:
                self._open()
        self._open_to_series()
        self._feed()
        if closed:
            self._shut()
            self._job = None
            ok = job.result in (AcquisitionResult.COMPLETED, AcquisitionResult.INTERRUPTED)
            if not ok:
                self._following.stop()
            self._enter("finished" if ok else "failed", job)

    def watch(self, now: float, held: bool) -> None:
        """Let go of what was kept too long, end the acquisition where a time limit says so.

        `now` is a monotonic time; `held`: an output holds up the input.
        """
        job = self._job
        if not self._gate.is_open:
            self._let_go(self._kept.expire(now))
        if self._following.gives_up(now, busy=job is not None):
            log.warning("writer %s: no acquisition was begun for a series; it is not followed", self.name)
        if job is None or job.ending:
            return
        over = self._limits.check(
            now, images=self._images, is_open=self._gate.is_open, held=held, last_id=self._last_id
        )
        if over:
            self._finish(job, AcquisitionResult.INTERRUPTED, f"Interrupted: {over}.")

    def report(self) -> WriterReport:
        with self._lock:
            ledger = self.ledger.snapshot()
            use = 100.0 if self.blocking else 100.0 * self._queue.use
        if self._job is not None:
            self._size, self._disk = self._job.nbytes, self._job.disk
        return WriterReport(
            ledger=ledger,
            queue_use=use,
            acquisition_id=self._id,
            state=self._state,
            gate_open=self._gate.is_open,
            missing=self._gate.missing,
            file_size=self._size,
            blocking=self.blocking,
            disk_rate=self._disk.rate,
            disk_wait=self._disk.wait(time.monotonic()),
            spilled=self._queue.spilled if isinstance(self._queue, SpillingQueue) else 0,
        )

    def _take(self, frame: Frame, job: FileJob, gate: Gate) -> None:
        place = None
        if gate.placement is not None:
            place = gate.place(frame.frame_id)
            if place is None:
                with self._lock:
                    self.ledger.book_dropped("late")
                return
            if place.number >= gate.file_limit:
                # Beyond the last place: what is still missing before it does not come any more.
                self._skip("gate")
                self._shut_at(gate.file_limit, job)
                return
        if not self._images:
            job.told = self._told
        self._images += 1
        self._last_id = frame.frame_id
        taken = job.offer(frame, place)
        if self._state is AcquisitionState.WAITING_IMAGES:
            self._enter("first_image")
        if taken >= gate.limit:
            self._shut_at(taken, job)

    def _cannot_open(self) -> str:
        if self._job is None:
            return "no acquisition is armed"
        if self._job.ending:
            return f"acquisition {self._id} is ending"
        if self._gate.is_open or self._asked is not None:
            return f"the gate of acquisition {self._id} is open already"
        return ""

    def _open(self) -> None:
        frames, self._asked = self._asked or 0, None
        with self._lock:
            taken = self.ledger.sent + self.ledger.queued
        self._let_go(self._kept.expire(time.monotonic()))
        self._gate.open(taken, frames)
        self._feed()

    def _open_to_series(self) -> None:
        """Open the gate to the series that waits, if its file is there."""
        job, following = self._job, self._following
        if following.pending is None or job is None or job.ending or self._state is AcquisitionState.NONE:
            return
        following.take()
        self.release()
        self._asked = following.frames
        self._tell(GateNotice(self.slot, self._id, time.time(), is_open=True))
        self._open()

    def _feed(self) -> None:
        """Pass what was kept through the open gate, as far as there is room."""
        job = self._job
        while job is not None and len(self._kept) and self._gate.is_open and not job.blocking:
            frame, came = self._kept.pop()
            with self._lock:
                self.ledger.book_offered_again()
            self._pass(frame, came, job)

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
        return "idle" if self._job is None else "gate"

    def _shut(self) -> None:
        self._gate.shut()
        self._asked = None

    def _shut_at(self, taken: int, job: FileJob) -> None:
        """The gate's frames are complete, and perhaps the acquisition's."""
        self._shut()
        if taken < self._gate.file_limit:
            self._tell(GateNotice(self.slot, self._id, time.time()))
        elif self._gate.file_limit == job.plan.num_images:
            self._finish(job, AcquisitionResult.COMPLETED, COMPLETED)
        else:
            message = f"Interrupted: a file holds no more than {CAPACITY} images."
            self._finish(job, AcquisitionResult.INTERRUPTED, message)

    def _finish(self, job: FileJob, result: AcquisitionResult, message: str) -> None:
        self._shut()
        job.end(result, message)
        if self._state is not AcquisitionState.NONE:
            self._enter("flushing")

    def _enter(self, event: str, ended: FileJob | None = None) -> None:
        self._state = after(ACQUISITION, self._state, event, f"writer {self.name}")
        job = ended or self._job
        assert job is not None
        self._tell(
            AcquisitionNotice(
                slot=self.slot,
                acquisition_id=self._id,
                state=self._state,
                result=ended.result if ended else AcquisitionResult.NONE,
                message=ended.message if ended else "",
                path=job.plan.path,
                time=time.time(),
                report=self.report(),
                follow=ended is not None and self._following.enabled,
            )
        )

    def _skip(self, reason: str) -> None:
        with self._lock:
            self.ledger.book_skipped(reason)

    def _malformed(self) -> int:
        return sum(self._received.malformed.values())

    def _results(self, result: AcquisitionResult, message: str) -> Mapping[str, Scalar]:
        """What the file tells about its acquisition; called under the lock, by the file's thread."""
        return results_of(
            result,
            message,
            ledger=self.ledger,
            gate=self._gate,
            malformed=self._malformed() - self._malformed_before,
            now=time.time(),
        )


def _keeping(config: WriterConfig) -> tuple[int, float, int]:
    return config.keep_frames, config.keep_time, config.keep_memory


def _queue_of(config: WriterConfig) -> OutputQueue[Placed] | SpillingQueue:
    """An empty queue with the limits of a writer, and room for all that it keeps.

    Raises OSError where the spill folder cannot be used.
    """
    kept, time, memory = _keeping(config)
    frames, nbytes = config.buffer_size, config.buffer_memory * MIB
    if kept or time:
        frames, nbytes = frames + (kept or MOST_KEPT), nbytes + memory * MIB
    rule = SlowRule(config.on_slow)
    if config.spill_folder:
        file = SpillFile(config.spill_folder, round(config.spill_limit * 1e9))
        return SpillingQueue(rule, frames, nbytes, file)
    return OutputQueue(rule, frames, nbytes)


def _unplanned(ledger: OutputLedger) -> int:
    return sum(n for reason, n in ledger.dropped.items() if reason not in PLANNED_LOSSES)
