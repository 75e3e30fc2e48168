"""A data plane without frames, and a real service on it: enough to test everything above frames."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from repstream.accounting import InputSnapshot, OutputSnapshot
from repstream.dataplane import control
from repstream.files.fence import Start
from repstream.parameters.configuration import Configuration
from repstream.parameters.source import SourceConfig
from repstream.parameters.storage import parse
from repstream.parameters.stream import StreamConfig
from repstream.parameters.writer import WriterConfig
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream.states import AcquisitionResult, AcquisitionState


class FakePlane:
    """Fills `supervisor.Plane`. "Frames" come in by `receive`, everything else as the service asks.

    `refuse` makes the next request fail with that reason; `die` ends the plane; while `stalled` it
    says and does nothing; while `draining` a stop ends with `drained` only; `requests` is what was
    asked; `blocking`: every writer says that it holds up the source; `shape`: that of its images;
    `calls`: how long its calls on files took.
    `slow`: a file whose images are complete is not closed before `close_file`. Nothing is written to
    disk.
    """

    def __init__(self, model: type[Configuration] = Configuration) -> None:
        self._model = model
        self.requests: list[control.Request] = []
        self.refuse = ""
        self.blocking = False
        self.slow = False
        self.shape = (8, 8)
        self.calls: dict[control.Call, control.CallReport] = {}
        self.alive = False
        self.start: Start | None = None
        self.stalled = False
        self.draining = False
        self.configuration = Configuration()
        self._unanswered: list[control.Request] = []
        self._received = 0
        self._written: dict[int, int] = {}
        self._plans: dict[int, control.AcquisitionPlan] = {}
        self._flushed: dict[int, list[_Flushed]] = {}
        self._gates: dict[int, int] = {}  # frames until the gate shuts; -1 stays open
        self._next_burst = 0
        self._lock = threading.RLock()

    @property
    def process_id(self) -> int | None:
        return 4242 if self.alive else None

    def launch(
        self, on_notice: Callable[[control.Notice], None], on_death: Callable[[str], None], settings: str
    ) -> bool:
        self.alive = True
        self._tell, self._on_death = on_notice, on_death
        threading.Thread(target=self._beat, name="fake plane", daemon=True).start()
        return False

    def close(self) -> None:
        self.alive = False

    def kill(self) -> None:
        self.die()

    def die(self, reason: str = "killed by SIGKILL") -> None:
        """End as a killed process would."""
        with self._lock:
            self.alive, self.stalled = False, False
            self._unanswered.clear()
            self._plans.clear()
            self._flushed.clear()
            self._gates.clear()
            self._on_death(reason)

    def go_on(self) -> None:
        """Stalled no longer: do what was asked meanwhile."""
        with self._lock:
            self.stalled = False
            requests, self._unanswered = self._unanswered, []
            for request in requests:
                self.send(request)

    def send(self, request: control.Request) -> None:
        with self._lock:
            if self.stalled:
                self._unanswered.append(request)
                return
            self.requests.append(request)
            reason, self.refuse = self.refuse, ""
            self._tell(control.Answer(request.request, reason))
            if not reason:
                self._take(request)

    def _beat(self) -> None:
        while self.alive:
            with self._lock:
                if self.alive and not self.stalled:
                    self._tell(control.Beat())
            time.sleep(0.1)

    def receive(self, frames: int) -> None:
        """So many frames come in; every stream gets them all, a writer as long as its gate is open."""
        with self._lock:
            self._received += frames
            for slot, left in list(self._gates.items()):
                self._write(slot, frames if left < 0 else min(frames, left))
            self._tell(self._report())

    def open_gate_gives(self, frames: int) -> None:
        """So many frames come in as soon as a gate opens next."""
        self._next_burst = frames

    def _take(self, request: control.Request) -> None:
        match request:
            case control.Open():
                self.configuration = parse(request.configuration, "plan", self._model)
                self._received = 0
                self._tell(self._report())
            case control.Update():
                self.configuration = parse(request.configuration, "plan", self._model)
            case control.Close():
                for slot in list(self._plans):
                    self._finish(slot, AcquisitionResult.INTERRUPTED, "Interrupted.")
                if not self.draining:
                    self.drained()
            case control.Arm():
                self._plans[request.slot] = request.plan
                self._written[request.slot] = 0
                self._notice(request.slot, AcquisitionState.WAITING_IMAGES)
                if request.frames is not None:
                    self._open_gate(request.slot, request.frames)
            case control.OpenGate():
                self._open_gate(request.slot, request.frames)
            case control.ShutGate():
                if self._gates.pop(request.slot, None) is not None:
                    shut = self._plans[request.slot].acquisition_id
                    self._tell(control.GateNotice(request.slot, shut, time.monotonic()))
            case control.End():
                if request.slot not in self._plans:
                    return
                if request.discard:
                    self._finish(request.slot, AcquisitionResult.ABORTED, "ERROR:aborted, 0 frames discarded")
                else:
                    self._finish(request.slot, AcquisitionResult.INTERRUPTED, "Interrupted.")

    def _open_gate(self, slot: int, frames: int) -> None:
        wanted = self._plans[slot].num_images
        self._gates[slot] = min(
            (n for n in (frames, wanted and wanted - self._written[slot]) if n), default=-1
        )
        burst, self._next_burst = self._next_burst, 0
        if burst:
            self.receive(burst)

    def _write(self, slot: int, frames: int) -> None:
        plan = self._plans[slot]
        if not self._written[slot] and frames:
            self._notice(slot, AcquisitionState.ACQUIRING_IMAGES)
        self._written[slot] += frames
        if self._gates[slot] > 0:
            self._gates[slot] -= frames
        if plan.num_images and self._written[slot] >= plan.num_images:
            self._finish(slot, AcquisitionResult.COMPLETED, "Completed.")
        elif self._gates[slot] == 0:
            del self._gates[slot]
            self._tell(control.GateNotice(slot, plan.acquisition_id, time.monotonic()))

    def fail(self, slot: int, reason: str) -> None:
        """The storage of a writer fails."""
        with self._lock:
            self._finish(slot, AcquisitionResult.FAILED, f"ERROR:{reason}")

    def drained(self) -> None:
        """The last frames of a stop have gone."""
        self._tell(control.Closed(self._report(), 0))

    def close_file(self, slot: int, which: int = 0) -> None:
        """The file of the acquisition that has been flushed longest (or -1: shortest) is closed."""
        with self._lock:
            ended = self._flushed[slot].pop(which)
            self._tell(ended.notice(AcquisitionState.FINISHED))

    def _finish(self, slot: int, result: AcquisitionResult, message: str) -> None:
        good = result in (AcquisitionResult.COMPLETED, AcquisitionResult.INTERRUPTED)
        ended = _Flushed(slot, self._plans[slot], self._written[slot], result, message)
        if good:
            self._notice(slot, AcquisitionState.FLUSHING_IMAGES)
        self._gates.pop(slot, None)
        del self._plans[slot]
        if good and self.slow:
            self._flushed.setdefault(slot, []).append(ended)
        else:
            self._tell(ended.notice(AcquisitionState.FINISHED if good else AcquisitionState.FAILED))

    def _notice(self, slot: int, state: AcquisitionState) -> None:
        plan = self._plans[slot]
        self._tell(
            control.AcquisitionNotice(
                slot,
                plan.acquisition_id,
                state,
                AcquisitionResult.NONE,
                "",
                plan.path,
                time.time(),
                time.monotonic(),
                self._writer(slot, state),
            )
        )

    def _writer(self, slot: int, state: AcquisitionState) -> control.WriterReport:
        written, acquisition_id = self._written[slot], self._plans[slot].acquisition_id
        return control.WriterReport(
            _ledger(written),
            0.0,
            acquisition_id,
            state,
            slot in self._gates,
            0,
            written,
            self.blocking,
            calls=self.calls,
        )

    def _report(self) -> control.Report:
        n = self._received
        source = control.SourceReport(
            InputSnapshot(n, n, {}, 0, 0, 0, 0, n, n - 1 if n else None, None),
            True,
            time.time() if n else None,
            self.shape if n else None,
            "uint16" if n else None,
        )
        slots = self.configuration.slots
        streams = {
            slots[f"streams.{name}"]: control.StreamReport(_ledger(n), 0.0, 1, 0, False)
            for name, stream in self.configuration.streams.items()
            if stream.enable
        }
        writers = {slot: self._writer(slot, AcquisitionState.ACQUIRING_IMAGES) for slot in self._plans}
        flushed = {slot: ended[0].report() for slot, ended in self._flushed.items() if ended}
        behind = {slot: report for slot, report in flushed.items() if slot in self._plans}
        return control.Report(time.monotonic(), source, streams, flushed | writers, 0, behind)


def _ledger(sent: int, queued: int = 0) -> OutputSnapshot:
    return OutputSnapshot(sent + queued, sent, {}, {}, queued, sent, sent - 1 if sent else None)


class _Flushed(NamedTuple):
    """An acquisition whose images are complete; one of them waits until its file is closed."""

    slot: int
    plan: control.AcquisitionPlan
    frames: int
    result: AcquisitionResult
    message: str

    def notice(self, state: AcquisitionState) -> control.AcquisitionNotice:
        report = control.WriterReport(
            _ledger(self.frames), 0.0, self.plan.acquisition_id, state, False, 0, self.frames
        )
        return control.AcquisitionNotice(
            self.slot,
            self.plan.acquisition_id,
            state,
            self.result,
            self.message,
            self.plan.path,
            time.time(),
            time.monotonic(),
            report,
        )

    def report(self) -> control.WriterReport:
        waiting = min(1, self.frames)
        ledger = _ledger(self.frames - waiting, waiting)
        state = AcquisitionState.FLUSHING_IMAGES
        return control.WriterReport(
            ledger, 0.0, self.plan.acquisition_id, state, False, 0, self.frames - waiting
        )


def configuration(folder: Path) -> Configuration:
    """Two streams, ``live`` and ``preview``, and one writer, ``main``, into `folder`."""
    return Configuration(
        source=SourceConfig(),
        streams={
            "live": StreamConfig(address="tcp://127.0.0.1:19610"),
            "preview": StreamConfig(address="tcp://127.0.0.1:19611", mode="PUB", alarm_on_drop=False),
        },
        writers={"main": WriterConfig(folder=str(folder), file_name="scan")},
    )


@contextmanager
def running_service(folder: Path, plane: FakePlane | None = None) -> Iterator[tuple[Service, FakePlane]]:
    """A started service on a fake data plane, writing below `folder`, for the users 3 and 4 too."""
    plane = plane or FakePlane()
    options = ServiceOptions(
        name="test", roots=(folder,), user_ids=(3, 4), configuration=configuration(folder)
    )
    service = Service(options, plane)
    service.start()
    try:
        yield service, plane
    finally:
        service.close()


@contextmanager
def running_engine(folder: Path) -> Iterator[Service]:
    """As `running_service`, for those who need no frames."""
    with running_service(folder) as (service, _):
        yield service
