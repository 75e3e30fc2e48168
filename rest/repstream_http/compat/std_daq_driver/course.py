"""The statuses that the driver goes through, out of what writer 1 shows. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from repstream.parameters.facts import Value
from repstream.states import AcquisitionState, is_ready, is_unknown, is_writing

Fields = Mapping[str, Value]
Status = dict[str, Any]


class Stage(enum.StrEnum):
    """A status, by the driver's own name."""

    IDLE = "idle"
    CREATING_FILE = "creating_file"
    WAITING = "waiting_for_first_image"
    RECORDING = "recording"
    STOP = "stop"
    SAVING_FILE = "saving_file"
    FILE_SAVED = "file_saved"
    ERROR = "error"


WAY = (Stage.CREATING_FILE, Stage.WAITING, Stage.RECORDING, Stage.STOP, Stage.SAVING_FILE, Stage.FILE_SAVED)
"""The order of the statuses of one file."""

SHOWN = {
    AcquisitionState.NONE: Stage.CREATING_FILE,
    AcquisitionState.WAITING_IMAGES: Stage.WAITING,
    AcquisitionState.ACQUIRING_IMAGES: Stage.RECORDING,
    AcquisitionState.FLUSHING_IMAGES: Stage.SAVING_FILE,
    AcquisitionState.FINISHED: Stage.FILE_SAVED,
    AcquisitionState.FAILED: Stage.ERROR,
}

COUNTED = (Stage.RECORDING, Stage.SAVING_FILE)
"""Statuses that say how many images have been taken."""

LOST = "the writer does not answer; stop resets it"


class Course:
    """Follows writer 1 from change to change; `fields` are those of the writer at the beginning.

    Whoever starts the writer, each file has its statuses in the order of `WAY`: one that the writer was
    too fast to show is put in.
    """

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._acquisition = fields["acquisition_id"]
        self._stage = Stage.IDLE
        self._old_state: Value = None
        if self._acquisition and is_writing(fields["state"]):
            self._stage = SHOWN[AcquisitionState(str(fields["acq_state"]))]

    @property
    def status(self) -> Status:
        """The status now."""
        if self._is_lost:
            return {"status": Stage.ERROR.value, "reason": LOST}
        return self._status(self._stage)

    def take(self, fields: Fields) -> list[Status]:
        """What the writer's fields have become; returns the statuses that follow."""
        was_lost, self._fields = self._is_lost, fields
        passed: list[Status] = []
        if fields["state"] is None:  # there is no writer 1
            return passed
        if fields["acquisition_id"] != self._acquisition:
            self._acquisition = fields["acquisition_id"]
            self._stage = Stage.CREATING_FILE
            # The id comes first: until the state follows, it is that of the acquisition before.
            self._old_state = fields["acq_state"]
            passed.append(self._status(self._stage))
        if fields["acq_state"] != self._old_state:
            self._old_state = None
            passed += self._go_to(SHOWN[AcquisitionState(str(fields["acq_state"]))])
        if is_ready(fields["state"]) and self._stage in (Stage.FILE_SAVED, Stage.ERROR):
            self._stage = Stage.IDLE
            passed.append(self.status)
        elif self._is_lost and not was_lost:
            passed.append(self.status)
        return passed

    def stop(self) -> list[Status]:
        """Somebody ends what is recorded; returns the status that says so, where there is something."""
        if self._stage not in WAY[: WAY.index(Stage.STOP)]:
            return []
        self._stage = Stage.STOP
        return [self._status(Stage.STOP)]

    def _go_to(self, stage: Stage) -> list[Status]:
        if self._stage not in WAY[:-1]:
            return []
        if stage is Stage.ERROR:
            self._stage = stage
            return [self._status(stage)]
        between = WAY[WAY.index(self._stage) + 1 : WAY.index(stage) + 1]
        passed = [each for each in between if each is stage or self._is_passed(each)]
        if passed:
            self._stage = stage
        return [self._status(each) for each in passed]

    def _is_passed(self, stage: Stage) -> bool:
        return stage is not Stage.STOP and (stage is not Stage.RECORDING or self._count > 0)

    def _status(self, stage: Stage) -> Status:
        if stage in COUNTED:
            return {"count": self._count, "status": stage.value}
        if stage is Stage.ERROR:
            reason = str(self._fields["acq_message"]).removeprefix("ERROR:")
            return {"status": stage.value, "reason": reason}
        return {"status": stage.value}

    @property
    def _is_lost(self) -> bool:
        return is_unknown(self._fields["state"])

    @property
    def _count(self) -> int:
        """Images taken: those in the file, and those on their way there."""
        return int(self._fields["num_written"] or 0) + int(self._fields["left"] or 0)
