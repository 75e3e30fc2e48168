"""The file of one acquisition: made, written and closed by a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from repstream.accounting import OutputLedger
from repstream.dataplane.control import AcquisitionPlan, Call
from repstream.dataplane.storing.frame_store import FrameStore, Stored
from repstream.dataplane.storing.parts_store import PartsStore
from repstream.dataplane.storing.placement import Place, Placed
from repstream.dataplane.writing.call_times import CallTimes
from repstream.dataplane.writing.disk_meter import DiskMeter
from repstream.dataplane.writing.frame_queue import FrameQueue
from repstream.errors import StorageError
from repstream.files import fence
from repstream.files.detector import DetectorFacts, facts_of
from repstream.files.file_set import FileSet
from repstream.files.plan import Scalar
from repstream.files.removal import removed_after
from repstream.messages.frame import Frame
from repstream.messages.series import SeriesStart
from repstream.sources.ring_image import settled
from repstream.states import AcquisitionResult, is_aborted

log = logging.getLogger(__name__)

BATCH_FRAMES = 1024
BATCH_BYTES = 32 << 20
"""What is taken from the queue and written at once, at most (but one frame at least)."""

GATHER_TIME, GATHER_BYTES, GATHER_SHARE = 0.002, 4 << 20, 0.5
"""Seconds from one batch to the next, unless this many bytes wait before, or fill this share of the queue.

Woken for each frame, this thread and the loop would pass the interpreter lock to and fro.
"""

LOOK_INTERVAL = 0.5
"""Seconds between looks whether the file still has its name."""

OVERWRITTEN = "overwritten"
"""Why a frame is dropped whose producer wrote over it in shared memory before it was in the file."""

Store = FrameStore | PartsStore

Results = Callable[[AcquisitionResult, str], Mapping[str, Scalar]]
"""What goes into the file about an acquisition that ends with this result and message."""


class FileJob:
    """Takes frames on the loop's side, writes them on its own.

    `lock` guards `ledger`, which both sides book in. `wake` is called from the thread when
    `opened` or `closed` has become true. `results` is asked once, under the lock, when no more
    frames come. `series_start`: what the detector said before the first frame, set before that is offered.

    The thread waits for `_changed`, a condition on that lock which the loop's side and the queue
    notify; nobody else waits for it. What is done for each frame takes the lock itself, in less time.

    A fault of the storage ends the job: what waits is booked as dropped ("storage"), as the file says too.
    Whatever is still offered comes too late, as to a shut gate. Nothing here ever holds the loop up.
    """

    def __init__(
        self,
        plan: AcquisitionPlan,
        *,
        queue: FrameQueue,
        ledger: OutputLedger,
        lock: threading.Lock,
        results: Results,
        wake: Callable[[], None],
        calls: CallTimes,
    ) -> None:
        self.plan = plan
        self.opened = False
        self.closed = False
        self.ending = False
        self.result = AcquisitionResult.NONE
        self.message = ""
        self.nbytes = 0
        self.disk = DiskMeter()
        self.series_start: SeriesStart | None = None
        self._queue = queue
        # Parts judge what they read in place; packing, sums and other files want pixels that stay.
        self._reads_rings = plan.reads_rings and queue.hands_on
        self._ledger = ledger
        self._results = results
        self._wake = wake
        self._calls = calls
        self._next_look = self._next_batch = 0.0
        self._held: deque[Placed] = deque()
        self._sync = False
        self._failed = self._given_up = False
        self._begun = time.monotonic()
        self._lock = lock
        self._changed = threading.Condition(lock)
        self._store: Store | None = None
        queue.attach(lock, self._changed.notify_all, self._fill_queue)
        # A daemon, so that a disk that hangs cannot keep the process from ending.
        threading.Thread(target=self._run, name=f"file {plan.acquisition_id}", daemon=True).start()

    @property
    def blocking(self) -> bool:
        """Whether frames wait for room in the queue, so that no more may be received."""
        return len(self._held) > 0

    def offer(self, frame: Frame, place: Place | None = None) -> int:
        """Queue or drop one frame; how many are in the file or on their way to it now.

        `place` is its place in the file, None the one behind the last.
        """
        ledger = self._ledger
        stable = frame if self._reads_rings else settled(frame)
        with self._lock:
            if self._failed:
                ledger.book_skipped("gate")
            elif stable is None:
                ledger.book_dropped(OVERWRITTEN)
            else:
                ledger.book_queued()
                was_empty = not len(self._queue)
                placed = Placed(stable, place)
                if self._held:
                    self._held.append(placed)
                else:
                    self._enqueue(placed)
                self._call_thread(was_empty)
            return ledger.sent + ledger.queued

    def offer_run(self, frames: Sequence[Frame], limit: int) -> int:
        """Queue all of these frames, the next in the file; how many are in it or on their way to it then.

        0, and none is taken, where there is no room for all or they would be more than `limit`.
        """
        ledger, queue = self._ledger, self._queue
        stable = frames if self._reads_rings else list(filter(None, map(settled, frames)))
        if len(stable) < len(frames):
            return 0
        placed, sizes = [Placed(frame) for frame in stable], [frame.nbytes for frame in frames]
        with self._lock:
            taken = ledger.sent + ledger.queued + len(frames)
            if self._failed or self._held or taken > limit:
                return 0
            was_empty = not len(queue)
            if not queue.offer_all(placed, sizes):
                return 0
            ledger.book_queued(len(frames))
            self._call_thread(was_empty)
            return taken

    def end(self, result: AcquisitionResult, message: str) -> None:
        """Write what waits, then close the file with this result, unless it has failed before."""
        with self._changed:
            self.ending = True
            if not self._failed:
                self.result, self.message = result, message
            self._changed.notify_all()

    def abort(self) -> None:
        """Discard what waits, then close the file, as aborted unless it has failed before."""
        with self._changed:
            self._discard("abort")
            self.ending = True
            if not self._failed:
                self.result = AcquisitionResult.ABORTED
            self._changed.notify_all()

    def silence(self, now: float) -> float:
        """Seconds for which the disk has not answered; `now` is monotonic."""
        return self.disk.wait(now) if self.opened else now - self._begun

    def give_up(self, reason: str) -> None:
        """Close as failed without the disk, which does not answer; its thread is left waiting for it."""
        with self._changed:
            if self.closed:
                return
            self._given_up = self._failed = self.ending = self.closed = True
            self._discard("storage")
            self._ledger.book_discarded("storage", self._ledger.queued)
            self.result, self.message = AcquisitionResult.FAILED, f"ERROR:{reason}"
            self._queue.close()
            self._changed.notify_all()
        self._wake()

    def sync(self) -> None:
        """Have all that was written put on the disk, without waiting for it."""
        with self._changed:
            self._sync = True
            self._changed.notify_all()

    def _run(self) -> None:
        plan = self.plan
        try:
            with self._calls.timed("create"):
                self._store = store = self._new_store()
                store.open()  # where that fails its files still take what is known then
            self.opened = True
            self._wake()
            while frames := self._take(store):
                with self._metered(store, "write"):
                    stored = store.write(frames)
                self._book(stored)
            self._finish(store)
        except StorageError as error:
            self._fail(str(error))
        except Exception as error:
            log.exception("acquisition %s failed", plan.acquisition_id)
            self._fail(f"{type(error).__name__}: {error}")
        with self._changed:
            self._queue.close()
        self._store = None  # it knows this job: without this the two of them stay in memory for long
        self.closed = True
        self._wake()

    def _new_store(self) -> Store:
        if self.plan.in_parts:
            return PartsStore(self.plan, self._detector)
        return FrameStore(self.plan, self._detector)

    def _detector(self) -> DetectorFacts | None:
        return facts_of(self.series_start, self.plan.threshold) if self.series_start is not None else None

    def _take(self, store: Store) -> list[Placed]:
        """The frames that are written next; none when the job has come to its end."""
        while True:
            self._look(store)
            due = store.due
            wait = LOOK_INTERVAL if due is None else min(due, LOOK_INTERVAL)
            with self._changed:
                self._changed.wait_for(self._is_due, wait)
                self._changed.wait_for(self._is_urgent, max(0.0, self._next_batch - time.monotonic()))
                asked, self._sync = self._sync, False
                frames = self._pop()
                over = self.ending and not frames and not self._queue.backlog
            is_due = due is not None and not store.due
            if asked or is_due:
                self._settle(store, store.sync if asked else store.announce)
            elif over:
                return frames
            if frames:
                return frames

    def _look(self, store: Store) -> None:
        """Now and then: a file that was removed takes all that is written without a word."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_INTERVAL
            self.disk.begin(now)
            self._check_in_place(store)
            self.disk.cancel()

    def _check_in_place(self, store: Store) -> None:
        fence.check(Path(self.plan.path).parent, self.plan.start)
        store.check_in_place()

    def _pop(self) -> list[Placed]:
        frames = self._queue.take(BATCH_FRAMES, BATCH_BYTES)
        self._fill_queue()
        if frames:
            self._next_batch = time.monotonic() + GATHER_TIME
        return frames

    def _is_due(self) -> bool:
        queue = self._queue
        return len(queue) > 0 or self._sync or (self.ending and not queue.backlog)

    def _is_urgent(self) -> bool:
        """Whether no more is to be gathered."""
        return not len(self._queue) or self._sync or self.ending or self._is_filling

    @property
    def _is_filling(self) -> bool:
        queue = self._queue
        return queue.nbytes >= GATHER_BYTES or queue.use >= GATHER_SHARE

    def _fill_queue(self) -> None:
        """Let the frames that are held into the queue, as far as there is room."""
        if not self._held:
            return
        while self._held and self._queue.has_room(self._held[0].frame.nbytes):
            self._enqueue(self._held.popleft())
        if not self._held:
            self._wake()

    def _settle(self, store: Store, how: Callable[[], list[Stored]]) -> None:
        with self._metered(store, "flush"):
            stored = how()
        self._book(stored)

    @contextmanager
    def _metered(self, store: Store, call: Call) -> Iterator[None]:
        """The disk's work within the block is measured, also if it fails."""
        self.disk.begin(time.monotonic())
        try:
            with self._calls.timed(call):
                yield
        finally:
            self.disk.end(time.monotonic(), store.nbytes - self.nbytes)
            self.nbytes = store.nbytes

    def _book(self, stored: list[Stored]) -> None:
        whole = [(frame_id, nbytes) for frame_id, nbytes in stored if nbytes]
        with self._changed:
            if self._given_up:
                return
            if whole:
                self._ledger.book_sent(whole[-1][0], sum(nbytes for _, nbytes in whole), len(whole))
            self._ledger.book_discarded(OVERWRITTEN, len(stored) - len(whole))

    def _finish(self, store: Store) -> None:
        # Before the results, so that these can still say that it failed.
        self._settle(store, store.sync)
        if self._given_up:
            return
        self._check_in_place(store)
        if is_aborted(self.result):
            discarded = self._ledger.dropped.get("abort", 0)
            self.message = f"ERROR:aborted, {discarded} frames discarded"
        if lost := store.values_lost:
            self.message += f" {lost} values of headers could not be stored."
        for channel, count in store.holes.items():
            self.message += f" {count} images of {channel} did not come."
        with self._changed:
            results = self._results(self.result, self.message)
        with self._metered(store, "close"):
            if self.plan.keep_empty_file or self._ledger.sent:
                store.finish(results)
            else:
                self._finish_and_remove(store, results)

    def _finish_and_remove(self, store: Store, results: Mapping[str, Scalar]) -> None:
        plan = self.plan
        files = FileSet(
            Path(plan.path), plan.images_per_file, plan.number_of_parts, plan.part_names, plan.in_parts
        )
        ending = self.message.rstrip(".")
        try:
            with removed_after(files.at_first, plan.user_id):
                store.finish(results)
            self.message = f"{ending}; no image came, so the file was removed."
        except OSError as error:
            self.message = f"{ending}; the file has no image and cannot be removed: {error}."

    def _fail(self, reason: str) -> None:
        """Close as failed; the file keeps what it holds, and the reason if it still can."""
        if self._given_up:
            return
        if self._store is not None:
            with self._as_far_as_possible():
                self._book(self._store.salvage())
        with self._changed:
            self._failed = True
            self._discard("storage")
            # Frames that were taken from the queue and not written are still booked as queued.
            self._ledger.book_discarded("storage", self._ledger.queued)
            self.result, self.message = AcquisitionResult.FAILED, f"ERROR:{reason}"
            results = self._results(self.result, self.message)
        if self._store is not None:
            with self._as_far_as_possible():
                self._store.finish(results)

    @contextmanager
    def _as_far_as_possible(self) -> Iterator[None]:
        """Whatever goes wrong within the block, after a fault, the acquisition comes to its end."""
        try:
            yield
        except (StorageError, OSError) as error:
            log.info("acquisition %s, after its fault: %s", self.plan.acquisition_id, error)
        except Exception:
            log.exception("acquisition %s, after its fault", self.plan.acquisition_id)

    def _discard(self, reason: str) -> None:
        waiting = self._queue.backlog + len(self._held)
        self._queue.clear()
        self._held.clear()
        self._ledger.book_discarded(reason, waiting)

    def _call_thread(self, was_empty: bool) -> None:
        """Wake this job's thread, which waits for the first frames and then gathers more of them."""
        if was_empty or self._is_filling:
            self._changed.notify_all()

    def _enqueue(self, placed: Placed) -> None:
        outcome = self._queue.offer(placed, placed.frame.nbytes)
        if outcome.full:
            self._held.append(placed)
        elif outcome.dropped:
            self._ledger.book_discarded("queue", len(outcome.dropped))
