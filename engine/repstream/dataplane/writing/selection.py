"""Which of the frames that reach a writer go into the file of its acquisition."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from repstream.accounting import SETTLING, OutputLedger, Verdict
from repstream.dataplane.control import Opening
from repstream.dataplane.outputs import MIB, deciding, policy_of
from repstream.dataplane.storing.placement import Place
from repstream.dataplane.writing.acquisition import Acquisition
from repstream.dataplane.writing.fit import Fit
from repstream.dataplane.writing.gate import Gate
from repstream.dataplane.writing.kept_frames import KeptFrames
from repstream.dataplane.writing.numbering import Numbering
from repstream.dataplane.writing.trigger import Trigger
from repstream.dataplane.writing.writer_queue import keeping
from repstream.messages.frame import Frame
from repstream.messages.series import SeriesStart, images_of
from repstream.parameters.writer import WriterConfig

SETTLE_TIME = 0.5
"""Seconds for which the first images wait for one with a lower id, where ids decide on places."""


class Selection:
    """Takes the frames of a writer one after the other, and decides what becomes of each.

    In this order: the trigger may open the gate; what finds it shut is kept to begin a file, or left
    out; what has an id below the first one asked for is left out; what came before is a duplicate; the
    policy may leave it out; it has to fit, and to get a place.
    The rest goes to the acquisition. Used from the loop's thread.

    Two kinds of frames wait here for those that follow. One with the first id of its numbering, which
    may be a repeat or begin a numbering: the next frame decides. And the first ones of a numbering
    where ids decide on places, until the lowest is known. Both count as kept.

    `ledger` is that of the last acquisition, guarded by `lock`. `on_trigger` is called when the
    trigger fires with a file that waits; `on_full` when the gate has shut, with the number of frames that the
    file has or gets; `on_first` with the first id of an acquisition that other receivers share, whose images
    wait until all agree on where it begins (`settle`).
    """

    def __init__(
        self,
        config: WriterConfig,
        lock: threading.Lock,
        *,
        on_trigger: Callable[[], None],
        on_full: Callable[[int], None],
        on_first: Callable[[int], None] = lambda first_id: None,
    ) -> None:
        self.ledger = OutputLedger()
        self._config = config
        self._lock = lock
        self._on_trigger = on_trigger
        self._on_full = on_full
        self._on_first = on_first
        self._decide = deciding(config)
        self._kept = KeptFrames.of(config)
        self._trigger = Trigger("")
        self._told: SeriesStart | None = None
        self._is_series_new = False
        self._acquisition: Acquisition | None = None
        self._gate = Gate(0)
        self._numbering = Numbering()
        self._fit: Fit | None = None
        self._doubtful: tuple[Frame, float] | None = None
        self._by_id = False
        self._unplaced: list[Frame] = []
        self._unplaced_since = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the gate is open."""
        return self._gate.is_open

    @property
    def opening(self) -> Opening | None:
        """What went through the gate of the last acquisition since it was opened last."""
        return self._gate.opening

    @property
    def is_blocked(self) -> bool:
        """Whether a frame waits for room in the queue, so that no more may be received."""
        acquisition = self._acquisition
        if acquisition is None:
            return False
        if self._unplaced and self._numbering.is_shared:
            held = len(self._unplaced) * self._unplaced[0].nbytes
            if held >= self._config.buffer_memory * MIB:
                return True
        return acquisition.blocking or (self._kept.enabled and self._gate.is_open and len(self._kept) > 0)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing of what came since the gate was opened."""
        return self._numbering.is_whole

    def begin(self, acquisition: Acquisition, gate: Gate, fit: Fit) -> None:
        """Frames are for this acquisition from now on; its gate is shut. What is kept moves to its ledger."""
        with self._lock:
            for _ in range(len(self._kept)):
                self.ledger.book_offered_again()
                acquisition.ledger.book_kept()
        self.ledger = acquisition.ledger
        self._acquisition, self._numbering = acquisition, acquisition.numbering
        self._gate, self._fit, self._by_id = gate, fit, acquisition.numbering.by_id
        self._trigger = Trigger(self._config.trigger_attribute)
        self._decide = deciding(self._config)

    def finish(self) -> None:
        """The acquisition is over: frames find no file until the next one."""
        self.shut()
        self._acquisition = None

    def open(self, frames: int) -> None:
        """Let through `frames` frames, or (0) as many as the file takes; first those that were kept."""
        acquisition = self._acquisition
        assert acquisition is not None
        now = time.monotonic()
        self._let_go(self._kept.expire(now))
        self._gate.open(acquisition.taken, frames, now - self._kept.age(now))
        self._numbering.open()
        if self._told is not None and self._is_series_new and not len(self._kept):
            self._numbering.begin_series(images_of(self._told))
        self.feed()

    def shut(self, *, discard: bool = False) -> None:
        """Let no more frames through; those that wait here go into the file, or (`discard`) do not."""
        self._end_doubt(begins=False)
        if discard:
            for _ in self._take_unplaced():
                self._drop("abort")
        else:
            self._settle()
        self._gate.shut(time.monotonic())

    def begin_series(self, start: SeriesStart) -> None:
        """A detector begins a series, numbered from 0; what it said goes into a file that begins with it."""
        self._told, self._is_series_new = start, True
        if self._gate.is_open:
            self._end_doubt(begins=False)
            self._settle()
            self._numbering.begin_series(images_of(start))

    def end_series(self) -> None:
        """The series is over; images of it that are still on their way are taken, as late ones."""
        self._told = None
        if self._gate.is_open:
            self._numbering.end_series()

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

    def watch(self, now: float) -> None:
        """Let go of what was kept too long; do not wait for ever for a lower id. `now` is monotonic."""
        if not self._gate.is_open:
            self._let_go(self._kept.expire(now))
        elif self._unplaced and not self._numbering.is_shared and now - self._unplaced_since >= SETTLE_TIME:
            self._settle()

    def settle(self, first_id: int) -> None:
        """All receivers have agreed on the first id of the acquisition."""
        self._numbering.settle(first_id)
        self._place_all()

    def admit(self, frames: Sequence[Frame], now: float) -> None:
        """Take, skip, drop or keep frames that came one soon after the other, up to `now` (monotonic).

        None is lost where one is held for want of room (`is_blocked`): those behind are held, too.
        """
        if len(frames) > 1 and self._take_run(frames):
            return
        for frame in frames:
            self._admit(frame, now)

    def feed(self) -> None:
        """Pass what was kept through the open gate, as far as there is room."""
        acquisition = self._acquisition
        while acquisition is not None and len(self._kept) and self._gate.is_open and not acquisition.blocking:
            frame, came = self._kept.pop()
            self._offer_again()
            self._pass(frame, came)

    def _admit(self, frame: Frame, now: float) -> None:
        trigger = self._trigger
        if (
            trigger.enabled
            and self._acquisition is not None
            and trigger.fires(frame)
            and not self._gate.is_open
        ):
            self._on_trigger()
        if not self._gate.is_open:
            self._is_series_new = False
            self._set_aside(frame, now)
        elif self._kept.enabled and len(self._kept):
            # What was kept has not found room yet, and goes first.
            self._keep(frame, now)
        else:
            self._pass(frame, now)

    def _take_run(self, frames: Sequence[Frame]) -> bool:
        """Take frames at once if there is nothing to decide but whether they go on as before."""
        acquisition, fit = self._acquisition, self._fit
        if (
            acquisition is None
            or fit is None
            or not self._gate.is_open
            or len(self._kept)
            or self._decide is not None
            or self._trigger.enabled
            or frames[0].frame_id < self._config.first_image_id
            or not self._numbering.continue_with(frames)
            or not fit.all_like_the_first(frames)
        ):
            return False
        taken = acquisition.take_run(frames, self._gate.limit)
        if not taken:
            return False
        self._numbering.book_run(len(frames))
        self._gate.note_run(frames)
        if taken >= self._gate.limit:
            self._fill(taken)
        return True

    def _pass(self, frame: Frame, now: float) -> None:
        """Decide about a frame that came at `now` and finds the gate open."""
        self._is_series_new = False
        if frame.frame_id < self._config.first_image_id:
            self._skip("first_image_id")
            return
        verdict = self._numbering.observe(frame.frame_id)
        if verdict is Verdict.NEW and self._doubtful is None:
            self._select(frame, now)
            return
        if verdict in (Verdict.RESET, Verdict.ANEW):
            self._settle()
            self._numbering.begin_anew()
        self._end_doubt(begins=verdict is Verdict.ANEW)
        if verdict is Verdict.AGAIN:
            with self._lock:
                self.ledger.book_kept()
            self._doubtful = (frame, now)
        elif verdict is Verdict.DUPLICATE:
            self._skip("duplicate")
        elif self._gate.is_open:
            self._select(frame, now)
        else:
            self._skip("gate")

    def _end_doubt(self, begins: bool) -> None:
        """The frame that was held for the one behind it begins a numbering, or else is a repeat."""
        if self._doubtful is None:
            return
        (frame, came), self._doubtful = self._doubtful, None
        if begins:
            self._offer_again()
            self._select(frame, came)
        else:
            with self._lock:
                self.ledger.book_released("duplicate")

    def _select(self, frame: Frame, now: float) -> None:
        """Leave out, drop or take a frame that came at `now` and is no repeat."""
        decide, fit = self._decide, self._fit
        assert fit is not None
        if decide is not None and not decide(frame.frame_id, now):
            self._skip("policy")
        elif reason := fit.unfit(frame):
            self._drop(reason)
        elif not self._by_id:
            self._hand_over(frame, None)
        elif self._numbering.is_settled:
            self._take_to_place(frame)
        else:
            self._wait_for_place(frame)

    def _wait_for_place(self, frame: Frame) -> None:
        acquisition = self._acquisition
        assert acquisition is not None
        if not self._unplaced:
            self._unplaced_since = time.monotonic()
        with self._lock:
            self.ledger.book_kept()
        self._unplaced.append(frame)
        if self._numbering.is_shared:
            if len(self._unplaced) == 1:
                self._on_first(frame.frame_id)
        elif len(self._unplaced) >= min(SETTLING, self._gate.limit - acquisition.taken):
            self._settle()

    def _settle(self) -> None:
        """The lowest id that waits for its place is the first; all of them get their places."""
        if self._unplaced:
            self._numbering.settle(min(frame.frame_id for frame in self._unplaced))
            self._place_all()

    def _place_all(self) -> None:
        for frame in self._take_unplaced():
            if self._gate.is_open:
                self._take_to_place(frame)
            else:
                self._skip("gate")

    def _take_unplaced(self) -> list[Frame]:
        frames, self._unplaced = self._unplaced, []
        for _ in frames:
            self._offer_again()
        return frames

    def _take_to_place(self, frame: Frame) -> None:
        """Hand over a frame whose id decides on its place, if there is one."""
        place = self._numbering.place(frame.frame_id)
        shared = self._numbering.is_shared
        if place is None and shared:
            self._skip("gate")  # it came before the acquisition began for all
        elif place is None:
            self._drop("late")
        elif place.number < (self._gate.limit if shared else self._gate.file_limit):
            self._hand_over(frame, None if shared else place)
        else:
            # Beyond the last place: what is still missing before it does not come any more.
            self._skip("gate")
            self._numbering.end_before(place, self._gate.file_limit, frame.frame_id)
            self._fill(self._gate.file_limit)

    def _hand_over(self, frame: Frame, place: Place | None) -> None:
        """Hand a frame to the acquisition."""
        acquisition = self._acquisition
        assert acquisition is not None
        taken = acquisition.take(frame, place, self._told)
        self._gate.note(frame.frame_id)
        if taken >= self._gate.limit:
            self._fill(taken)

    def _fill(self, taken: int) -> None:
        """The gate's frames are complete, and perhaps the file's."""
        self._gate.shut(time.monotonic())
        self._on_full(taken)

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

    def _offer_again(self) -> None:
        with self._lock:
            self.ledger.book_offered_again()

    def _skip(self, reason: str) -> None:
        with self._lock:
            self.ledger.book_skipped(reason)

    def _drop(self, reason: str) -> None:
        with self._lock:
            self.ledger.book_dropped(reason)

    @property
    def _shut_reason(self) -> str:
        return "idle" if self._acquisition is None else "gate"
