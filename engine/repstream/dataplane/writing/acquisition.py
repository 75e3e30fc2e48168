"""One acquisition of a writer, from its plan to the closed file: its counts, its state, its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from repstream import states
from repstream.accounting import OutputLedger
from repstream.dataplane.control import AcquisitionPlan, Opening, WriterReport
from repstream.dataplane.storing.placement import Place
from repstream.dataplane.writing.call_times import CallTimes
from repstream.dataplane.writing.disk_meter import DiskMeter
from repstream.dataplane.writing.file_job import FileJob
from repstream.dataplane.writing.file_results import results_of
from repstream.dataplane.writing.frame_queue import FrameQueue
from repstream.dataplane.writing.numbering import Numbering
from repstream.dataplane.writing.time_limits import TimeLimits
from repstream.files.plan import Scalar
from repstream.messages.frame import Frame
from repstream.messages.series import SeriesStart
from repstream.states import ACQUISITION, AcquisitionResult, AcquisitionState, after

COMPLETED, INTERRUPTED = "Completed.", "Interrupted."


class Acquisition:
    """Puts the frames that a `Selection` hands to it into its file, and follows that to its end.

    Used from the loop's thread; `look` is due after each `wake`, which comes from the file's
    thread. `lock` guards the ledger, which both book in. `malformed` counts what was no frame at the
    input. `numbering` is what the selection finds of the ids that come. `on_state` is called after each
    change of the state.
    """

    def __init__(
        self,
        plan: AcquisitionPlan,
        *,
        numbering: Numbering,
        queue: FrameQueue,
        lock: threading.Lock,
        malformed: Callable[[], int],
        on_state: Callable[[Acquisition], None],
        wake: Callable[[], None],
        calls: CallTimes,
    ) -> None:
        self.plan = plan
        self.ledger = OutputLedger()
        self.numbering = numbering
        self.state = AcquisitionState.NONE
        self.result = AcquisitionResult.NONE
        self.message = ""
        self._limits = TimeLimits(plan.first_image_timeout, plan.idle_timeout, plan.max_duration)
        self._lock = lock
        self._on_state = on_state
        self._malformed = malformed
        self._malformed_before = malformed()
        self._malformed_at_end: int | None = None
        self._images = 0
        self._last_id: int | None = None
        self._size = 0
        self._disk = DiskMeter()
        self._calls = calls
        self._queue = queue
        self._job: FileJob | None = FileJob(
            plan, queue=queue, ledger=self.ledger, lock=lock, results=self._results, wake=wake, calls=calls
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
    def taken(self) -> int:
        """How many frames are in the file or on their way to it."""
        with self._lock:
            return self.ledger.sent + self.ledger.queued

    def take(self, frame: Frame, place: Place | None, series_start: SeriesStart | None) -> int:
        """Put a frame on its way to the file; how many are in it or on their way then.

        `place`: where in the file, None behind the last. `series_start`: what the detector said about
        the series.
        """
        job = self._job
        assert job is not None
        if not self._images:
            job.series_start = series_start
        self._images += 1
        self._last_id = frame.frame_id
        taken = job.offer(frame, place)
        if states.has_no_image(self.state):
            self._enter("first_image")
        return taken

    def take_run(self, frames: Sequence[Frame], limit: int) -> int:
        """Put frames on their way at once, as `take`; 0, and none is taken, if that is not simple.

        It is where they are not the first ones, there is room for all, and they do not exceed `limit`.
        """
        job = self._job
        if job is None or not self._images:
            return 0
        taken = job.offer_run(frames, limit)
        if taken:
            self._images += len(frames)
            self._last_id = frames[-1].frame_id
        return taken

    def end(self, result: AcquisitionResult, message: str) -> None:
        """Take no more frames, write what waits, then close the file."""
        job = self._job
        if job is None or job.ending:
            return
        self._end_input()
        job.end(result, message)
        if not states.has_no_file(self.state):
            self._enter("flushing")

    def abort(self) -> None:
        """Discard what waits, then close the file."""
        self._end_input()
        if self._job is not None:
            self._job.abort()

    def give_up(self, now: float, patience: float) -> None:
        """Fail where the disk has not answered for `patience` seconds; `now` is monotonic."""
        if self._job is not None and (silence := self._job.silence(now)) >= patience:
            self._end_input()
            self._job.give_up(f"the disk has not answered for {silence:.0f} s, the file was given up")

    def sync(self) -> None:
        """Have what was written put on the disk."""
        if self._job is not None:
            self._job.sync()

    def look(self) -> bool:
        """Follow what the file's thread did; whether the file is closed, so that `close` is due."""
        job = self._job
        assert job is not None
        # Looked at first: a job that is closed now has reported `opened` before.
        closed = job.closed
        if job.opened and states.has_no_file(self.state):
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
        self._end_input()
        self.result, self.message = job.result, job.message
        self._size, self._disk = job.nbytes, job.disk
        self._job = None
        self._enter("finished" if states.is_good(self.result) else "failed")

    def over(self, now: float, *, is_open: bool, held: bool) -> str:
        """Which time limit says that the acquisition is over, as a sentence without its end; empty if none.

        `now` is monotonic; `is_open`: frames are let through; `held`: the input is held up, so that
        none can come.
        """
        if self.ending:
            return ""
        return self._limits.check(now, images=self._images, is_open=is_open, held=held, last_id=self._last_id)

    def report(self, *, is_open: bool, blocking: bool, opening: Opening | None = None) -> WriterReport:
        """Everything now; `is_open`: its gate is; `blocking`: the writer holds up the input."""
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
            gate_open=is_open,
            missing=self.numbering.missing,
            file_size=self._size,
            blocking=blocking,
            disk_rate=self._disk.rate,
            disk_wait=self._disk.wait(time.monotonic()),
            spilled=self._queue.spilled,
            opening=opening,
            calls=self._calls.report(),
            runs=self.numbering.take_runs(),
        )

    def _end_input(self) -> None:
        if self._malformed_at_end is None:
            self._malformed_at_end = self._malformed()

    def _enter(self, event: str) -> None:
        self.state = after(ACQUISITION, self.state, event, f"acquisition {self.id}")
        self._on_state(self)

    def _results(self, result: AcquisitionResult, message: str) -> Mapping[str, Scalar]:
        """What the file says about its acquisition; called under the lock, by the file's thread."""
        malformed = self._malformed() if self._malformed_at_end is None else self._malformed_at_end
        return results_of(
            result,
            message,
            ledger=self.ledger,
            numbering=self.numbering,
            malformed=malformed - self._malformed_before,
            now=time.time(),
        )
