"""`Acquire`, `Capture` and `FlushNow`: areaDetector's buttons as commands of the first writer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from caproto import AlarmSeverity, AlarmStatus

from repstream.errors import Refused
from repstream.parameters.facts import Value
from repstream.states import AcquisitionResult, RepeaterState, WriterState
from repstream_epics import types
from repstream_epics.areadetector import table, values
from repstream_epics.areadetector.controls import Report
from repstream_epics.areadetector.conversions import ACQUISITION, GATE, STATE, WRITER, is_capturing
from repstream_epics.areadetector.rows import Held, Row
from repstream_epics.channels import Channel, Raw
from repstream_epics.refusal import CmdStatus
from repstream_epics.states import NO_ALARM, NO_VALUE, REFUSED_WRITE, Severity
from repstream_epics.view import Execute, Follow, Outcome, Request

_ENGINE, _RECEIVED = "engine.state", "source.received"
_ENDLESS = 0
_LEAST_TIME = 0.1
"""Seconds that `Acquire` shows 1 at least.

ophyd's `trigger` returns None where the end of its acquisition comes before its own put has returned
(three images in 30 ms), and others poll every 10 ms.
"""

_STATE_ALARMS: Mapping[str, Severity] = {
    "Error": (AlarmStatus.STATE, AlarmSeverity.MAJOR_ALARM),
    "Disconnected": (AlarmStatus.COMM, AlarmSeverity.INVALID_ALARM),
}


@dataclass(eq=False)
class Button:
    """A setpoint and its readback, which both show whether something goes on."""

    setpoint: Channel
    readback: Channel | None
    report_to: Report
    words: tuple[str, ...]
    shown_as: tuple[str, ...] = ()
    on: bool | None = False

    async def publish(self, on: bool | None, time: float, taken: bool = True, again: bool = False) -> None:
        """Show on, off, or None: not known."""
        self.on = on
        alarm = NO_VALUE if on is None else NO_ALARM
        if self.readback is not None:
            await self.readback.show(self.shown_as[bool(on)], alarm, time)
        await self.setpoint.show(self.words[bool(on)], alarm if taken else REFUSED_WRITE, time, again=again)

    def pressed(self, raw: Raw, name: str) -> bool:
        """Whether 1 was written; raises `Refused`."""
        try:
            return types.choice(self.words, raw) == self.words[1]
        except ValueError as error:
            raise Refused(name, str(error)) from None


@dataclass(eq=False)
class CaptureControl:
    """1 is `arm`, 0 is `stop`; it never shows 1 before the file is there, nor for one that was refused."""

    button: Button
    keys: Sequence[str] = (STATE, ACQUISITION)

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        unknown = held[STATE] in (None, WriterState.UNKNOWN)
        await self.button.publish(None if unknown else is_capturing(held), time)

    def request(self, raw: Raw) -> Request:
        if not self.button.pressed(raw, f"{table.HDF}Capture"):
            return Execute(f"{WRITER}stop")
        return Follow(_capture_ended, Execute(f"{WRITER}arm"))

    async def begun(self, time: float) -> None:
        await self.button.report_to.clear(time)

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        await self.button.publish(self.button.on, time, taken, again=True)

    async def report(self, status: CmdStatus, message: str, time: float) -> None:
        await self.button.report_to.of_request(status, message, time)


def _capture_ended(held: Held) -> Outcome | None:
    """How the acquisition ended that was armed; the message is that of the engine."""
    if held[STATE] == WriterState.WRITING:
        return None
    if held[STATE] != WriterState.READY:
        return CmdStatus.FAILED, "the writer has been lost"
    failed = held[f"{WRITER}acq_result"] == AcquisitionResult.FAILED.value
    message = str(held[f"{WRITER}acq_message"] or "")
    return CmdStatus.FAILED if failed else CmdStatus.OK, message


@dataclass(eq=False)
class AcquireControl:
    """1 takes the images of ImageMode; 0 ends that. Without a file open the frames are only counted."""

    button: Button
    state: Channel
    rows: Mapping[str, Row]
    keys: Sequence[str] = (GATE, STATE, _ENGINE, values.KEPT)
    _held: Held = field(default_factory=dict)
    _busy: bool = False
    _asked: bool = False
    _counting: bool = False
    _began: float = 0.0

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        self._held = held
        await self._publish(time)

    def request(self, raw: Raw) -> Request | None:
        if not self.button.pressed(raw, f"{table.CAM}Acquire"):
            return self._ended()
        if self._busy or self._is_open:
            raise Refused(f"{table.CAM}Acquire", "images are being taken already; write 0 first")
        self._asked = True
        images = self._images()
        if self._held[STATE] == WriterState.WRITING:
            return Execute(f"{WRITER}start", images)
        return self._count(images)

    async def begun(self, time: float) -> None:
        self._busy, self._began = True, asyncio.get_running_loop().time()
        await self.button.report_to.clear(time)
        await self._publish(time)

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        if self._busy and not busy:
            await asyncio.sleep(self._began + _LEAST_TIME - asyncio.get_running_loop().time())
        self._busy, self._asked = busy, False
        await self._publish(time, taken, again=True)

    async def report(self, status: CmdStatus, message: str, time: float) -> None:
        await self.button.report_to.of_request(status, message, time)

    @property
    def _is_open(self) -> bool:
        return self._held[STATE] == WriterState.WRITING and self._held[GATE] == "open"

    def _images(self) -> int:
        mode = values.kept(self.rows[table.IMAGE_MODE], self._held)
        number = values.kept(self.rows[table.NUM_IMAGES], self._held)
        return {"Single": 1, "Multiple": int(number or 1)}.get(str(mode), _ENDLESS)

    def _ended(self) -> Request | None:
        self._counting = False
        return Execute(f"{WRITER}stop") if self._is_open else None

    def _count(self, images: int) -> Follow:
        runs = self._held[_ENGINE] == RepeaterState.RUNNING
        since = int(self._held[_RECEIVED] or 0) if runs else 0
        self._counting = True

        def ended(held: Held) -> Outcome | None:
            if held[_ENGINE] != RepeaterState.RUNNING:
                return CmdStatus.FAILED, f"the repeater is {held[_ENGINE]}"
            counted = images != _ENDLESS and int(held[_RECEIVED] or 0) - since >= images
            return (CmdStatus.OK, "") if counted or not self._counting else None

        return Follow(ended, None if runs else Execute("engine.start"))

    async def _publish(self, time: float, taken: bool = True, again: bool = False) -> None:
        # A gate may open and shut before `begun`: clients wait for one edge, and must not see two.
        acquiring = self._busy or self._is_open or (self._asked and bool(self.button.on))
        unknown = self._held[_ENGINE] in (None, RepeaterState.UNKNOWN)
        words = {RepeaterState.ERROR.value: "Error"}
        word = (
            "Disconnected" if unknown else words.get(str(self._held[_ENGINE]), ("Idle", "Acquire")[acquiring])
        )
        await self.state.show(word, _STATE_ALARMS.get(word, NO_ALARM), time)
        await self.button.publish(acquiring, time, taken, again)


@dataclass(eq=False)
class FlushControl:
    """1 is `flush` while a file is open, and nothing otherwise."""

    button: Button
    keys: Sequence[str] = (STATE,)
    _state: Value = None

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        self._state = held[STATE]

    def request(self, raw: Raw) -> Request | None:
        flush = self.button.pressed(raw, f"{table.HDF}FlushNow") and self._state == WriterState.WRITING
        return Execute(f"{WRITER}flush") if flush else None

    async def begun(self, time: float) -> None:
        """It is over at once."""

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        await self.button.publish(False, time, taken, again=True)

    async def report(self, status: CmdStatus, message: str, time: float) -> None:
        await self.button.report_to.of_request(status, message, time)
