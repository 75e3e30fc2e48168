"""One acquisition of a writer, from its plan to the closed file: its gate, its counts, its state."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from repstream.accounting import OutputLedger
from repstream.dataplane.control import AcquisitionPlan, WriterReport
from repstream.dataplane.storing.placement import Placement
from repstream.dataplane.writing.disk_meter import DiskMeter
from repstream.dataplane.writing.file_job import FileJob
from repstream.dataplane.writing.file_results import results_of
from repstream.dataplane.writing.gate import Gate
from repstream.dataplane.writing.spill import SpillingQueue
from repstream.dataplane.writing.time_limits import TimeLimits
from repstream.dataplane.writing.writer_queue import Queue
from repstream.files.chunk_index import CAPACITY
from repstream.files.plan import Scalar
from repstream.messages.frame import Frame
from repstream.messages.series import SeriesStart
from repstream.parameters.source import SourceConfig
from repstream.states import ACQUISITION, AcquisitionResult, AcquisitionState, after

COMPLETED, INTERRUPTED = "Completed.", "Interrupted."


class Acquisition:
    """Takes the frames that its writer selects, and puts them into its file.

    Used from the loop's thread; `look` is due after each `wake`, which comes from the file's
    thread. `lock` guards the ledger, which both book in. `malformed` counts what was no frame at the
    input. `on_state` is called after each change of the state, `on_shut` when the gate has shut after
    its number of frames with the file still open.
    """

    def __init__(
        self,
        plan: AcquisitionPlan,
        *,
        source: SourceConfig,
        queue: Queue,
        lock: threading.Lock,
        malformed: Callable[[], int],
        on_state: Callable[[Acquisition], None],
        on_shut: Callable[[Acquisition], None],
        wake: Callable[[], None],
    ) -> None:
        self.plan = plan
        self.ledger = OutputLedger()
        self.state = AcquisitionState.NONE
        self.result = AcquisitionResult.NONE
        self.message = ""
        placement = Placement(source.id_step) if plan.placement == "by_id" else None
        limit = min(plan.num_images or CAPACITY, CAPACITY)
        self.gate = Gate(limit, source, placement, plan.compression != "none")
        self._limits = TimeLimits(plan.first_image_timeout, plan.idle_timeout, plan.max_duration)
        self._lock = lock
        self._on_state = on_state
        self._on_shut = on_shut
        self._malformed = malformed
        self._malformed_before = malformed()
        self._malformed_at_end: int | None = None
        self._images = 0
        self._last_id: int | None = None
        self._size = 0
        self._disk = DiskMeter()
        self._queue = queue
        self._job: FileJob | None = FileJob(
            plan, queue=queue, ledger=self.ledger, lock=lock, results=self._results, wake=wake
        )

    @property
    def id(self) -> str:
        return self.plan.acquisition_id

    @property
    def ending(self) -> bool:
        """Whether no frame is taken any more; what waits may still be written."""
        return self._job is None or self._job.ending

    @property
    def blocking(self) -> bool:
        """Whether a frame waits for room in the queue, so that no more may be received."""
        return self._job is not None and self._job.blocking

    @property
    def cannot_open(self) -> str:
        """Why the gate cannot be opened now; empty if it can."""
        if self.ending:
            return f"acquisition {self.id} is ending"
        if self.gate.is_open:
            return f"the gate of acquisition {self.id} is open already"
        return ""

    def open(self, frames: int) -> None:
        """Open the gate for `frames` frames, or (0) for all of the file, whether that is there yet or not."""
        with self._lock:
            taken = self.ledger.sent + self.ledger.queued
        self.gate.open(taken, frames)

    def take(self, frame: Frame, told: SeriesStart | None) -> None:
        """Put a frame that fits on its way to the file; `told`: what came before it of its series."""
        job, gate = self._job, self.gate
        assert job is not None
        place = None
        if gate.placement is not None:
            place = gate.place(frame.frame_id)
            if place is None:
                with self._lock:
                    self.ledger.book_dropped("late")
                return
            if place.number >= gate.file_limit:
                # Beyond the last place: what is still missing before it does not come any more.
                with self._lock:
                    self.ledger.book_skipped("gate")
                self._shut_at(gate.file_limit)
                return
        if not self._images:
            job.told = told
        self._images += 1
        self._last_id = frame.frame_id
        taken = job.offer(frame, place)
        if self.state is AcquisitionState.WAITING_IMAGES:
            self._enter("first_image")
        if taken >= gate.limit:
            self._shut_at(taken)

    def take_run(self, frames: Sequence[Frame]) -> bool:
        """Put frames on their way to the file at once if that is simple; False, and none is taken, if not.

        It is where they follow the last one without a gap, fit as it did, and there is room for all.
        """
        job, gate = self._job, self.gate
        if job is None or not self._images or not gate.continues(frames):
            return False
        taken = job.offer_run(frames, gate.limit)
        if not taken:
            return False
        gate.book_run(len(frames))
        self._images += len(frames)
        self._last_id = frames[-1].frame_id
        if taken >= gate.limit:
            self._shut_at(taken)
        return True

    def end(self, result: AcquisitionResult, message: str) -> None:
        """Take no more frames, write what waits, then close the file."""
        job = self._job
        if job is None or job.ending:
            return
        self._shut()
        job.end(result, message)
        if self.state is not AcquisitionState.NONE:
            self._enter("flushing")

    def abort(self) -> None:
        """Discard what waits, then close the file."""
        self._shut()
        if self._job is not None:
            self._job.abort()

    def give_up(self, now: float, patience: float) -> None:
        """Fail where the disk has not answered for so many seconds; `now` is monotonic."""
        if self._job is not None and (silence := self._job.silence(now)) >= patience:
            self._shut()
            self._job.give_up(f"the disk has not answered for {silence:.0f} s, the file was given up")

    def sync(self) -> None:
        """Have what was written put on the disk."""
        if self._job is not None:
            self._job.sync()

    def look(self) -> bool:
        """Follow what the file's thread did; whether the file is closed, so that `close` is due."""
        job = self._job
        assert job is not None
        # Looked at first: a job that is closed now has told of `opened` before.
        closed = job.closed
        if job.opened and self.state is AcquisitionState.NONE:
            self._enter("waiting")
            if self._images:
                self._enter("first_image")
            if job.ending:
                self._enter("flushing")
        return closed

    def close(self) -> None:
        """The file is closed: enter the last state, and let go of what only writing needs."""
        job = self._job
        assert job is not None
        self._shut()
        self.result, self.message = job.result, job.message
        self._size, self._disk = job.nbytes, job.disk
        self._job = None
        ok = self.result in (AcquisitionResult.COMPLETED, AcquisitionResult.INTERRUPTED)
        self._enter("finished" if ok else "failed")

    def watch(self, now: float, held: bool) -> None:
        """End the acquisition where a time limit says so; `now` monotonic, `held`: nothing can come."""
        if self.ending:
            return
        over = self._limits.check(
            now, images=self._images, is_open=self.gate.is_open, held=held, last_id=self._last_id
        )
        if over:
            self.end(AcquisitionResult.INTERRUPTED, f"Interrupted: {over}.")

    def report(self, blocking: bool) -> WriterReport:
        """Everything now; `blocking`: the writer holds up the input, for whatever reason."""
        with self._lock:
            ledger = self.ledger.snapshot()
            use = 100.0 if blocking else 100.0 * self._queue.use
        if self._job is not None:
            self._size, self._disk = self._job.nbytes, self._job.disk
        return WriterReport(
            ledger=ledger,
            queue_use=use,
            acquisition_id=self.id,
            state=self.state,
            gate_open=self.gate.is_open,
            missing=self.gate.missing,
            file_size=self._size,
            blocking=blocking,
            disk_rate=self._disk.rate,
            disk_wait=self._disk.wait(time.monotonic()),
            spilled=self._queue.spilled if isinstance(self._queue, SpillingQueue) else 0,
        )

    def _shut(self) -> None:
        self.gate.shut()
        if self._malformed_at_end is None:
            self._malformed_at_end = self._malformed()

    def _shut_at(self, taken: int) -> None:
        """The gate's frames are complete, and perhaps the acquisition's."""
        if taken < self.gate.file_limit:
            self.gate.shut()
            self._on_shut(self)
        elif self.gate.file_limit == self.plan.num_images:
            self.end(AcquisitionResult.COMPLETED, COMPLETED)
        else:
            message = f"Interrupted: a file holds no more than {CAPACITY} images."
            self.end(AcquisitionResult.INTERRUPTED, message)

    def _enter(self, event: str) -> None:
        self.state = after(ACQUISITION, self.state, event, f"acquisition {self.id}")
        self._on_state(self)

    def _results(self, result: AcquisitionResult, message: str) -> Mapping[str, Scalar]:
        """What the file tells about its acquisition; called under the lock, by the file's thread."""
        malformed = self._malformed() if self._malformed_at_end is None else self._malformed_at_end
        return results_of(
            result,
            message,
            ledger=self.ledger,
            gate=self.gate,
            malformed=malformed - self._malformed_before,
            now=time.time(),
        )
