"""`Acquire`, `Capture` and `FlushNow`: areaDetector's buttons as commands of the first writer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from caproto import AlarmSeverity, AlarmStatus

from repstream.errors import Refused
from repstream.parameters.facts import Value
from repstream.states import RepeaterState, has_failed, is_fault, is_open, is_ready, is_unknown, is_writing
from repstream_epics import types
from repstream_epics.areadetector import conversions as c
from repstream_epics.areadetector import table, values
from repstream_epics.areadetector.controls import Report
from repstream_epics.areadetector.conversions import ACQUISITION, GATE, STATE, WRITER, is_capturing
from repstream_epics.areadetector.rows import Held, Row
from repstream_epics.channels import Channel, Raw
from repstream_epics.refusal import CmdStatus
from repstream_epics.states import NO_ALARM, NO_VALUE, REFUSED_WRITE, Severity
from repstream_epics.view import Execute, Follow, Outcome, Request

_ENGINE, _RECEIVED, _QUEUED = "engine.state", "source.received", f"{WRITER}queued"
_TAKEN = (f"{WRITER}num_written", _QUEUED)
_ENDLESS = 0
_LEAST_TIME = 0.1
"""Seconds that `Acquire` shows 1 at least.

ophyd's `trigger` returns None where the end of its acquisition comes before its own put has returned
(three images in 30 ms), and others poll every 10 ms.
"""

_LEAST_CAPTURE = 0.2
"""Seconds that `Capture_RBV` shows 1 at least, unless a client ends the capture.

tomoscan looks every 10 to 100 ms for 1 and then for 0, for ever: a file may be full in between.
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
    also: Channel | None = None
    """Shows the same as the readback, under another name."""

    async def publish(self, on: bool | None, time: float, taken: bool = True, again: bool = False) -> None:
        """Show on, off, or None: not known."""
        self.on = on
        alarm = NO_VALUE if on is None else NO_ALARM
        for shown in (self.readback, self.also):
            if shown is not None:
                await shown.show(self.shown_as[bool(on)], alarm, time)
        await self.setpoint.show(self.words[bool(on)], alarm if taken else REFUSED_WRITE, time, again=again)

    def pressed(self, raw: Raw, name: str) -> bool:
        """Whether 1 was written; raises `Refused`."""
        try:
            return types.choice(self.words, raw) == self.words[1]
        except ValueError as error:
            raise Refused(name, str(error)) from None


@dataclass(eq=False)
class CaptureControl:
    """1 is `arm`, 0 is `stop`; it never shows 1 before the file is there, nor for one that was refused.

    While `Acquire` counts images, 1 is `start`: those that come go into the file at once.
    A put completes when both show 0 again.
    """

    button: Button
    take: AcquireControl
    keys: Sequence[str] = (STATE, ACQUISITION)
    _on: bool | None = False
    _until: float = 0.0
    _ending: asyncio.Task[None] | None = None

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        unknown = held[STATE] is None or is_unknown(held[STATE])
        before, self._on = self._on, None if unknown else is_capturing(held)
        if self._on and not before:
            self._until = asyncio.get_running_loop().time() + _LEAST_CAPTURE
        if self._on is False and self.button.on and self._left > 0:
            self._ending = asyncio.create_task(self._end(time))
        else:
            await self.button.publish(self._on, time)

    @property
    def _left(self) -> float:
        """Seconds for which 1 is still shown."""
        return self._until - asyncio.get_running_loop().time()

    async def _end(self, time: float) -> None:
        await asyncio.sleep(self._left)
        await self.button.publish(self._on, time)

    def request(self, raw: Raw) -> Request:
        if not self.button.pressed(raw, f"{table.HDF}Capture"):
            self._until = 0.0
            return Execute(f"{WRITER}stop")
        if self.take.counts:
            return Follow(_capture_ended, Execute(f"{WRITER}start", self.take.left or None))
        return Follow(_capture_ended, Execute(f"{WRITER}arm"))

    async def begun(self, time: float) -> None:
        await self.button.report_to.clear(time)

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        if not self._on and self.button.on:
            await asyncio.sleep(self._left)
        await self.button.publish(self._on, time, taken, again=True)

    async def report(self, status: CmdStatus, message: str, time: float) -> None:
        await self.button.report_to.of_request(status, message, time)


def _capture_ended(held: Held) -> Outcome | None:
    """How the acquisition ended that was armed; the message is that of the engine."""
    if is_writing(held[STATE]):
        return None
    if not is_ready(held[STATE]):
        return CmdStatus.FAILED, "the writer has been lost"
    failed = is_fault(held[f"{WRITER}acq_result"])
    message = str(held[f"{WRITER}acq_message"] or "")
    return CmdStatus.FAILED if failed else CmdStatus.OK, message


@dataclass(eq=False)
class AcquireControl:
    """1 takes the images of ImageMode; 0 ends that, and leaves the file open.

    Without a file open the frames are only counted. With WaitForPlugins it ends when they can be read.
    """

    button: Button
    state: Channel
    counter: Channel
    rows: Mapping[str, Row]
    keys: Sequence[str] = (_ENGINE, GATE, STATE, values.KEPT, _RECEIVED, *_TAKEN)
    _held: Held = field(default_factory=dict)
    _busy: bool = False
    _asked: bool = False
    _counting: bool = False
    _wanted: int = _ENDLESS
    _since: int = 0
    _began: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether images are counted that go to no file."""
        return self._busy and self._counting and not self._is_open

    @property
    def left(self) -> int:
        """How many images are still to come; 0: no end is set."""
        return 0 if self._wanted == _ENDLESS else max(self._wanted - self._so_far, 1)

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        self._held = held
        if self._busy:
            await self._show_counter(time)
        await self._publish(time)

    def request(self, raw: Raw) -> Request | None:
        if not self.button.pressed(raw, f"{table.CAM}Acquire"):
            return self._ended()
        if self._busy or self._is_open:
            raise Refused(f"{table.CAM}Acquire", "images are being taken already; write 0 first")
        self._wanted = self._images()
        self._asked = True
        self._counting = not is_writing(self._held[STATE])
        if self._counting:
            return self._count()
        self._since = self._taken
        start = Execute(f"{WRITER}start", self._wanted or c.MAX_LONG)
        waits = values.kept(self.rows[table.WAIT_FOR_PLUGINS], self._held) == table.NO_YES[1]
        return Follow(_caught_up, start) if waits else start

    async def begun(self, time: float) -> None:
        self._busy, self._began = True, asyncio.get_running_loop().time()
        await self.button.report_to.clear(time)
        await self._show_counter(time)
        await self._publish(time)

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        if self._busy and not busy:
            await asyncio.sleep(self._began + _LEAST_TIME - asyncio.get_running_loop().time())
        self._busy, self._asked = busy, False
        self._counting = self._counting and busy
        await self._publish(time, taken, again=True)

    async def report(self, status: CmdStatus, message: str, time: float) -> None:
        await self.button.report_to.of_request(status, message, time)

    @property
    def _is_open(self) -> bool:
        return is_writing(self._held[STATE]) and self._held[GATE] == "open"

    @property
    def _received(self) -> int:
        return int(self._held[_RECEIVED] or 0)

    @property
    def _taken(self) -> int:
        """Images that the gate has let through to the file."""
        return sum(int(self._held[key] or 0) for key in _TAKEN)

    @property
    def _so_far(self) -> int:
        return max((self._received if self._counting else self._taken) - self._since, 0)

    def _images(self) -> int:
        mode = values.kept(self.rows[table.IMAGE_MODE], self._held)
        number = values.kept(self.rows[table.NUM_IMAGES], self._held)
        return {"Single": 1, "Multiple": int(number or 1)}.get(str(mode), _ENDLESS)

    def _ended(self) -> Request | None:
        self._counting = False
        return Execute(f"{WRITER}pause") if self._is_open else None

    def _count(self) -> Follow:
        runs = is_open(self._held[_ENGINE])
        self._since = self._received if runs else 0

        def ended(held: Held) -> Outcome | None:
            if not is_open(held[_ENGINE]):
                return CmdStatus.FAILED, f"the repeater is {held[_ENGINE]}"
            counted = self._wanted != _ENDLESS and int(held[_RECEIVED] or 0) - self._since >= self._wanted
            return (CmdStatus.OK, "") if counted or not self._counting else None

        return Follow(ended, None if runs else Execute("engine.start"))

    async def _show_counter(self, time: float) -> None:
        shown = self._so_far if self._wanted == _ENDLESS else min(self._so_far, self._wanted)
        await self.counter.show(min(shown, c.MAX_LONG), NO_ALARM, time)

    async def _publish(self, time: float, taken: bool = True, again: bool = False) -> None:
        # A gate may open and shut before `begun`: clients wait for one edge, and must not see two.
        acquiring = self._busy or self._is_open or (self._asked and bool(self.button.on))
        unknown = self._held[_ENGINE] is None or is_unknown(self._held[_ENGINE])
        words = {RepeaterState.ERROR.value: "Error"}
        word = (
            "Disconnected" if unknown else words.get(str(self._held[_ENGINE]), ("Idle", "Acquire")[acquiring])
        )
        await self.state.show(word, _STATE_ALARMS.get(word, NO_ALARM), time)
        await self.button.publish(acquiring, time, taken, again)


def _caught_up(held: Held) -> Outcome | None:
    """Whether everything that the gate let through is in the file, where it can be read."""
    if has_failed(held[ACQUISITION]):
        return CmdStatus.FAILED, str(held[f"{WRITER}acq_message"] or "")
    waits = is_writing(held[STATE]) and (held[GATE] == "open" or held[_QUEUED])
    return None if waits else (CmdStatus.OK, "")


@dataclass(eq=False)
class FlushControl:
    """1 is `flush` while a file is open, and nothing otherwise."""

    button: Button
    keys: Sequence[str] = (STATE,)
    _state: Value = None

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        self._state = held[STATE]

    def request(self, raw: Raw) -> Request | None:
        flush = self.button.pressed(raw, f"{table.HDF}FlushNow") and is_writing(self._state)
        return Execute(f"{WRITER}flush") if flush else None

    async def begun(self, time: float) -> None:
        """It is over at once."""

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        await self.button.publish(False, time, taken, again=True)

    async def report(self, status: CmdStatus, message: str, time: float) -> None:
        await self.button.report_to.of_request(status, message, time)
