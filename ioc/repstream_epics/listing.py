"""The PVs of an IOC as lists for other programs: names, a table, an archiver's wishes, an EPICS database."""

from __future__ import annotations

import csv
import enum
import io
import json
import math
from collections.abc import Iterator, Mapping

from caproto import AccessRights, ChannelEnum, ChannelNumeric

from repstream_epics.channels import Channel

_COLUMNS = ("pv", "record", "writable", "unit", "low", "high", "choices", "title")
_PERIOD = "1.0"
_TEXT = "waveform"


class Format(enum.StrEnum):
    """What a list is for."""

    NAMES = "names"
    CSV = "csv"
    ARCHIVER = "archiver"
    DB = "db"


def listing(channels: Mapping[str, Channel], form: Format) -> str:
    """The PVs in one of the formats; each line ends with a newline."""
    match form:
        case Format.NAMES:
            return "".join(f"{name}\n" for name in channels)
        case Format.CSV:
            return _table(channels)
        case Format.ARCHIVER:
            return json.dumps(list(_archived(channels)), indent=1) + "\n"
        case Format.DB:
            return "\n".join(map(_record, channels.values()))


def _table(channels: Mapping[str, Channel]) -> str:
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for name, channel in channels.items():
        low, high = _limits(channel)
        choices = "|".join(channel.enum_strings) if isinstance(channel, ChannelEnum) else ""
        about = (channel.reported_record_type, _is_writable(channel), channel.unit)
        writer.writerow((name, *about, low, high, choices, channel.__doc__))
    return lines.getvalue()


def _archived(channels: Mapping[str, Channel]) -> Iterator[Mapping[str, str]]:
    """What the Archiver Appliance's ``archivePV`` takes: readbacks that are numbers or choices, no texts."""
    for name, channel in channels.items():
        if name.endswith("_RBV") and channel.reported_record_type != _TEXT:
            yield {"pv": name, "samplingperiod": _PERIOD, "samplingmethod": "MONITOR"}


def _record(channel: Channel) -> str:
    """The record that a softIoc would need to have this PV; its values are nobody's."""
    fields = {"DESC": channel.__doc__ or ""}
    record = channel.reported_record_type
    if isinstance(channel, ChannelEnum):
        two = record in ("bi", "bo")
        names = ("ZNAM", "ONAM") if two else [f"{state}ST" for state in _STATES]
        fields |= dict(zip(names, channel.enum_strings, strict=False))
    elif record == _TEXT:
        element = "CHAR" if not isinstance(channel, ChannelNumeric) else "FLOAT"
        fields |= {"FTVL": element, "NELM": str(channel.max_length)}
    elif isinstance(channel, ChannelNumeric):
        low, high = _limits(channel)
        fields |= {"EGU": channel.unit, "LOPR": low, "HOPR": high}
    lines = "".join(f'    field({name}, "{_quoted(text)}")\n' for name, text in fields.items() if text)
    return f'record({record}, "{channel.pvname}") {{\n{lines}}}\n'


_STATES = ["ZR", "ON", "TW", "TH", "FR", "FV", "SX", "SV", "EI", "NI", "TE", "EL", "TV", "TT", "FT", "FF"]


def _limits(channel: Channel) -> tuple[str, str]:
    """Lower and upper limit; empty where there is none."""
    if not isinstance(channel, ChannelNumeric) or channel.lower_ctrl_limit == channel.upper_ctrl_limit:
        return "", ""
    limits = (channel.lower_ctrl_limit, channel.upper_ctrl_limit)
    low, high = ("" if math.isnan(limit) else f"{limit:.17g}" for limit in limits)
    return low, high


def _is_writable(channel: Channel) -> str:
    return "yes" if AccessRights.WRITE in channel.check_access("", "") else "no"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
