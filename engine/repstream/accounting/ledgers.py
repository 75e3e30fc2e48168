"""What became of every frame: ledgers whose sums hold exactly.

Input:  messages = frames + malformed + other
Output: offered = sent + skipped + dropped + queued

Each method of a ledger books one event on both sides of its equation, so that the sums hold
after every call. `sent` means handed to the socket, or written for a writer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from repstream.accounting.gap_tracker import GapTracker, Verdict
from repstream.accounting.id_runs import RunLog


class InputSnapshot(msgspec.Struct, frozen=True):
    """An input's counts at one moment: messages = frames + the sums of `malformed` and `other`.

    `malformed` counts by reason, `other` good messages without an image by kind. `late` ones
    are no longer in `missing`, which ends at 2^64-1.
    `nbytes` counts all messages, whatever is in them. `last_time` is that of the last frame.
    """

    messages: int
    frames: int
    malformed: Mapping[str, int]
    missing: int
    duplicates: int
    late: int
    resets: int
    nbytes: int
    last_frame_id: int | None
    last_time: float | None
    other: Mapping[str, int] = msgspec.field(default_factory=dict)


@dataclass(slots=True)
class InputLedger:
    """Counts what an input received. `last_time` is the time given with the last frame.

    `gaps` is a `RunLog` where other receivers get the frames in between.
    """

    messages: int = 0
    frames: int = 0
    nbytes: int = 0
    last_frame_id: int | None = None
    last_time: float | None = None
    malformed: dict[str, int] = field(default_factory=dict)
    other: dict[str, int] = field(default_factory=dict)
    gaps: GapTracker | RunLog = field(default_factory=GapTracker)

    def book_frame(self, frame_id: int, nbytes: int, now: float) -> Verdict:
        """A frame came; `nbytes` is the total size of its parts."""
        self.messages += 1
        self.frames += 1
        self.nbytes += nbytes
        self.last_frame_id = frame_id
        self.last_time = now
        return self.gaps.observe(frame_id)

    def book_malformed(self, reason: str, nbytes: int) -> None:
        """A message came that is no frame; `reason` is that of `MalformedMessage`."""
        self.messages += 1
        self.nbytes += nbytes
        self.malformed[reason] = self.malformed.get(reason, 0) + 1

    def book_other(self, kind: str, nbytes: int) -> None:
        """A good message without an image came; `kind` is one of a few fixed words."""
        self.messages += 1
        self.nbytes += nbytes
        self.other[kind] = self.other.get(kind, 0) + 1

    def snapshot(self) -> InputSnapshot:
        return InputSnapshot(
            messages=self.messages,
            frames=self.frames,
            malformed=dict(self.malformed),
            missing=self.gaps.missing,
            duplicates=self.gaps.duplicates,
            late=self.gaps.late,
            resets=self.gaps.resets,
            nbytes=self.nbytes,
            last_frame_id=self.last_frame_id,
            last_time=self.last_time,
            other=dict(self.other),
        )


class OutputSnapshot(msgspec.Struct, frozen=True):
    """An output's counts at one moment: offered = sent + queued + the sums of `skipped` and `dropped`.

    `skipped` and `dropped` count by reason. `nbytes_sent` belongs to `sent`, `last_frame_id`
    is that of the last frame sent. `kept` ones, which wait to begin a file, are among `queued`.
    """

    offered: int
    sent: int
    skipped: Mapping[str, int]
    dropped: Mapping[str, int]
    queued: int
    nbytes_sent: int
    last_frame_id: int | None
    kept: int = 0


@dataclass(slots=True)
class OutputLedger:
    """Counts what became of every frame, or other message, that reached one output.

    A frame arrives by exactly one of `book_skipped`, `book_dropped`, `book_queued` and
    `book_kept`; a queued one leaves by exactly one of `book_sent` and `book_discarded`, a kept
    one by `book_released`, or by `book_offered_again` to arrive once more.
    """

    offered: int = 0
    sent: int = 0
    queued: int = 0
    kept: int = 0
    nbytes_sent: int = 0
    last_frame_id: int | None = None
    skipped: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)

    def book_skipped(self, reason: str) -> None:
        """A frame arrived and is left out as planned: ``policy``, ``gate``, ``duplicate``."""
        self.offered += 1
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def book_dropped(self, reason: str) -> None:
        """A frame arrived and is lost at once: ``queue``, ``shape``, ``parts``, ``storage``."""
        self.offered += 1
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def book_queued(self, frames: int = 1) -> None:
        """Frames arrived and wait."""
        self.offered += frames
        self.queued += frames

    def book_passed(self, frame_id: int | None, nbytes: int) -> None:
        """A frame arrived and was handed to the socket at once: `book_queued` and `book_sent` in one."""
        self.offered += 1
        self.sent += 1
        self.nbytes_sent += nbytes
        if frame_id is not None:
            self.last_frame_id = frame_id

    def book_sent(self, frame_id: int | None, nbytes: int, frames: int = 1) -> None:
        """Waiting frames were handed to the socket, or are in the file: `nbytes` bytes in all.

        `frame_id` is that of the last of them; None: it was no frame.
        """
        self._leave_queue(frames)
        self.sent += frames
        self.nbytes_sent += nbytes
        if frame_id is not None:
            self.last_frame_id = frame_id

    def book_discarded(self, reason: str, frames: int = 1) -> None:
        """Waiting frames are lost: ``queue`` (oldest dropped), ``abort``, ``storage``."""
        if frames:
            self._leave_queue(frames)
            self.dropped[reason] = self.dropped.get(reason, 0) + frames

    def book_kept(self) -> None:
        """A frame arrived and is kept in case that a file begins with it."""
        self.offered += 1
        self.kept += 1

    def book_released(self, reason: str) -> None:
        """The oldest kept frame is left out after all: ``gate``, ``idle``."""
        self._unkeep()
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def book_offered_again(self) -> None:
        """The oldest kept frame is taken up: it counts as not yet arrived."""
        self._unkeep()
        self.offered -= 1

    def snapshot(self) -> OutputSnapshot:
        return OutputSnapshot(
            offered=self.offered,
            sent=self.sent,
            skipped=dict(self.skipped),
            dropped=dict(self.dropped),
            queued=self.queued + self.kept,
            kept=self.kept,
            nbytes_sent=self.nbytes_sent,
            last_frame_id=self.last_frame_id,
        )

    def _unkeep(self) -> None:
        if self.kept < 1:
            raise ValueError("no frame is kept")
        self.kept -= 1

    def _leave_queue(self, frames: int) -> None:
        if not 0 < frames <= self.queued:
            raise ValueError(f"{frames} frames cannot leave a queue of {self.queued}")
        self.queued -= frames
