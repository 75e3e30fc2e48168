"""The values of one writer: its newest acquisition, and the one before it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from repstream.dataplane import control
from repstream.parameters.catalogue import Group, key_of
from repstream.parameters.facts import Value
from repstream.parameters.status import NEWEST, PREVIOUS, OutputStatus, PreviousStatus
from repstream.service import figures
from repstream.service.context import ServiceContext
from repstream.service.folders import FolderState
from repstream.service.waiting import space_warning, still_written, wait_of
from repstream.states import ACQUISITION, ENDED, AcquisitionResult, AcquisitionState, WriterState, after

log = logging.getLogger(__name__)

_TOLD_OF_PREVIOUS = frozenset(field.removeprefix(PREVIOUS) for field in PreviousStatus.model_fields)

_OF_FILE = _TOLD_OF_PREVIOUS - OutputStatus.model_fields.keys()
"""The values of an acquisition and its file, without the counters that every output has."""


class WriterBoard:
    """The values of the writer in one slot; used in the owner's thread.

    `which` is NEWEST or PREVIOUS everywhere.
    """

    def __init__(self, context: ServiceContext, slot: int) -> None:
        self._context = context
        self._slot = slot
        self._rates = {NEWEST: figures.Rates(), PREVIOUS: figures.Rates()}

    @property
    def fields(self) -> dict[str, Value]:
        """All values by field."""
        return self._context.fields(Group.WRITER, self._slot)

    @property
    def state(self) -> WriterState:
        return WriterState(str(self.value("state")))

    def value(self, field: str) -> Value:
        return self._context.board.values[key_of(Group.WRITER, self._slot, field)]

    def acquisition(self, which: str) -> AcquisitionState:
        return AcquisitionState(str(self.value(f"{which}acq_state")))

    def is_under_way(self, which: str) -> bool:
        """Whether the file of an acquisition is still to be closed."""
        state = self.acquisition(which)
        if state is AcquisitionState.NONE:
            # The newest one, until its file is there.
            return which == NEWEST and self.state is WriterState.WRITING
        return state not in ENDED

    def which(self, acquisition_id: str) -> str | None:
        """Which of the two acquisitions has this id, if one has."""
        for which in (NEWEST, PREVIOUS):
            if acquisition_id and acquisition_id == self.value(f"{which}acquisition_id"):
                return which
        return None

    def put(self, fields: Mapping[str, Value]) -> None:
        self._context.put_fields(Group.WRITER, self._slot, fields)

    def put_of(self, which: str, fields: Mapping[str, Value]) -> None:
        """Put those of the fields that this acquisition has."""
        self.put(self._of(which, fields))

    def put_begun(self, plan: control.AcquisitionPlan, now: float) -> None:
        """A new acquisition begins; the values of the newest one become those of the previous one."""
        self._rates = {NEWEST: figures.Rates(), PREVIOUS: self._rates[NEWEST]}
        state = after(ACQUISITION, self.acquisition(NEWEST), "begun", "acquisition")
        self.put(
            {
                **{f"{PREVIOUS}{field}": self.value(field) for field in _TOLD_OF_PREVIOUS},
                "acquisition_id": plan.acquisition_id,
                "acq_run_id": plan.run_id,
                "full_file_name": plan.path,
                "num_requested": plan.num_images,
                "num_written": 0,
                "num_missing": 0,
                "progress": 0.0,
                "file_size": 0,
                "start_time": now,
                "stop_time": None,
                "acq_message": "",
                "acq_result": AcquisitionResult.NONE.value,
                "gate": "shut",
            }
        )
        self.put({"acq_state": state.value})

    def told(self, report: control.WriterReport, now: float) -> dict[str, Value]:
        """The counters in a report, and the progress that follows from them, by key.

        None for an acquisition that is neither of the two: it was on its way when another was begun. What
        a writer counts after a start, before its first acquisition, leaves alone what is told of the last
        one's file.
        """
        which = self.which(report.acquisition_id) if report.acquisition_id else NEWEST
        if which is None:
            return {}
        fields = figures.writer_fields(report, now, self._rates[which])
        if not report.acquisition_id:
            fields = {field: value for field, value in fields.items() if field not in _OF_FILE}
        elif which == NEWEST:
            requested = int(self.value("num_requested") or 0)
            fields["progress"] = figures.progress(report.ledger.sent, requested)
        return {key_of(Group.WRITER, self._slot, f): value for f, value in self._of(which, fields).items()}

    def put_end(self, which: str, result: AcquisitionResult, message: str, now: float) -> None:
        """Put what became of an acquisition; its state is for the caller, after that."""
        self.put_of(which, {"stop_time": now, "acq_message": message})
        self.put_of(which, {"acq_result": result.value})

    def put_folder(self, path: str, folder: FolderState) -> None:
        """Put the folder's state, with a warning of too little space while something is written.

        Only the storage itself says that it is full.
        """
        self.put(
            {
                "free_space": folder.free_space,
                "folder_exists": folder.exists,
                "folder_writable": folder.writable,
                "folder_status": folder.problem(path),
            }
        )
        warning = ""
        if self.state is WriterState.WRITING:
            warning = space_warning(self.fields, folder.free_space)
        if warning and not self.value("space_warning"):
            what = f"writer {self.value('name')}, acquisition {self.value('acquisition_id')}"
            log.warning("%s: %s", what, warning)
        self.put({"space_warning": warning})

    def put_wait(self, blocking: Sequence[str]) -> None:
        """Put what the newest acquisition waits for; `blocking`: the outputs that hold up the source.

        The sentence also mentions the previous one, where that is not closed yet.
        """
        fields = self.fields
        wait = wait_of(fields, self._context.fields(Group.SOURCE, 0), blocking, time.time())
        silent = fields["folder_status"] if fields["folder_exists"] is None else ""
        text = "; ".join(str(part) for part in (wait.text, silent, still_written(fields)) if part)
        self.put({"waiting": text, "waiting_for": wait.reason, "waiting_since": wait.since})

    def _of(self, which: str, fields: Mapping[str, Value]) -> Mapping[str, Value]:
        if which == NEWEST:
            return fields
        return {f"{PREVIOUS}{f}": value for f, value in fields.items() if f in _TOLD_OF_PREVIOUS}
