"""What the data plane says: answers, reports, and what happens to acquisitions and gates."""

from __future__ import annotations

import msgspec

from repstream.dataplane.control.report import Opening, Report, WriterReport
from repstream.dataplane.control.request import AcquisitionPlan
from repstream.states import AcquisitionResult, AcquisitionState


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """Answer to one request; `reason` is empty when it was done."""

    request: int
    reason: str = ""


class AcquisitionNotice(msgspec.Struct, frozen=True, tag="acquisition"):
    """An acquisition has got into another state; `report` is its own, with the final counts at an end.

    In FINISHED and FAILED the file is closed, `result` and `message` say how it ended.
    `path` is the file's full name. `time` is in Unix seconds, `clock` the same in monotonic ones. `follow`:
    the next series of the detector may need an acquisition, which can begin now; the input waits for
    `Arm`, or `End`, then.
    """

    slot: int
    acquisition_id: str
    state: AcquisitionState
    result: AcquisitionResult
    message: str
    path: str
    time: float
    clock: float
    report: WriterReport
    follow: bool = False


class GateNotice(msgspec.Struct, frozen=True, tag="gate_notice"):
    """A gate has moved with the file open: shut after its frames or on request, or opened as configured.

    `report` has the counters at the moment at which it shut, `clock` says when that was (monotonic seconds).
    """

    slot: int
    acquisition_id: str
    clock: float
    is_open: bool = False
    opening: Opening | None = None
    report: WriterReport | None = None


class Told(msgspec.Struct, frozen=True):
    """An acquisition as it was begun (see `Arm`), and each state that was reported of it."""

    plan: AcquisitionPlan
    frames: int | None
    notices: tuple[AcquisitionNotice, ...] = ()


class Adopted(msgspec.Struct, frozen=True, tag="adopted"):
    """What goes on in a data plane that a service has taken up; every other notice comes after it.

    `draining`: it was stopped and is not closed yet. `acquisitions`: by slot, the newest last; `gates`:
    the slots of the writers whose gate is open.
    """

    draining: bool
    acquisitions: dict[int, list[Told]]
    gates: tuple[int, ...]


class FirstNotice(msgspec.Struct, frozen=True, tag="first"):
    """The first image of a shared acquisition came to this receiver, and waits for `Settle`.

    `before`: the last id that came before its gate was opened, None where there was none.
    """

    slot: int
    acquisition_id: str
    first_id: int
    before: int | None


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """Everything is closed after `Close`; the last report, and how many frames found no taker."""

    report: Report
    undelivered: int


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """Nothing is open and the data plane is well; ten times a second, where `Report` says it otherwise."""


class Note(msgspec.Struct, frozen=True, tag="note"):
    """Something for the log: `level` as in `logging`."""

    level: int
    message: str


Notice = Answer | Report | Beat | AcquisitionNotice | GateNotice | FirstNotice | Adopted | Closed | Note
