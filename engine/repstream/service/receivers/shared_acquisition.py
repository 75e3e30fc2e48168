"""One acquisition whose images several receivers share: where it begins, when it is complete, how it ends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from repstream.accounting import IdRun, MergedTracker, OutputSnapshot
from repstream.dataplane import control
from repstream.dataplane.control import AcquisitionPlan, WriterReport
from repstream.dataplane.writing.time_limits import TimeLimits
from repstream.files.gaps import GapLog, Range, as_text, joined
from repstream.files.plan import Scalar
from repstream.files.shared_images import SharedImages
from repstream.service.receivers.merging import LOST, Silence, as_lost, summed_output
from repstream.service.receivers.shares import part_of
from repstream.service.receivers.summed_calls import summed_calls
from repstream.states import ACQUISITION, ENDED, OVER, AcquisitionResult, AcquisitionState, after

_TAKING = (AcquisitionState.WAITING_IMAGES, AcquisitionState.ACQUIRING_IMAGES)

SETTLE_TIME = 0.5
"""Seconds for which receivers that have images wait for the first ones of the others."""


class Doors(Protocol):
    """What an acquisition has done by others."""

    def ask(self, receiver: int, build: Callable[[int], control.Request]) -> None:
        """Ask one receiver; an answer is not awaited."""

    def tell(self, notice: control.Notice) -> None:
        """Say something to the service."""

    def show(self, acquisition: SharedAcquisition) -> None:
        """Every receiver has closed its file: have the file over all made, then `SharedAcquisition.shown`."""


@dataclass
class Part:
    """What one receiver writes of the acquisition; `is_lost`: it died. `is_shut`: its gate has shut.

    `is_counted`: its last report is from the end; otherwise its file has images that were not reported, or
    lacks some that were.
    """

    receiver: int
    plan: AcquisitionPlan
    state: AcquisitionState = AcquisitionState.NONE
    result: AcquisitionResult = AcquisitionResult.NONE
    report: WriterReport | None = None
    is_lost: bool = False
    is_shut: bool = False
    is_counted: bool = True

    @property
    def is_over(self) -> bool:
        return self.is_lost or self.state in ENDED


@dataclass
class SharedAcquisition:
    """Follows the parts of an acquisition; `now` is monotonic everywhere.

    All receivers let images through from one id on. It is agreed when each has one: the lowest, but none
    that came to a receiver before its gate was open. With a number of images it ends when the receivers
    have them together, or each has had one beyond the last.
    """

    slot: int
    plan: AcquisitionPlan
    receivers: int
    id_step: int
    doors: Doors
    parts: list[Part] = field(default_factory=list)
    state: AcquisitionState = AcquisitionState.NONE
    first_id: int | None = None
    is_open: bool = False
    is_ending: bool = False

    def __post_init__(self) -> None:
        self.frames = 0
        self.was_open = False
        self._firsts: dict[int, tuple[int, int | None]] = {}
        self._first_since = 0.0
        self._early: list[tuple[int, tuple[IdRun, ...]]] = []
        self._gaps = GapLog(self.id_step)
        self._tracker = MergedTracker(self.receivers, self._gaps)
        self._silence = Silence(self.receivers)
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
        for part in self._live():
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

    def on_first(self, receiver: int, notice: control.FirstNotice, now: float) -> None:
        """A receiver has its first image, which waits."""
        if not self._firsts:
            self._first_since = now
        self._firsts[receiver] = (notice.first_id, notice.before)
        self.watch(now)

    def on_gate(self, receiver: int, notice: control.GateNotice, now: float) -> None:
        """The gate of a receiver has shut after the last image that may be its own."""
        for part in self._live():
            if part.receiver == receiver and not notice.is_open:
                part.is_shut = True
        if notice.report is not None:
            self.on_report(receiver, notice.report, now)

    def on_report(self, receiver: int, report: WriterReport, now: float) -> None:
        """A receiver says how far it is."""
        part = next((p for p in reversed(self.parts) if p.receiver == receiver and not p.is_lost), None)
        if part is None or self._is_shown:
            return
        part.report = report
        self._silence.note(receiver, now, busy=bool(report.runs) or report.blocking)
        if self.first_id is None:
            self._early.append((receiver, report.runs))
        else:
            self._tracker.add(receiver, self._clipped(report.runs))
        self.watch(now)

    def on_notice(self, receiver: int, notice: control.AcquisitionNotice, now: float) -> None:
        """The part of a receiver has got into another state."""
        part = next((p for p in reversed(self.parts) if p.receiver == receiver and not p.is_lost), None)
        if part is None:
            return
        part.state, part.result = notice.state, notice.result
        self.on_report(receiver, notice.report, now)
        if notice.result is AcquisitionResult.FAILED:
            self.fail(f"receiver {receiver + 1}: {notice.message.removeprefix('ERROR:')}")
        self.advance()

    def lose(self, receiver: int, reason: str, *, fail: bool) -> None:
        """A receiver died; what it had not written is lost."""
        for part in self.parts:
            if part.receiver == receiver and not part.is_over:
                part.is_lost, part.is_counted = True, False
                self._lost = f" Receiver {receiver + 1} died ({reason})."
                if fail:
                    self.fail(f"receiver {receiver + 1} died: {reason}")
        self._silence.gone(receiver)
        self.advance()

    def watch(self, now: float) -> None:
        """Agree on the first image, or find that the acquisition is over."""
        if self._is_shown:
            return
        waiting = {part.receiver for part in self._live()} - self._firsts.keys()
        if self._firsts and self.first_id is None:
            if not waiting or now - self._first_since >= SETTLE_TIME:
                self._settle()
        elif self.is_open and not self.is_ending and self._is_full:
            self._fill()
        if self.is_open and not self.is_ending:
            held = any(part.report is not None and part.report.blocking for part in self._live())
            last = self._opening.last_id if self._opening else None
            over = self._limits.check(now, images=self._taken, is_open=True, held=held, last_id=last)
            if over:
                self._why = f"Interrupted: {over}."
                self.end()
        self._tracker.judge(self._silence.at(now))

    # --- what all of it is ------------------------------------------------------------------

    def report(self) -> WriterReport:
        """The acquisition now."""
        if self._final is not None:
            return self._final
        reports = [(part, part.report) for part in self.parts if part.report is not None]
        now = [report for part, report in reports if not part.is_lost]
        return WriterReport(
            ledger=summed_output(
                [as_lost(report.ledger) if part.is_lost else report.ledger for part, report in reports]
            ),
            queue_use=max((report.queue_use for report in now), default=0.0),
            acquisition_id=self.id,
            state=self.state,
            gate_open=self.is_open and not self.is_ending,
            missing=self._gaps.missing,
            file_size=sum(report.file_size for _, report in reports),
            blocking=any(report.blocking for report in now),
            disk_rate=sum(report.disk_rate for report in now),
            disk_wait=max((report.disk_wait for report in now), default=0.0),
            spilled=sum(report.spilled for report in now),
            opening=self._opening,
            calls=summed_calls([report.calls for report in now]),
        )

    @property
    def outcome(self) -> tuple[AcquisitionResult, str]:
        """How it ended, and that as a sentence."""
        results = {part.result for part in self.parts if not part.is_lost}
        if self._failure or not results:
            return AcquisitionResult.FAILED, f"ERROR:{self._failure or self._lost.strip()}"
        if AcquisitionResult.ABORTED in results:
            discarded = self.report().ledger.dropped.get("abort", 0)
            return AcquisitionResult.ABORTED, f"ERROR:aborted, {discarded} frames discarded"
        if results == {AcquisitionResult.COMPLETED}:
            return AcquisitionResult.COMPLETED, f"Completed.{self._lost}"
        return AcquisitionResult.INTERRUPTED, f"{self._why or 'Interrupted.'}{self._lost}"

    def results(self, images: SharedImages | None) -> tuple[WriterReport, Mapping[str, Scalar]]:
        """The last report, and what the file says: both count the images that the file shows."""
        report, missing = self.report(), self._gaps.missing_ids
        if images is not None:
            missing, found = self._still_missing(images)
            ledger = _as_shown(self.parts, images)
            report = msgspec.structs.replace(report, ledger=ledger, missing=report.missing - found)
        result, message = self.outcome
        ledger = report.ledger
        return report, {
            "stop_time": time.time(),
            "outcome": result.value,
            "message": message,
            "received": ledger.offered - ledger.kept,
            "written": ledger.sent,
            "missing": report.missing,
            "missing_ids": as_text(missing),
            "series": 1,
            "dropped": sum(ledger.dropped.values()),
            "skipped": sum(ledger.skipped.values()),
            "duplicates": ledger.skipped.get("duplicate", 0),
            "late": self._gaps.late,
            "dropped_by_reason": json.dumps(ledger.dropped),
            "skipped_by_reason": json.dumps(ledger.skipped),
        }

    def _still_missing(self, images: SharedImages) -> tuple[list[Range], int]:
        """The ids that never came, and how many more had come to a receiver that died before it said so."""
        if all(part.is_counted for part in self.parts):
            return self._gaps.missing_ids, 0
        shown = set(images.arrangement.ids[images.arrangement.file >= 0].tolist())
        ids = [frame_id for low, high in self._gaps.missing_ids for frame_id in range(low, high + 1)]
        missing = [frame_id for frame_id in ids if frame_id not in shown]
        return joined([(frame_id, frame_id) for frame_id in missing], []), len(ids) - len(missing)

    def shown(self, report: WriterReport, failure: str = "") -> None:
        """The file over all is made, or cannot be (`failure`): this is the end."""
        if failure:
            self._failure = self._failure or failure
        result, message = self.outcome
        good = result in (AcquisitionResult.COMPLETED, AcquisitionResult.INTERRUPTED)
        if self.state is AcquisitionState.NONE and good:
            self._enter("waiting")
        self.state = after(
            ACQUISITION, self.state, "finished" if good else "failed", f"acquisition {self.id}"
        )
        self._final = msgspec.structs.replace(report, state=self.state, queue_use=0.0)
        self._tell(result, message, self._final)

    # ----------------------------------------------------------------------------------------

    @property
    def _is_full(self) -> bool:
        """Whether all images that may come are there, or do not come any more."""
        return self.most > 0 and (self._taken >= self.most or all(part.is_shut for part in self._live()))

    def _live(self) -> list[Part]:
        return [part for part in self.parts if not part.is_over]

    @property
    def _taken(self) -> int:
        ledger = self.report().ledger
        return ledger.sent + ledger.queued - ledger.kept

    @property
    def _opening(self) -> control.Opening | None:
        openings = [part.report.opening for part in self.parts if part.report and part.report.opening]
        if not openings:
            return None
        firsts = [opening.first_id for opening in openings if opening.first_id is not None]
        lasts = [opening.last_id for opening in openings if opening.last_id is not None]
        ends = [opening.end for opening in openings if opening.end is not None]
        return control.Opening(
            number=1,
            begin=min(opening.begin for opening in openings),
            end=max(ends) if len(ends) == len(openings) else None,
            images=sum(opening.images for opening in openings),
            first_id=min(firsts, default=None),
            last_id=max(lasts, default=None),
        )

    def _settle(self) -> None:
        first = min(first for first, _ in self._firsts.values())
        step = self.plan.shared_step
        for own, before in self._firsts.values():
            if before is not None and first <= before < own:
                # This receiver left out an image which would be missing.
                least = before + 1
                first = max(first, least + (own - least) % step)
        self.first_id = first
        for part in self._live():
            self.settle(part.receiver)
        early, self._early = self._early, []
        for receiver, runs in early:
            self._tracker.add(receiver, self._clipped(runs))

    def settle(self, receiver: int) -> None:
        """Have a receiver know which image is the first, where that is agreed."""
        if (first := self.first_id) is not None:
            self.doors.ask(receiver, lambda number: control.Settle(number, self.slot, self.id, first))

    def _clipped(self, runs: Sequence[IdRun]) -> Iterator[IdRun]:
        """Those ids that belong to the acquisition."""
        first = self.first_id or 0
        stop = first + self.most * self.plan.shared_step if self.most else None
        for run in runs:
            skipped = max(0, -((run.first - first) // run.step))
            end = run.length if stop is None else min(run.length, -((run.first - stop) // run.step))
            if end > skipped:
                yield IdRun(run.first + skipped * run.step, run.step, end - skipped)

    def _fill(self) -> None:
        """End, or shut the gate."""
        if self.most == self.plan.num_images:
            self.end(complete=True)
            return
        self.is_open = False
        for part in self._live():
            if not part.is_shut:
                self.doors.ask(part.receiver, lambda number: control.ShutGate(number, self.slot))
        self.doors.tell(
            control.GateNotice(
                slot=self.slot,
                acquisition_id=self.id,
                clock=time.monotonic(),
                opening=self._opening,
                report=self.report(),
            )
        )

    def advance(self) -> None:
        """Say the states that all parts have reached together."""
        states = {part.state for part in self.parts if not part.is_lost}
        there = bool(states) and self._has_master and AcquisitionState.NONE not in states
        if self.state is AcquisitionState.NONE and there and not states <= {AcquisitionState.FAILED}:
            self._enter("waiting")
        begun = AcquisitionState.ACQUIRING_IMAGES in states or (states & OVER and self._taken)
        if self.state is AcquisitionState.WAITING_IMAGES and begun:
            self._enter("first_image")
        if self.state in _TAKING and states and states <= OVER and not states <= ENDED:
            self.is_ending = True
            self._enter("flushing")
        over = bool(self.parts) and all(part.is_over for part in self.parts)
        if over and self._has_master and not self._is_shown:
            self._seal()
            self.doors.show(self)

    def _seal(self) -> None:
        """Nothing changes any more: another thread may look."""
        self._is_shown = self.is_ending = True
        self._tracker.judge(range(self.receivers))

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


def _as_shown(parts: Sequence[Part], images: SharedImages) -> OutputSnapshot:
    """The counts of all parts, corrected by what their files really have and what is shown of it.

    A receiver that died may have written images more than it said, or less.
    """
    ledgers = []
    for part, found in zip(parts, images.counts, strict=True):
        if part.report is None:
            continue
        ledger = part.report.ledger
        if not part.is_counted:
            had = ledger.sent + ledger.queued
            dropped = {**ledger.dropped, LOST: max(0, had - found)}
            ledger = msgspec.structs.replace(
                ledger,
                offered=ledger.offered + max(0, found - had),
                sent=found,
                queued=0,
                kept=0,
                dropped={reason: count for reason, count in dropped.items() if count},
            )
        ledgers.append(ledger)
    whole = summed_output(ledgers)
    left = {"duplicate": images.arrangement.repeated, "gate": images.arrangement.outside}
    skipped = dict(whole.skipped)
    for reason, count in left.items():
        if count:
            skipped[reason] = skipped.get(reason, 0) + count
    return msgspec.structs.replace(whole, sent=whole.sent - sum(left.values()), skipped=skipped)
