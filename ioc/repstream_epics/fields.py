"""The fields of a record, behind a channel of caproto: made when a client first asks for one.

caproto has the menu fields of every record and links units, limits and strings to the channel. What it
cannot know is made here: alarm and its reason, whether there is a value, the severity of each level and
state, the length of a waveform, and who may write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from caproto import (
    AccessRights,
    AlarmSeverity,
    AlarmStatus,
    CAStatus,
    ChannelByte,
    ChannelData,
    ChannelDouble,
    ChannelEnum,
    ChannelInteger,
    ChannelString,
)
from caproto.server.server import get_record_class

NORMAL, PUT_FAILED = (int(s.value.code_with_severity) for s in (CAStatus.ECA_NORMAL, CAStatus.ECA_PUTFAIL))
SEVERITIES = ("NO_ALARM", "MINOR", "MAJOR", "INVALID")
FIELD_TYPES = (
    "STRING",
    "CHAR",
    "UCHAR",
    "SHORT",
    "USHORT",
    "LONG",
    "ULONG",
    "INT64",
    "UINT64",
    "FLOAT",
    "DOUBLE",
    "ENUM",
)
"""`menuFtype` of EPICS base."""

_STATES = ["ZR", "ON", "TW", "TH", "FR", "FV", "SX", "SV", "EI", "NI", "TE", "EL", "TV", "TT", "FT", "FF"]
LEVELS, LEVEL_SEVERITIES = ("HIHI", "HIGH", "LOW", "LOLO"), ("HHSV", "HSV", "LSV", "LLSV")
_OPEN, _SHUT = "DEFAULT", "READONLY"
_MESSAGES = {
    AlarmStatus.UDF: "no value now",
    AlarmStatus.WRITE: "the last put was refused",
    AlarmStatus.COMM: "nothing is known",
}


LevelPut = Callable[[Any, str, str], Awaitable[bool]]
"""Takes what is written to a level, by which user at which address; False where that is refused."""


@dataclass(frozen=True)
class Facts:
    """What a record is besides its channel.

    `severities` are those of the states of an enum, by number; `levels` are HIHI, HIGH, LOW and LOLO
    (NaN: none), with their severities; `level_puts` take what is written to them, by name.
    `element` is the type of a waveform's elements. `may_write`: whether clients can write it at all.
    """

    may_write: bool
    severities: Sequence[AlarmSeverity] = ()
    levels: tuple[float, ...] = ()
    level_severities: tuple[AlarmSeverity, ...] = ()
    level_puts: Mapping[str, LevelPut] = field(default_factory=dict)
    element: str = ""


Disable = Callable[[bool, str, str], Awaitable[bool]]
"""Takes what is written to ``.DISP``, by which user at which address; False where that is refused."""


class Fields:
    """The fields of `channel`, by name."""

    def __init__(self, channel: ChannelData, facts: Facts, unit: str, disable: Disable) -> None:
        group = get_record_class(channel.reported_record_type)(prefix="", parent=channel, name=channel.pvname)
        channel.alarm.disconnect(group)  # caproto's STAT ends at 16 states and cannot show UDF
        self._channels: dict[str, ChannelData] = dict(group.pvdb)
        if "EGU" in self._channels:  # 15 characters here, 7 in a DBR structure
            self._channels["EGU"].getter = None
            self._channels["EGU"]._data["value"] = unit
        self._channels |= _own(channel, facts)
        for one in self._channels.values():
            one.check_access = _read_only
        for name, put in facts.level_puts.items():
            self._channels[name] = _Level(put, self._channels[name].value)
        if facts.may_write:
            self._channels["DISP"] = _Disp(disable)

    def __getitem__(self, name: str) -> ChannelData:
        return self._channels[name]

    async def show_levels(self, facts: Facts) -> None:
        """Show other levels, with their severities."""
        for name, level in zip(LEVELS, facts.levels, strict=True):
            await self._channels[name].write(level, verify_value=False)
        for name, severity in zip(LEVEL_SEVERITIES, facts.level_severities, strict=True):
            await self._channels[name].write(SEVERITIES[severity])

    async def follow(self, channel: ChannelData, time: float) -> None:
        """Show what has changed with the value."""
        status = AlarmStatus(channel.alarm.status)
        changed: dict[str, Any] = {
            "STAT": status.name,
            "SEVR": SEVERITIES[channel.alarm.severity],
            "UDF": int(status is AlarmStatus.UDF),
            "AMSG": _MESSAGES.get(status, ""),
        }
        if "NORD" in self._channels:
            changed["NORD"] = channel.length
        for name, value in changed.items():
            if self._channels[name].value != value:
                await self._channels[name].write(value, timestamp=time)


def _own(channel: ChannelData, facts: Facts) -> Mapping[str, ChannelData]:
    status = AlarmStatus(channel.alarm.status)
    made: dict[str, ChannelData] = {
        "STAT": ChannelString(value=status.name),
        "SEVR": _severity(AlarmSeverity(channel.alarm.severity)),
        "UDF": ChannelByte(value=int(status is AlarmStatus.UDF)),
        "AMSG": ChannelString(value=_MESSAGES.get(status, "")),
        "ASG": ChannelString(value=_OPEN if facts.may_write else _SHUT),
        "DISP": ChannelByte(value=0),
    }
    if facts.element:
        made["FTVL"] = ChannelEnum(value=facts.element, enum_strings=FIELD_TYPES)
        made["NORD"] = ChannelInteger(value=channel.length)
    if channel.reported_record_type in ("ao", "longout"):
        number = ChannelDouble if channel.reported_record_type == "ao" else ChannelInteger
        made["DRVL"] = number(value=channel.lower_ctrl_limit)
        made["DRVH"] = number(value=channel.upper_ctrl_limit)
    names = ("ZSV", "OSV") if channel.reported_record_type in ("bi", "bo") else [f"{s}SV" for s in _STATES]
    made |= {name: _severity(severity) for name, severity in zip(names, facts.severities, strict=False)}
    made |= {name: ChannelDouble(value=level) for name, level in zip(LEVELS, facts.levels, strict=False)}
    levels = zip(LEVEL_SEVERITIES, facts.level_severities, strict=False)
    return made | {name: _severity(severity) for name, severity in levels}


def _severity(severity: AlarmSeverity) -> ChannelEnum:
    return ChannelEnum(value=SEVERITIES[severity], enum_strings=SEVERITIES)


class _Writable:
    """A field that clients write: `take` gets the number, the user and the address, and may refuse it."""

    def __init__(self, take: LevelPut, value: float) -> None:
        super().__init__(value=value)  # type: ignore[call-arg]  # of the channel beside it
        self._take = take

    async def auth_write(
        self,
        hostname: Any,
        username: Any,
        data: Any,
        *_: Any,
        user_address: tuple[str, int] | None = None,
        **__: Any,
    ) -> int:
        try:
            number = float(_first(data))
        except (TypeError, ValueError):
            return PUT_FAILED
        return NORMAL if await self._take(number, username or "", address_of(user_address)) else PUT_FAILED


class _Level(_Writable, ChannelDouble):  # type: ignore[misc]  # caproto is untyped
    """One alarm level; its value follows what becomes of a put."""


class _Disp(_Writable, ChannelByte):  # type: ignore[misc]
    """``.DISP``: while it is not 0, puts to the record are refused; until the IOC is started again."""

    def __init__(self, disable: Disable) -> None:
        async def take(number: float, user: str, address: str) -> bool:
            shut = number != 0
            taken = await disable(shut, user, address)
            if taken:
                await self.write(int(shut))
            return taken

        super().__init__(take, 0)


def address_of(user_address: tuple[str, int] | None) -> str:
    """Where a client connects from; empty where that is not known."""
    return user_address[0] if user_address else ""


def _first(data: Any) -> Any:
    first = next(iter(data))
    return first.decode() if isinstance(first, bytes) else first


def _read_only(hostname: str, username: str) -> AccessRights:
    return AccessRights.READ
