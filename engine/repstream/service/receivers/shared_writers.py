"""The acquisitions of all writers that several receivers share: begun, opened, ended, and what they count."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from repstream.dataplane import control
from repstream.service.receivers.asked import Asked, Reasons, sentence
from repstream.service.receivers.over_parts import FilesOverParts, Task
from repstream.service.receivers.shared_acquisition import SharedAcquisition

AcquisitionSaid = control.AcquisitionNotice | control.GateNotice | control.FirstNotice


class SharedWriters:
    """Those of one start; fills `Doors` for its acquisitions. Used from one thread.

    `receiving` gives the receivers that live, `called` what people call one; `post` has a task done by that
    thread, `tell` takes what the service is to hear.
    """

    def __init__(
        self,
        asked: Asked,
        receiving: Callable[[], Collection[int]],
        called: Callable[[int], str],
        *,
        post: Callable[[Task], None],
        tell: Callable[[control.Notice], None],
    ) -> None:
        self._asked = asked
        self._receiving, self._called = receiving, called
        self._tell = tell
        self._newest: dict[int, SharedAcquisition] = {}
        self._unfinished: dict[str, SharedAcquisition] = {}
        self._files = FilesOverParts(post, self._on_ended)
        self._is_dead = False

    @property
    def are_busy(self) -> bool:
        """Whether an acquisition is not closed yet."""
        return bool(self._unfinished)

    def taking(self) -> list[SharedAcquisition]:
        """The acquisitions that take images, or soon do."""
        return [acquisition for acquisition in self._unfinished.values() if not acquisition.is_ending]

    # --- what is asked ----------------------------------------------------------------------

    def arm(self, request: control.Arm, receivers: int, id_step: int) -> None:
        """Have every receiver make a file, and one made over all."""
        acquisition = SharedAcquisition(request.slot, request.plan, receivers, id_step, self)
        acquisition.wanted = request.frames
        self._unfinished[acquisition.id] = acquisition
        self._files.begin(acquisition)
        asked = set(self._receiving())
        for receiver in set(range(receivers)) - asked:
            acquisition.ids.lose(receiver)
        plans = {receiver: acquisition.part_for(receiver) for receiver in sorted(asked)}

        def armed(reasons: Reasons) -> None:
            if reasons:
                self._give_up(acquisition, reasons)
            else:
                self._newest[request.slot] = acquisition
                if request.frames is not None:
                    acquisition.open(request.frames)
            self._answer(request, reasons)

        self._asked.ask(
            asked, lambda k, number: control.Arm(number, request.slot, plans[k], request.frames), armed
        )

    def open_gate(self, request: control.OpenGate) -> None:
        """Have every receiver open its gate."""
        acquisition = self._newest.get(request.slot)
        if acquisition is None or acquisition.id not in self._unfinished:
            self.refuse(request, "no acquisition is armed")
        elif acquisition.was_open:
            self.refuse(request, "several receivers open the gate once an acquisition; stop it first")
        else:

            def opened(reasons: Reasons) -> None:
                if reasons:
                    acquisition.wanted = None
                else:
                    acquisition.open(request.frames)
                self._answer(request, reasons)

            acquisition.wanted = request.frames
            self._asked.ask(
                self._receiving(), lambda _, number: msgspec.structs.replace(request, request=number), opened
            )

    def note_end(self, request: control.End) -> None:
        """The receivers are asked to end an acquisition."""
        newest = self._newest.get(request.slot)
        acquisition = self._unfinished.get(request.acquisition_id or (newest.id if newest else ""))
        if acquisition is not None:
            acquisition.is_ending = True

    def refuse(self, request: control.Request, reason: str) -> None:
        """Say why something is not done."""
        self._tell(control.Answer(request.request, reason))

    # --- what happens -----------------------------------------------------------------------

    def hear(self, receiver: int, notice: AcquisitionSaid, now: float) -> None:
        """A receiver says something about an acquisition."""
        if (acquisition := self._unfinished.get(notice.acquisition_id)) is not None:
            acquisition.hear(receiver, notice, now)

    def note(self, receiver: int, report: control.Report, now: float) -> None:
        """A receiver reports."""
        for writer in (*report.behind.values(), *report.writers.values()):
            if (acquisition := self._unfinished.get(writer.acquisition_id)) is not None:
                acquisition.on_report(receiver, writer, now)

    def lose(self, receiver: int, reason: str, *, fail: bool, is_last: bool) -> None:
        """A receiver has died; `is_last`: no other lives, and the service hears of that otherwise."""
        self._is_dead = is_last
        for acquisition in list(self._unfinished.values()):
            acquisition.lose(receiver, reason, fail=fail)

    def watch(self, now: float) -> None:
        """Follow the time; `now` is monotonic."""
        for acquisition in list(self._unfinished.values()):
            acquisition.watch(now)

    def enter(self, report: control.Report, before: dict[int, control.WriterReport]) -> control.Report:
        """The report with all writers; `before`: those that had no acquisition yet."""
        writers = before | {slot: acquisition.report() for slot, acquisition in self._newest.items()}
        newest = {acquisition.id for acquisition in self._newest.values()}
        behind = {
            acquisition.slot: acquisition.report()
            for acquisition in self._unfinished.values()
            if acquisition.id not in newest | self._files.given_up
        }
        return msgspec.structs.replace(report, writers=writers, behind=behind)

    def finish_all(self) -> None:
        """Nobody says any more how acquisitions ended: their files do."""
        for acquisition in list(self._unfinished.values()):
            if acquisition.cut():
                self._files.finished(acquisition)()

    # --- `Doors` ----------------------------------------------------------------------------

    def ask(self, receiver: int, build: Callable[[int], control.Request]) -> None:
        """See `Doors`."""
        if receiver in self._receiving():
            self._asked.ask([receiver], lambda _, number: build(number))

    def tell(self, notice: control.Notice) -> None:
        """See `Doors`."""
        refused = (
            isinstance(notice, control.AcquisitionNotice) and notice.acquisition_id in self._files.given_up
        )
        if not (refused or self._is_dead):
            self._tell(notice)

    def show(self, acquisition: SharedAcquisition) -> None:
        """See `Doors`."""
        self._files.finish(acquisition)

    # ----------------------------------------------------------------------------------------

    def _give_up(self, acquisition: SharedAcquisition, reasons: Reasons) -> None:
        """Not all receivers took it: have the others throw away what they made."""
        self._files.given_up.add(acquisition.id)
        for part in acquisition.parts:
            part.is_lost = part.is_lost or part.receiver in reasons
        self._asked.ask(
            set(self._receiving()) - reasons.keys(),
            lambda _, number: control.End(number, acquisition.slot, True, acquisition.id),
        )
        acquisition.advance()

    def _answer(self, request: control.Request, reasons: Reasons) -> None:
        self._tell(control.Answer(request.request, sentence(reasons, self._called)))

    def _on_ended(self, acquisition: SharedAcquisition) -> None:
        del self._unfinished[acquisition.id]
