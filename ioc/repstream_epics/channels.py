"""Channels of caproto that only show: what a client writes goes to a handler, never into the value.

A channel's value, alarm and time change together in `show`. Record fields (``.DESC``, ``.EGU``) are made
when a client first asks for one (74 objects a record), and are read-only.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from caproto import (
    AccessRights,
    AlarmSeverity,
    AlarmStatus,
    CAStatus,
    ChannelChar,
    ChannelData,
    ChannelDouble,
    ChannelEnum,
    ChannelInteger,
    ChannelString,
    ChannelType,
    native_type,
)
from caproto.server.server import get_record_class

from repstream.parameters.facts import Alarm
from repstream.protocol import Requester
from repstream_epics.states import Severity
from repstream_epics.types import DESCRIPTION_LENGTH, LONG_MAX, LONG_MIN, UNIT_LENGTH, text_to_pv

Raw = str | bytes | int | float
Put = Callable[[Raw, Requester], Awaitable[bool]]
"""Handles what a client wrote; False makes the put fail for clients that look."""

FRONT_END = "epics"
_NORMAL, _PUT_FAILED = (s.value.code_with_severity for s in (CAStatus.ECA_NORMAL, CAStatus.ECA_PUTFAIL))
_LONG_TEXT, _BACKLOG_OF_LONG_TEXT = 4096, 16


@dataclass(frozen=True)
class Head:
    """What every channel has. `put` handles what clients write; without it the PV is read-only."""

    name: str
    record: str
    text: str
    put: Put | None = None
    unit: str = ""


class Channel(ChannelData):  # type: ignore[misc]  # caproto is untyped
    """What all channels share; the subclasses below add a type."""

    log = logging.getLogger(__name__)

    def __init__(self, head: Head, facts: dict[str, Any]) -> None:
        self.pvname = head.name
        self.__doc__ = text_to_pv(head.text, DESCRIPTION_LENGTH)  # caproto's .DESC reads it from here
        self._unit = head.unit
        self._put = head.put
        self._fields: Any = None
        self._shown: tuple[Any, Severity] | None = None
        super().__init__(reported_record_type=head.record, **facts)

    async def show(self, value: Any, alarm: Severity, time: float, again: bool = False) -> None:
        """Publish value, alarm and time (Unix seconds) at once; `None` keeps the value.

        Nothing is sent where nothing changed, unless `again`: widgets then fall back to the value held.
        """
        shown = self.value if value is None else value
        if (shown, alarm) == self._shown and not again:
            return
        self._shown = (shown, alarm)
        status, severity = alarm
        await self.write(shown, verify_value=False, timestamp=time, status=status, severity=severity)
        if self._fields is not None:
            await self._fields["STAT"].write(status.name, timestamp=time)
            await self._fields["SEVR"].write(_word(severity), timestamp=time)

    def check_access(self, hostname: str, username: str) -> AccessRights:
        return AccessRights.READ if self._put is None else AccessRights.READ | AccessRights.WRITE

    async def auth_write(
        self,
        hostname: str | None,
        username: str | None,
        data: Any,
        data_type: ChannelType,
        metadata: Any,
        *,
        flags: int = 0,
        user_address: tuple[str, int] | None = None,
    ) -> int:
        """A client's put. The status of the answer is its outcome: raising would log a traceback for each."""
        if self._put is None or native_type(data_type) not in _NATIVE:
            return int(_PUT_FAILED)
        host = hostname or (user_address[0] if user_address else "")
        requester = Requester(FRONT_END, username or "", host)
        taken = await self._put(self._raw(data, native_type(data_type)), requester)
        return int(_NORMAL if taken else _PUT_FAILED)

    def get_field(self, field: str) -> ChannelData:
        """The channel of a record's field; raises `KeyError`."""
        if field in ("", "VAL"):
            return self
        if self._fields is None:
            self._fields = self._make_fields()
        return self._fields[field]

    def _make_fields(self) -> Any:
        group = get_record_class(self.reported_record_type)(prefix="", parent=self, name=self.pvname)
        for channel in group.pvdb.values():
            channel.check_access = _read_only
        self.alarm.disconnect(group)  # caproto's STAT ends at 16 states and cannot show UDF
        status, severity = AlarmStatus(self.alarm.status), AlarmSeverity(self.alarm.severity)
        group.pvdb["STAT"] = ChannelString(value=status.name)
        group.pvdb["SEVR"] = ChannelString(value=_word(severity))
        group.pvdb["STAT"].check_access = group.pvdb["SEVR"].check_access = _read_only
        if "EGU" in group.pvdb:  # 15 characters here, 7 in a DBR structure
            group.pvdb["EGU"].getter = None
            group.pvdb["EGU"]._data["value"] = self._unit
        return group.pvdb

    def _raw(self, data: Any, native: ChannelType) -> Raw:
        """The one value that was written: text from DBR_STRING, else a number."""
        values = list(data)
        if not values:
            return b""
        first = values[0]
        return bytes(first) if native is ChannelType.STRING else _scalar(first)


class LongChannel(Channel, ChannelInteger):  # type: ignore[misc]
    """A signed 32-bit integer."""

    def __init__(self, head: Head, limits: tuple[float, float], alarm: Alarm | None) -> None:
        super().__init__(head, _number(head, limits, alarm, (LONG_MIN, LONG_MAX), 0))


class DoubleChannel(Channel, ChannelDouble):  # type: ignore[misc]
    """A double, with the number of decimals to show."""

    def __init__(self, head: Head, limits: tuple[float, float], alarm: Alarm | None, precision: int) -> None:
        facts = _number(head, limits, alarm, (math.nan, math.nan), math.nan)
        super().__init__(head, {**facts, "precision": precision})


class EnumChannel(Channel, ChannelEnum):  # type: ignore[misc]
    """One of some strings."""

    def __init__(self, head: Head, strings: Sequence[str]) -> None:
        super().__init__(head, {"value": strings[0], "enum_strings": strings})


class TextChannel(Channel, ChannelChar):  # type: ignore[misc]
    """Text as a waveform of characters with room for a closing NUL."""

    def __init__(self, head: Head, length: int) -> None:
        facts: dict[str, Any] = {"value": "", "max_length": length + 1}
        if length > _LONG_TEXT:
            facts["max_subscription_backlog"] = _BACKLOG_OF_LONG_TEXT
        super().__init__(head, facts)

    def _raw(self, data: Any, native: ChannelType) -> Raw:
        values = list(data)
        if native is ChannelType.STRING:
            return bytes(values[0]) if len(values) == 1 else b" ".join(map(bytes, values))
        try:
            return bytes(_byte(v) for v in values).split(b"\0", 1)[0]
        except ValueError:
            return _scalar(values[0])


class StringChannel(Channel, ChannelString):  # type: ignore[misc]
    """Text of at most 39 characters, which clients take for text without being asked."""

    def __init__(self, head: Head) -> None:
        super().__init__(head, {"value": ""})


_NATIVE = frozenset(
    {
        ChannelType.STRING,
        ChannelType.INT,
        ChannelType.FLOAT,
        ChannelType.ENUM,
        ChannelType.CHAR,
        ChannelType.LONG,
        ChannelType.DOUBLE,
    }
)
"""What is left are alarm acknowledgements, which nobody keeps here."""


def _read_only(hostname: str, username: str) -> AccessRights:
    return AccessRights.READ


def _word(severity: AlarmSeverity) -> str:
    """As base names it: MAJOR, but NO_ALARM."""
    return str(severity.name) if not severity else str(severity.name).removesuffix("_ALARM")


def _scalar(value: Any) -> int | float:
    item = value.item() if hasattr(value, "item") else value
    return item if isinstance(item, int | float) else int(item[0])


def _byte(value: Any) -> int:
    """A character; DBR_CHAR has no sign, but some clients send one."""
    number = int(_scalar(value))
    return number + 256 if -128 <= number < 0 else number


def _number(
    head: Head, limits: tuple[float, float], alarm: Alarm | None, ends: tuple[float, float], unset: float
) -> dict[str, Any]:
    """What a number has besides: unit, limits, alarm levels.

    A level that is not set is the end of the range where others are, and `unset` where none is.
    """
    low, high = limits
    least, most = (unset, unset) if alarm is None else ends
    levels = alarm or Alarm()
    return {
        "value": 0,
        "units": head.unit[:UNIT_LENGTH],
        "lower_disp_limit": low,
        "upper_disp_limit": high,
        "lower_ctrl_limit": low,
        "upper_ctrl_limit": high,
        "lower_alarm_limit": least if levels.alarm_low is None else levels.alarm_low,
        "lower_warning_limit": least if levels.warning_low is None else levels.warning_low,
        "upper_warning_limit": most if levels.warning_high is None else levels.warning_high,
        "upper_alarm_limit": most if levels.alarm_high is None else levels.alarm_high,
    }
