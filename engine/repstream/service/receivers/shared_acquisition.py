"""One acquisition whose images several receivers share: where it begins, when it is complete, how it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from repstream.dataplane import control
from repstream.dataplane.control import AcquisitionPlan, WriterReport
from repstream.dataplane.writing.file_results import counts_of
from repstream.dataplane.writing.time_limits import TimeLimits
from repstream.files.gaps import count
from repstream.files.plan import Scalar
from repstream.files.shared_images import SharedImages
from repstream.service.receivers.parts import Part, as_shown, live, opening_of, summed, taken
from repstream.service.receivers.shared_ids import SharedIds
from repstream.service.receivers.shares import part_of
from repstream.states import (
    ACQUISITION,
    ENDED,
    OVER,
    AcquisitionResult,
    AcquisitionState,
    after,
    has_failed,
    has_images,
    has_no_file,
    has_no_image,
    is_aborted,
    is_complete,
    is_fault,
    is_good,
    takes_images,
)


class Doors(Protocol):
    """What an acquisition has done by others."""

    def ask(self, receiver: int, build: Callable[[int], control.Request]) -> None:
        """Ask one receiver; an answer is not awaited."""

    def tell(self, notice: control.Notice) -> None:
        """Say something to the service."""

    def show(self, acquisition: SharedAcquisition) -> None:
        """Every receiver has closed its file: have the file over all made, then `SharedAcquisition.shown`."""


@dataclass
class SharedAcquisition:
    """Follows the parts of an acquisition; `now` is monotonic everywhere.

    All receivers let images through from one id on. It is agreed when each has one: the lowest, but none
    that came to a receiver before its gate was open. With a number of images it ends when the receivers
    have them together, or each has had one beyond the last.

    `wanted`: for how many frames the gates have been asked to open (0: all), None: they are to be shut.
    """

    slot: int
    plan: AcquisitionPlan
    receivers: int
    id_step: int
    doors: Doors
    parts: list[Part] = field(default_factory=list)
    state: AcquisitionState = AcquisitionState.NONE
    is_open: bool = False
    is_ending: bool = False
    wanted: int | None = None

    def __post_init__(self) -> None:
        self.frames = 0
        self.was_open = False
        self.ids = SharedIds(self.receivers, self.id_step, self.plan.shared_step)
        self._limits = TimeLimits(
            self.plan.first_image_timeout, self.plan.idle_timeout, self.plan.max_duration
        )
        self._failure = self._why = self._lost = ""
        self._has_master = self._is_shown = False
        self._final: WriterReport | None = None

    @property
    def id(self) -> str:
        return self.plan.acquisition_id

    @property
    def files(self) -> list[Path]:
        return [Path(part.plan.path) for part in self.parts]

    @property
    def all_files(self) -> list[Path]:
        """Those of the parts, and the one over them."""
        return [*self.files, Path(self.plan.path)]

    @property
    def most(self) -> int:
        """Images that may come in all, 0 for any number."""
        return min(filter(None, (self.plan.num_images, self.frames)), default=0)

    # --- what is asked ----------------------------------------------------------------------

    def part_for(self, receiver: int) -> AcquisitionPlan:
        """The plan of the next file, which this receiver is to write."""
        plan = part_of(self.plan, len(self.parts), self.receivers)
        self.parts.append(Part(receiver, plan))
        self.ids.begin(receiver)
        return plan

    def open(self, frames: int) -> None:
        """The gates are open, for `frames` images, or (0) all."""
        self.is_open = self.was_open = True
        self.frames = frames

    def end(self, *, complete: bool = False) -> None:
        """Take no more images."""
        if self.is_ending:
            return
        self.is_ending = True
        for part in live(self.parts):
            self.doors.ask(
                part.receiver,
                lambda number: control.End(number, self.slot, False, self.id, complete=complete),
            )

    def fail(self, reason: str) -> None:
        """End as failed."""
        self._failure = self._failure or reason
        self.end()

    def cut(self) -> bool:
        """All receivers have ended orderly and said no more; whether there is a file to be made."""
        is_due = self._has_master and not self._is_shown
        for part in self.parts:
            if not part.is_over:
                part.state, part.result = AcquisitionState.FINISHED, AcquisitionResult.INTERRUPTED
                part.is_counted = False
        self._seal()
        return is_due

    def on_master(self, failure: str = "") -> None:
        """The file that will show all images is there, or cannot be made."""
        self._has_master = True
        if failure:
            self.fail(failure)
        self.advance()

    # --- what receivers say -----------------------------------------------------------------

    def hear(
        self,
        receiver: int,
        notice: control.AcquisitionNotice | control.GateNotice | control.FirstNotice,
        now: float,
    ) -> None:
        """What a receiver says of this acquisition."""
        match notice:
            case control.AcquisitionNotice():
                self._on_state(receiver, notice, now)
            case control.GateNotice():
                self._on_gate(receiver, notice, now)
            case control.FirstNotice():
                self.ids.note_first(receiver, notice.first_id, notice.before, now)
                self.watch(now)

    def on_report(self, receiver: int, report: WriterReport, now: float) -> None:
        """A receiver says how far it is."""
        part = self._part_of(receiver)
        if part is None or self._is_shown:
            return
        part.report = report
        self.ids.note(receiver, report.runs, self.most, now, held=report.blocking)
        self.watch(now)

    def lose(self, receiver: int, reason: str, *, fail: bool) -> None:
        """A receiver died; what it had not written is lost."""
        for part in self.parts:
            if part.receiver == receiver and not part.is_over:
                part.is_lost, part.is_counted = True, False
                self._lost = f" Receiver {receiver + 1} died ({reason})."
                if fail:
                    self.fail(f"receiver {receiver + 1} died: {reason}")
        self.ids.lose(receiver)
        self.advance()

    def watch(self, now: float) -> None:
        """Agree on the first image, or find that the acquisition is over."""
        if self._is_shown:
            return
        if self.ids.settle({part.receiver for part in live(self.parts)}, self.most, now):
            for part in live(self.parts):
                self.settle(part.receiver)
        elif self.ids.first is not None and self.is_open and not self.is_ending and self._is_full:
            self._fill()
        if self.is_open and not self.is_ending:
            held = any(part.report is not None and part.report.blocking for part in live(self.parts))
            last = opening.last_id if (opening := opening_of(self.parts)) else None
            over = self._limits.check(now, images=taken(self.parts), is_open=True, held=held, last_id=last)
            if over:
                self._why = f"Interrupted: {over}."
                self.end()
        self.ids.judge()

    # --- what all of it is ------------------------------------------------------------------

    def report(self) -> WriterReport:
        """The acquisition now."""
        if self._final is not None:
            return self._final
        is_open = self.is_open and not self.is_ending
        return summed(self.parts, self.id, self.state, self.ids.gaps.missing, is_open=is_open)

    @property
    def outcome(self) -> tuple[AcquisitionResult, str]:
        """How it ended, and that as a sentence."""
        results = {part.result for part in self.parts if not part.is_lost}
        if self._failure or not results:
            return AcquisitionResult.FAILED, f"ERROR:{self._failure or self._lost.strip()}"
        if any(map(is_aborted, results)):
            discarded = self.report().ledger.dropped.get("abort", 0)
            return AcquisitionResult.ABORTED, f"ERROR:aborted, {discarded} frames discarded"
        if all(map(is_complete, results)):
            return AcquisitionResult.COMPLETED, f"Completed.{self._lost}"
        return AcquisitionResult.INTERRUPTED, f"{self._why or 'Interrupted.'}{self._lost}"

    def results(self, images: SharedImages | None) -> tuple[WriterReport, Mapping[str, Scalar]]:
        """The last report, and what the file says: both count the images that the file shows."""
        report, missing = self.report(), self.ids.gaps.missing_ids
        if images is not None:
            there = set[int]()
            if not all(part.is_counted for part in self.parts):
                there.update(images.arrangement.ids[images.arrangement.file >= 0].tolist())
            known, missing = count(missing), self.ids.missing_but(there)
            report = msgspec.structs.replace(
                report,
                ledger=as_shown(self.parts, images),
                missing=report.missing - known + count(missing),
            )
        result, message = self.outcome
        return report, {
            **counts_of(report.ledger, missing=report.missing, missing_ids=missing),
            "stop_time": time.time(),
            "outcome": result.value,
            "message": message,
            "series": 1,
            "late": self.ids.gaps.late,
        }

    def shown(self, report: WriterReport, failure: str = "") -> None:
        """The file over all is made, or cannot be (`failure`): this is the end."""
        if failure:
            self._failure = self._failure or failure
        result, message = self.outcome
        good = is_good(result)
        if has_no_file(self.state) and good:
            self._enter("waiting")
        self.state = after(
            ACQUISITION, self.state, "finished" if good else "failed", f"acquisition {self.id}"
        )
        self._final = msgspec.structs.replace(report, state=self.state, queue_use=0.0)
        self._tell(result, message, self._final)

    # ----------------------------------------------------------------------------------------

    def _on_state(self, receiver: int, notice: control.AcquisitionNotice, now: float) -> None:
        """The part of a receiver has got into another state."""
        part = self._part_of(receiver)
        if part is None:
            return
        part.state, part.result = notice.state, notice.result
        self.on_report(receiver, notice.report, now)
        if is_fault(notice.result):
            self.fail(f"receiver {receiver + 1}: {notice.message.removeprefix('ERROR:')}")
        self.advance()

    def _on_gate(self, receiver: int, notice: control.GateNotice, now: float) -> None:
        """The gate of a receiver has shut after the last image that may be its own."""
        for part in live(self.parts):
            if part.receiver == receiver and not notice.is_open:
                part.is_shut = True
        if notice.report is not None:
            self.on_report(receiver, notice.report, now)

    def _part_of(self, receiver: int) -> Part | None:
        """What a receiver writes now, or wrote last; None where it died and has not begun again."""
        return next((p for p in reversed(self.parts) if p.receiver == receiver and not p.is_lost), None)

    @property
    def _is_full(self) -> bool:
        """Whether all images that may come are there, or do not come any more."""
        return self.most > 0 and (
            taken(self.parts) >= self.most or all(part.is_shut for part in live(self.parts))
        )

    def settle(self, receiver: int) -> None:
        """Have a receiver know which image is the first, where that is agreed."""
        if (first := self.ids.first) is not None:
            self.doors.ask(receiver, lambda number: control.Settle(number, self.slot, self.id, first))

    def _fill(self) -> None:
        """End, or shut the gate."""
        if self.most == self.plan.num_images:
            self.end(complete=True)
            return
        self.is_open, self.wanted = False, None
        for part in live(self.parts):
            if not part.is_shut:
                self.doors.ask(part.receiver, lambda number: control.ShutGate(number, self.slot))
        self.doors.tell(
            control.GateNotice(
                slot=self.slot,
                acquisition_id=self.id,
                clock=time.monotonic(),
                opening=opening_of(self.parts),
                report=self.report(),
            )
        )

    def advance(self) -> None:
        """Say the states that all parts have reached together."""
        states = {part.state for part in self.parts if not part.is_lost}
        there = bool(states) and self._has_master and not any(map(has_no_file, states))
        if has_no_file(self.state) and there and not all(map(has_failed, states)):
            self._enter("waiting")
        begun = any(map(has_images, states)) or (states & OVER and taken(self.parts))
        if has_no_image(self.state) and begun:
            self._enter("first_image")
        if takes_images(self.state) and states and states <= OVER and not states <= ENDED:
            self.is_ending = True
            self._enter("flushing")
        over = bool(self.parts) and all(part.is_over for part in self.parts)
        if over and self._has_master and not self._is_shown:
            self._seal()
            self.doors.show(self)

    def _seal(self) -> None:
        """Nothing changes any more: another thread may look."""
        self._is_shown = self.is_ending = True
        self.ids.close()

    def _enter(self, event: str) -> None:
        self.state = after(ACQUISITION, self.state, event, f"acquisition {self.id}")
        self._tell(AcquisitionResult.NONE, "", self.report())

    def _tell(self, result: AcquisitionResult, message: str, report: WriterReport) -> None:
        self.doors.tell(
            control.AcquisitionNotice(
                slot=self.slot,
                acquisition_id=self.id,
                state=self.state,
                result=result,
                message=message,
                path=self.plan.path,
                time=time.time(),
                clock=time.monotonic(),
                report=report,
            )
        )
