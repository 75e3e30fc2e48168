"""Device class `LimaCCDs`: what clients of Lima's detectors drive, over the first writer of an engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tango import AttrQuality, AutoTangoMonitor, DevFailed, DevState

from repstream.errors import InvalidValue, Refused, StorageError
from repstream.parameters.facts import Role, Value
from repstream.states import is_open, is_unknown
from repstream_tango.lima import table, values
from repstream_tango.lima.conversions import WRITER, number_after, template
from repstream_tango.lima.course import KEYS, Course
from repstream_tango.lima.images import HEADERS, data_array
from repstream_tango.lima.rows import Course as What
from repstream_tango.lima.rows import Row, Shown
from repstream_tango.lima.stored import Images
from repstream_tango.pictures.device import PictureDevice
from repstream_tango.refusal import as_devfailed
from repstream_tango.types import text_to_tango

STATES = {"Ready": DevState.ON, "Running": DevState.RUNNING, "Fault": DevState.FAULT}
ROWS: Mapping[str, Row] = {row.name: row for row in table.ROWS}
VIDEO = "video_"
"""What names of settings begin with that no acquisition depends on."""


class LimaDevice(PictureDevice):
    """Shows one engine as a detector of Lima; the state of an acquisition is that of `Course`."""

    DataArrayVersion: int
    """Property: version of the header of images."""

    _course: Course | None = None
    _stored: Images | None = None

    def init_device(self) -> None:
        super().init_device()
        if self._engine is not None:
            self._course = Course(self._engine, lambda: self.publisher.post(self, self._push_course))
            self._stored = Images(self._engine, self._course, self.pictures)
            if self.DataArrayVersion not in HEADERS:
                versions = ", ".join(map(str, HEADERS))
                self._trouble = (
                    f"the property DataArrayVersion says {self.DataArrayVersion}, but there are {versions}"
                )

    def delete_device(self) -> None:
        if self._stored is not None:
            self._stored.close()
        super().delete_device()
        self._course = self._stored = None

    def state_keys(self) -> Iterable[str]:
        return KEYS

    def engine_state(self) -> DevState:
        if is_unknown(self.value(self.key_of_engine(Role.STATE))):
            return DevState.UNKNOWN
        return STATES[self.course.status]

    def engine_status(self) -> str:
        return f"{self.course.status}: {self.course.fault or self.of_engine(Role.STATUS)}"

    @property
    def course(self) -> Course:
        """The acquisition; DevFailed where a property keeps from having one."""
        self.engine("State")
        assert self._course is not None
        return self._course

    @property
    def stored(self) -> Images:
        """The images of the acquisition; DevFailed where a property keeps from having any."""
        self.engine("State")
        assert self._stored is not None
        return self._stored

    def shown(self, row: Row) -> Shown:
        """The value of an attribute."""
        match row.what:
            case What.STATUS:
                return self.course.status
            case What.FAULT:
                return self.course.fault or "No error"
            case What.READY:
                return not self.course.is_running
            case What.LAST_READY:
                return self.course.last_ready
            case What.LAST_SAVED:
                return self.course.last_saved
            case What.LAST_ACQUIRED:
                return self.course.last_acquired
            case What.NEXT_NUMBER:
                return self.course.next_number
            case What.VIDEO:
                return is_open(self.value(self.key_of_engine(Role.STATE)))
            case _:
                return values.shown(row, self.value)

    def read_row(self, row: Row) -> tuple[Any, float, AttrQuality]:
        """Value, time and quality of an attribute."""
        with as_devfailed(f"{self.get_name()}/{row.name}"):
            times = [self.reading(key).time for key in values.keys(row)]
            return _reading(row, self.shown(row), max(times, default=self.reading(WRITER + "state").time))

    def write_row(self, row: Row, value: Any) -> None:
        """Change what stands behind an attribute; what was only prepared is taken back for that."""
        with self.asked(row.name):
            try:
                self._write(row, _value(value))
            except ValueError as error:
                raise Refused(row.name, str(error)) from None

    def _write(self, row: Row, value: Shown) -> None:
        if row.what is What.VIDEO:
            if value and not self.shown(row):
                self.engine(row.name).execute("engine.start", None, self.requester())
            return
        if row.what is What.NEXT_NUMBER:
            changes: Mapping[str, Value] = {f"{WRITER}file_number": self._number(value)}
        else:
            changes = values.requested(row, value, self.value)
        if row.name == table.PREFIX:
            changes = {**changes, f"{WRITER}file_number": self._free_number(str(value))}
        changes = {key: new for key, new in changes.items() if self.value(key) != new}
        if changes:
            self._change(row, changes)
        if row.name == table.PREFIX or row.what is What.NEXT_NUMBER:
            self.course.numbered()

    def _change(self, row: Row, changes: Mapping[str, Value]) -> None:
        """Write; what was prepared is taken back where it is in the way, but not for what cannot be."""
        engine, requester = self.engine(row.name), self.requester()
        try:
            engine.write(changes, requester)
        except InvalidValue:
            raise
        except Refused:
            if not self.course.take_back(requester):
                raise
            engine.write(changes, requester)
        if not row.name.startswith(VIDEO):
            self.course.take_back(requester)

    def _number(self, value: Shown) -> Value:
        """-1 asks for the number after those of the files that are there, as it does in Lima."""
        prefix = str(self.value(f"{WRITER}file_name"))
        return self._free_number(prefix, always=True) if value == -1 else value  # type: ignore[return-value]

    def _free_number(self, prefix: str, always: bool = False) -> Value:
        """The number after those of the files with `prefix`; as it is where files may be overwritten."""
        if self.value(f"{WRITER}overwrite") and not always:
            return self.value(f"{WRITER}file_number")
        # A folder that does not answer would hold the device: the engine has looked whether it is there.
        is_there = bool(self.value(f"{WRITER}folder_exists"))
        try:
            folder = Path(str(self.value(f"{WRITER}folder")))
            names = [path.name for path in folder.iterdir()] if is_there else []
        except OSError:  # on another host: the engine refuses what exists
            names = []
        return number_after(names, prefix, *template(self.value))

    def run(self, name: str, step: str) -> None:
        """Run a command that moves the acquisition on; DevFailed with the reason."""
        with self.asked(name):
            requester = self.requester()
            match step:
                case "prepare":
                    self._prepare(requester)
                case "start":
                    self.course.start(requester)
                case _:
                    self.course.stop(step, requester)
            self.publisher.post(self, self._push_course)

    def _prepare(self, requester: Any) -> None:
        saves = values.kept(ROWS[table.SAVING_MODE], self.value) == table.AUTO_FRAME
        frames = int(self.value(f"{WRITER}num_images") or 0)
        most = int(values.kept(ROWS[table.FRAMES_PER_FILE], self.value))  # type: ignore[arg-type]
        if saves and frames > most:
            raise Refused(
                "prepareAcq",
                f"the {frames} images of an acquisition are written to one file, but {table.FRAMES_PER_FILE} "
                f"is {most}; set it to {frames} or more",
            )
        self.course.prepare(saves, requester)
        self.stored.begin(saves)

    def images(self, name: str, numbers: Sequence[int]) -> tuple[str, bytes]:
        """These images of the newest acquisition as Lima hands them out; DevFailed with the reason."""
        with as_devfailed(f"{self.get_name()}/{name}"):
            try:
                return data_array(self.stored.read(numbers), self.DataArrayVersion)
            except (ValueError, IndexError, StorageError) as error:
                raise Refused(name, str(error)) from None

    def save_image(self, name: str, number: int) -> None:
        """Write an image of an acquisition without a file to one; DevFailed with the reason."""
        with self.asked(name):
            if values.kept(ROWS[table.SAVING_MODE], self.value) != table.MANUAL or self.course.saves:
                raise Refused(name, "Manual saving is only permitted when saving mode == Manual")
            try:
                self.stored.write(number, self.requester())
            except (ValueError, StorageError) as error:
                raise Refused(name, str(error)) from None

    def words_of(self, name: str) -> list[str]:
        """What may be written to an attribute; DevFailed where there is none of this name."""
        with as_devfailed(f"{self.get_name()}/getAttrStringValueList"):
            if name not in ROWS:
                raise Refused("getAttrStringValueList", f"there is no attribute {name}")
            return list(ROWS[name].words)

    def push_more(self, values_: Mapping[str, Value], times: Mapping[str, float], at: float) -> None:
        again = bool(times)
        moved = again or not KEYS.isdisjoint(values_)
        for row in table.ROWS:
            own = values.keys(row)
            if again or not set(own).isdisjoint(values_) or (moved and isinstance(row.what, What)):
                self._push_row(row, at, again)
        super().push_more(values_, times, at)

    def _push_row(self, row: Row, at: float, again: bool) -> None:
        what = _reading(row, self.shown(row), at)
        if row.writable and what[2] == AttrQuality.ATTR_VALID:
            self.get_device_attr().get_w_attr_by_name(row.name).set_write_value(what[0])
        self.events.push(row.name, what, again=again, gradual=isinstance(what[0], int | float))

    def _push_course(self) -> None:
        """What follows the acquisition, now that it began or ended."""
        try:
            with AutoTangoMonitor(self):
                at = self.reading(WRITER + "state").time
                for row in table.ROWS:
                    if isinstance(row.what, What):
                        self._push_row(row, at, False)
                self._push_state(False)
        except DevFailed:
            pass  # a busy device: the next full round brings it


def _value(value: Any) -> Shown:
    """A written value as Python has it: arrays become tuples."""
    if isinstance(value, np.ndarray | list | tuple):
        return tuple(one.item() if isinstance(one, np.generic) else one for one in value)
    return value.item() if isinstance(value, np.generic) else value  # type: ignore[no-any-return]


def _reading(row: Row, value: Shown, at: float) -> tuple[Any, float, AttrQuality]:
    if value is None:
        return _nothing(row), at, AttrQuality.ATTR_INVALID
    if isinstance(value, tuple):
        shown: Any = [text_to_tango(one) if isinstance(one, str) else one for one in value]
    else:
        shown = text_to_tango(value) if isinstance(value, str) else value
    return shown, at, AttrQuality.ATTR_VALID


def _nothing(row: Row) -> Any:
    empty: Any = "" if row.dtype is table.TEXT else 0
    return [empty] if row.length else empty
