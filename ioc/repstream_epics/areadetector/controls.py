"""PVs of areaDetector that follow values and take puts; the buttons are in `acquire.py`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from repstream.errors import Refused
from repstream.parameters.facts import Value
from repstream.states import is_fault
from repstream_epics import types
from repstream_epics.areadetector import conversions, values
from repstream_epics.areadetector.rows import Held, Live, Row
from repstream_epics.areadetector.table import WRITE_STATUS
from repstream_epics.channels import Channel, Raw
from repstream_epics.refusal import CmdStatus, WriteStatus, severity_of
from repstream_epics.states import NO_ALARM, NO_VALUE, REFUSED_WRITE, Severity
from repstream_epics.view import Edit, Follow, Outcome, Write

log = logging.getLogger(__name__)

MESSAGE_LENGTH = 1024
_GOOD = frozenset({CmdStatus.IDLE, CmdStatus.BUSY, CmdStatus.OK, CmdStatus.ABORTED, CmdStatus.INTERRUPTED})
_HEARTBEAT = "engine.heartbeat"
_LOOKS = 2
"""Heartbeats after which the file system has been looked at for certain: the engine looks once a second."""


@dataclass(eq=False)
class Report:
    """What became of the last request, as a message and, for the writer, a status."""

    message: Channel
    status: Channel | None = None

    async def show(self, good: bool, message: str, time: float) -> None:
        severity = severity_of(WriteStatus.OK if good else WriteStatus.ERROR)
        await self.message.show("" if good else types.text_to_pv(message, MESSAGE_LENGTH), severity, time)
        if self.status is not None:
            await self.status.show(WRITE_STATUS[not good], severity, time)

    async def clear(self, time: float) -> None:
        await self.show(True, "", time)

    async def of_request(self, status: CmdStatus, message: str, time: float) -> None:
        """A refusal or failure stays until something is begun: clients write other PVs before they look."""
        if status not in _GOOD:
            await self.show(False, message, time)


@dataclass(eq=False)
class WriterReport:
    """The writer's report follows its acquisition too, which may fail long after it was begun."""

    report: Report
    keys: Sequence[str] = (conversions.ACQUISITION,)

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        failed = is_fault(held[f"{conversions.WRITER}acq_result"])
        if failed or conversions.is_capturing(held):
            await self.report.show(not failed, str(held[f"{conversions.WRITER}acq_message"] or ""), time)


@dataclass(eq=False)
class RowPVs:
    """The PVs of one row; fills `view.Binding` and, where there is a setpoint, `view.Control`."""

    row: Row
    report_to: Report
    readback: Channel | None = None
    setpoint: Channel | None = None
    _value: Value = None
    _held: Held = field(default_factory=dict)

    @property
    def keys(self) -> Sequence[str]:
        return values.keys(self.row)

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        self._held = held
        self._value = values.shown(self.row, held)
        for channel in (self.readback, self.setpoint):
            if channel is not None:
                await channel.show(self._value, self._alarm, time)

    def request(self, raw: Raw) -> Write | Edit | Follow | None:
        try:
            request = values.requested(self.row, raw, self._held)
        except ValueError as error:
            raise Refused(self.row.name, str(error)) from None
        if isinstance(request, Write) and isinstance(self.row.what, Live) and self.row.what.looked_at:
            return self._looked_at(request)
        return request

    async def begun(self, time: float) -> None:
        """A write does not go on."""

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        if self.setpoint is not None:
            alarm = self._alarm if taken else REFUSED_WRITE
            await self.setpoint.show(self._value, alarm, time, again=True)

    async def report(self, status: CmdStatus, message: str, time: float) -> None:
        await self.report_to.of_request(status, message, time)

    @property
    def _alarm(self) -> Severity:
        return NO_VALUE if self._value is None else NO_ALARM

    def _looked_at(self, write: Write) -> Write | Follow:
        """Complete once the engine has looked at what was written, so that clients may ask right away."""
        if all(self._held[key] == value for key, value in write.values.items()):
            return write
        since = int(self._held[_HEARTBEAT] or 0)

        def ended(held: Held) -> Outcome | None:
            beat = held[_HEARTBEAT]
            return None if beat is not None and since <= int(beat) < since + _LOOKS else (CmdStatus.OK, "")

        return Follow(ended, write)


@dataclass(eq=False)
class IgnoredPV:
    """A readback that some scripts write: nothing comes of it."""

    channel: Channel | None = None

    def request(self, raw: Raw) -> None:
        name = self.channel.pvname if self.channel is not None else ""
        log.info("%s is a readback: %r is ignored", name, raw)

    async def begun(self, time: float) -> None:
        """Nothing begins."""

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        if self.channel is not None:
            await self.channel.show(None, NO_ALARM, time, again=True)

    async def report(self, status: CmdStatus, message: str, time: float) -> None:
        """Nothing to say."""
