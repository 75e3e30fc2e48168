"""How the catalogue's values travel in Tango, and what does not travel."""

from __future__ import annotations

from typing import Any, assert_never

from tango import AttrQuality, CmdArgType, DispLevel

from repstream.parameters.catalogue import Parameter
from repstream.parameters.facts import Format, Kind, Level, Severity, Value
from repstream_tango.names import SLOT_CLASSES, label

CANNOT = frozenset({"default", "length"})
"""Facts that Tango cannot carry: an attribute has no default and a text no greatest length, and
texts are Latin-1 on the wire (other characters arrive escaped as in Python: ``\\u03bc``)."""

LARGEST_SIGNED = 2**63 - 1

TangoValue = bool | int | float | str


def tango_type(parameter: Parameter) -> CmdArgType:
    """The Tango type of an attribute; an integer is 64 bits wide, unsigned where it needs to be."""
    match parameter.kind:
        case Kind.BOOL:
            return CmdArgType.DevBoolean
        case Kind.INT:
            return CmdArgType.DevULong64 if _needs_unsigned(parameter) else CmdArgType.DevLong64
        case Kind.FLOAT:
            return CmdArgType.DevDouble
        case Kind.TEXT:
            return CmdArgType.DevString
        case Kind.CHOICE:
            return CmdArgType.DevEnum
    assert_never(parameter.kind)


def argument_type(kind: Kind) -> CmdArgType:
    """The Tango type of a command's argument; a choice is given as its text."""
    match kind:
        case Kind.BOOL:
            return CmdArgType.DevBoolean
        case Kind.INT:
            return CmdArgType.DevLong64
        case Kind.FLOAT:
            return CmdArgType.DevDouble
        case Kind.TEXT | Kind.CHOICE:
            return CmdArgType.DevString
    assert_never(kind)


def configuration(parameter: Parameter, alone: bool = False) -> dict[str, Any]:
    """The facts that an attribute's configuration carries, as `tango.server.attribute` takes them.

    `alone`: on a device that shows one slot and nothing else.
    """
    facts: dict[str, Any] = {
        "label": label(parameter, alone=alone),
        "display_level": display_level(parameter, alone),
        "unit": parameter.unit,
        "doc": parameter.text,
        "min_value": parameter.minimum,
        # cppTango reads a limit beyond 63 bits as less than 0; DevULong64 ends there by itself.
        "max_value": None if _needs_unsigned(parameter) else parameter.maximum,
        "enum_labels": list(parameter.choices) or None,
        "format": _format(parameter),
    }
    if parameter.alarm is not None:
        levels = {
            "min_warning": parameter.alarm.warning_low,
            "max_warning": parameter.alarm.warning_high,
            "min_alarm": parameter.alarm.alarm_low,
            "max_alarm": parameter.alarm.alarm_high,
        }
        # An engine elsewhere names a level 1.0, and no server starts with an integer that has such a one.
        whole = parameter.kind is Kind.INT
        facts |= {
            name: int(level) if whole and level is not None else level for name, level in levels.items()
        }
    return {name: fact for name, fact in facts.items() if fact is not None}


def display_level(parameter: Parameter, alone: bool = False) -> DispLevel:
    """Who needs an attribute.

    Where a device shows all slots of a group, operators have the lists, and a device of each slot.
    """
    beside_others = parameter.slot and parameter.group in SLOT_CLASSES and not alone
    return DispLevel.EXPERT if beside_others or parameter.level is Level.EXPERT else DispLevel.OPERATOR


def _format(parameter: Parameter) -> str | None:
    if parameter.format is Format.TIME:
        return "%.3f"  # "%.6g" would hide the last three hours of a Unix time
    return {Kind.INT: "%d", Kind.FLOAT: "%.6g", Kind.TEXT: "%s"}.get(parameter.kind)


def to_tango(parameter: Parameter, value: Value) -> TangoValue | None:
    """A value of the catalogue as Tango takes it: a choice as its number. `None` stays None."""
    if value is None:
        return None
    if parameter.kind is Kind.CHOICE:
        return parameter.choices.index(str(value))
    return text_to_tango(value) if isinstance(value, str) else value


def from_tango(parameter: Parameter, value: TangoValue) -> Value:
    """A value that a Tango client wrote as the catalogue has it: a choice as its text."""
    return parameter.choices[int(value)] if parameter.kind is Kind.CHOICE else value


def placeholder(parameter: Parameter) -> TangoValue:
    """What goes along with the quality ATTR_INVALID, which Tango wants beside some value."""
    match parameter.kind:
        case Kind.BOOL:
            return False
        case Kind.FLOAT:
            return 0.0
        case Kind.TEXT:
            return ""
        case Kind.INT | Kind.CHOICE:
            return 0
    assert_never(parameter.kind)


def quality(parameter: Parameter, value: Value) -> AttrQuality:
    """How bad a value is, as Tango has it: no value is INVALID, a state that is not known an ALARM."""
    if value is None:
        return AttrQuality.ATTR_INVALID
    return _QUALITIES[parameter.severity(value)]


_QUALITIES = {
    Severity.NONE: AttrQuality.ATTR_VALID,
    Severity.MINOR: AttrQuality.ATTR_WARNING,
    Severity.MAJOR: AttrQuality.ATTR_ALARM,
    Severity.INVALID: AttrQuality.ATTR_ALARM,  # ATTR_INVALID would take the value away from clients
}


def text_to_tango(text: str) -> str:
    """A text as Tango's Latin-1 strings can hold it: what is beyond is escaped, nothing is lost.

    A NUL would end the string on the wire, so it is escaped too.
    """
    return text.encode("latin-1", "backslashreplace").decode("latin-1").replace("\0", "\\x00")


def message_to_tango(text: str) -> str:
    """A Status or an error's text: pytango sends these as UTF-8 but clients read Latin-1."""
    return text.encode("ascii", "backslashreplace").decode("ascii").replace("\0", "\\x00")


def _needs_unsigned(parameter: Parameter) -> bool:
    return parameter.maximum is not None and parameter.maximum > LARGEST_SIGNED
