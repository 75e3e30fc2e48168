"""Channels of caproto that only show: what a client writes goes to a handler, never into the value.

A channel's value, alarm and time change together in `show`. Record fields (``.DESC``, ``.EGU``) are made
when a client first asks for one (74 objects a record), and are read-only.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

from caproto import (
    AccessRights,
    AlarmSeverity,
    ChannelChar,
    ChannelData,
    ChannelDouble,
    ChannelEnum,
    ChannelInteger,
    ChannelString,
    ChannelType,
    native_type,
)

from repstream.parameters.facts import Alarm
from repstream.protocol import Requester
from repstream_epics.access import WriteAccess
from repstream_epics.fields import NORMAL, PUT_FAILED, Facts, Fields, address_of
from repstream_epics.states import Severity
from repstream_epics.types import DESCRIPTION_LENGTH, LONG_MAX, LONG_MIN, UNIT_LENGTH, text_to_pv

Raw = str | bytes | int | float


class Put(Protocol):
    """Handles what clients write."""

    async def __call__(self, raw: Raw, requester: Requester) -> bool:
        """False makes the put fail for clients that look."""

    async def refuse(self, reason: str) -> bool:
        """Report a put that is not even asked for; False."""


FRONT_END = "epics"
NO_ALARM, MINOR, MAJOR = AlarmSeverity.NO_ALARM, AlarmSeverity.MINOR_ALARM, AlarmSeverity.MAJOR_ALARM


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
    access = WriteAccess()
    """Who may write; the server sets it."""

    def __init__(self, head: Head, facts: dict[str, Any]) -> None:
        self.pvname = head.name
        self.__doc__ = text_to_pv(head.text, DESCRIPTION_LENGTH)  # caproto's .DESC reads it from here
        self.unit = head.unit
        self._put = head.put
        self._disabled = False
        self._fields: Fields | None = None
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
            await self._fields.follow(self, time)

    def check_access(self, hostname: str, username: str) -> AccessRights:
        may_write = self._put is not None and (not self.access.users or username in self.access.users)
        return AccessRights.READ | AccessRights.WRITE if may_write else AccessRights.READ

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
            return PUT_FAILED
        user, address = username or "", address_of(user_address)
        if refusal := self._refusal(user, address):
            self.log.warning("%s: %s", self.pvname, refusal)
            await self._put.refuse(f"{self.pvname}: {refusal}")
            return PUT_FAILED
        requester = Requester(FRONT_END, user, hostname or address)
        taken = await self._put(self._raw(data, native_type(data_type)), requester)
        return NORMAL if taken else PUT_FAILED

    def _refusal(self, user: str, address: str) -> str:
        """Why this client cannot write now; empty where it can."""
        if self._disabled:
            return f"put of {user or 'somebody'} at {address} refused: .DISP is 1; put 0 there first"
        return "" if self.access.allows(user, address) else self.access.reason(user, address)

    def _may_write(self, user: str, address: str) -> bool:
        allowed = self.access.allows(user, address)
        if not allowed:
            self.log.warning("%s: %s", self.pvname, self.access.reason(user, address))
        return allowed

    async def _disable(self, disabled: bool, user: str, address: str) -> bool:
        if not self._may_write(user, address):
            return False
        self._disabled = disabled
        return True

    def get_field(self, field: str) -> ChannelData:
        """The channel of a record's field; raises `KeyError`."""
        if field in ("", "VAL"):
            return self
        if self._fields is None:
            self._fields = Fields(self, self._facts(), self.unit, self._disable)
        return self._fields[field]

    def _facts(self) -> Facts:
        """What the fields say beside the channel; with severities, levels and the type of elements below."""
        return Facts(self._put is not None)

    def _raw(self, data: Any, native: ChannelType) -> Raw:
        """The one value that was written: text from DBR_STRING, else a number."""
        values = list(data)
        if not values:
            return b""
        first = values[0]
        return bytes(first) if native is ChannelType.STRING else _scalar(first)


class NumberChannel(Channel):
    """A number with alarm levels; `level_puts` handles what clients write to the fields of these."""

    levels: Alarm | None
    level_puts: Mapping[str, Put] = MappingProxyType({})

    def __init__(
        self, head: Head, limits: tuple[float, float], alarm: Alarm | None, more: dict[str, Any]
    ) -> None:
        self.levels = alarm
        low, high = limits
        facts = {
            "value": 0,
            "units": head.unit[:UNIT_LENGTH],
            "lower_disp_limit": low,
            "upper_disp_limit": high,
            "lower_ctrl_limit": low,
            "upper_ctrl_limit": high,
        }
        super().__init__(head, {**facts, **self._level_limits(alarm), **more})

    async def set_levels(self, alarm: Alarm | None) -> None:
        """Take other levels."""
        self.levels = alarm
        await self.write_metadata(publish=False, **self._level_limits(alarm))
        if self._fields is not None:
            await self._fields.show_levels(self._facts())

    def _level_limits(self, alarm: Alarm | None) -> dict[str, float]:
        """A level that is not set is the end of the range where others are, and `unset` where none is."""
        least, most = self._unset if alarm is None else self._ends
        levels = alarm or Alarm()
        return {
            "lower_alarm_limit": least if levels.alarm_low is None else levels.alarm_low,
            "lower_warning_limit": least if levels.warning_low is None else levels.warning_low,
            "upper_warning_limit": most if levels.warning_high is None else levels.warning_high,
            "upper_alarm_limit": most if levels.alarm_high is None else levels.alarm_high,
        }

    _ends: tuple[float, float] = (math.nan, math.nan)
    _unset: tuple[float, float] = (math.nan, math.nan)

    def _facts(self) -> Facts:
        alarm = self.levels or Alarm()
        at = (alarm.alarm_high, alarm.warning_high, alarm.warning_low, alarm.alarm_low)
        worst = (MAJOR, MINOR, MINOR, MAJOR)
        return replace(
            super()._facts(),
            levels=tuple(math.nan if level is None else level for level in at),
            level_severities=tuple(
                NO_ALARM if level is None else severity for level, severity in zip(at, worst, strict=True)
            ),
            level_puts={name: partial(self._put_level, put) for name, put in self.level_puts.items()},
        )

    async def _put_level(self, put: Put, raw: Raw, user: str, address: str) -> bool:
        return self._may_write(user, address) and await put(raw, Requester(FRONT_END, user, address))


class LongChannel(NumberChannel, ChannelInteger):  # type: ignore[misc]
    """A signed 32-bit integer."""

    _ends = (LONG_MIN, LONG_MAX)
    _unset = (0, 0)

    def __init__(self, head: Head, limits: tuple[float, float], alarm: Alarm | None) -> None:
        super().__init__(head, limits, alarm, {})


class DoubleChannel(NumberChannel, ChannelDouble):  # type: ignore[misc]
    """A double, with the number of decimals to show."""

    def __init__(self, head: Head, limits: tuple[float, float], alarm: Alarm | None, precision: int) -> None:
        super().__init__(head, limits, alarm, {"precision": precision})


class EnumChannel(Channel, ChannelEnum):  # type: ignore[misc]
    """One of some strings, each with the severity of the alarm that it stands for."""

    def __init__(self, head: Head, strings: Sequence[str], severities: Sequence[AlarmSeverity] = ()) -> None:
        self._severities = severities
        super().__init__(head, {"value": strings[0], "enum_strings": strings})

    def _facts(self) -> Facts:
        return replace(super()._facts(), severities=self._severities)


class TextChannel(Channel, ChannelChar):  # type: ignore[misc]
    """Text as a waveform of characters with room for a closing NUL."""

    def __init__(self, head: Head, length: int) -> None:
        super().__init__(head, {"value": "", "max_length": length + 1})

    def _facts(self) -> Facts:
        return replace(super()._facts(), element="CHAR")

    def _raw(self, data: Any, native: ChannelType) -> Raw:
        values = list(data)
        if native is ChannelType.STRING:
            words = list(map(bytes, values))
            if len(words) == 1 or not all(word.isdigit() and int(word) < 256 for word in words):
                return b" ".join(words)
            values = list(map(int, words))  # `caput -a` writes the numbers of the characters as text
        try:
            return bytes(_byte(v) for v in values).split(b"\0", 1)[0]
        except (OverflowError, ValueError):  # OverflowError: infinity
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


def _scalar(value: Any) -> int | float:
    item = value.item() if hasattr(value, "item") else value
    return item if isinstance(item, int | float) else int(item[0])


def _byte(value: Any) -> int:
    """A character; DBR_CHAR has no sign, but some clients send one."""
    number = int(_scalar(value))
    return number + 256 if -128 <= number < 0 else number
