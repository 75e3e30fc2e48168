"""The one mapping from a parameter to what Channel Access can carry, and what it cannot.

Sources: Channel Access protocol (DBR types, MAX_UNITS_SIZE 8, MAX_ENUM_STATES 16,
MAX_ENUM_STRING_SIZE 26); EPICS base, where a limit that is not set reads NaN.
"""

from __future__ import annotations

import enum
import math
from typing import assert_never

from caproto import AlarmSeverity

from repstream.parameters.catalogue import Catalogue, Parameter
from repstream.parameters.commands import Argument
from repstream.parameters.facts import Format, Kind, Value

CHOICES, CHOICE_LENGTH = 16, 25
UNIT_LENGTH = 7
DESCRIPTION_LENGTH = 40
LONG_MIN, LONG_MAX = -(2**31), 2**31 - 1
EXACT_IN_DOUBLE = 2**53
ARGUMENT_LENGTH = 65536
NO_YES = ("No", "Yes")


class Record(enum.Enum):
    """What stands for a parameter: (record type of the readback, of the setpoint)."""

    SWITCH = ("bi", "bo")
    CHOICE = ("mbbi", "mbbo")
    LONG = ("longin", "longout")
    DOUBLE = ("ai", "ao")
    TEXT = ("waveform", "waveform")


def record_of(parameter: Parameter) -> Record:
    """The record for a parameter; raises `ValueError` for choices that no record can hold."""
    match parameter.kind:
        case Kind.BOOL:
            return Record.SWITCH
        case Kind.CHOICE:
            _check_choices(parameter)
            return Record.CHOICE
        case Kind.INT:
            return Record.LONG if _fits_long(parameter) else Record.DOUBLE
        case Kind.FLOAT:
            return Record.DOUBLE
        case Kind.TEXT:
            return Record.TEXT
        case _ as never:
            assert_never(never)


def needs_text(parameter: Parameter) -> bool:
    """Whether a text says more than the number: it is a time, or too large for a double to hold exactly."""
    return parameter.format is Format.TIME or is_rounded(parameter)


def is_rounded(parameter: Parameter) -> bool:
    """Whether a number may be too large for a double to hold it exactly."""
    return parameter.kind is Kind.INT and not (
        parameter.maximum is not None
        and parameter.minimum is not None
        and max(abs(parameter.minimum), abs(parameter.maximum)) <= EXACT_IN_DOUBLE
    )


def choices(parameter: Parameter) -> tuple[str, ...]:
    """The strings of an enum record, in order."""
    return NO_YES if parameter.kind is Kind.BOOL else parameter.choices


def severities(parameter: Parameter) -> tuple[AlarmSeverity, ...]:
    """The severity of each string of an enum record, in order."""
    states = (False, True) if parameter.kind is Kind.BOOL else parameter.choices
    return tuple(AlarmSeverity(parameter.severity(state)) for state in states)


def limits(parameter: Parameter) -> tuple[float, float]:
    """(low, high) for display and control: both 0 where there is none, NaN for one that is missing."""
    if parameter.minimum is None and parameter.maximum is None:
        return 0, 0
    return (
        math.nan if parameter.minimum is None else parameter.minimum,
        math.nan if parameter.maximum is None else parameter.maximum,
    )


def to_pv(parameter: Parameter, value: Value) -> str | int | float | None:
    """A value as its record holds it; `None` stays `None` (no value now)."""
    if value is None:
        return None
    match parameter.kind:
        case Kind.BOOL:
            return NO_YES[bool(value)]
        case Kind.CHOICE:
            return str(value)
        case Kind.INT:
            return int(value) if record_of(parameter) is Record.LONG else float(value)
        case Kind.FLOAT:
            return float(value)
        case Kind.TEXT:
            return text_to_pv(str(value), parameter.length)
        case _ as never:
            assert_never(never)


def text_to_pv(text: str, length: int) -> str:
    """`text` as ASCII (others are escaped: clients read latin-1), cut with ``...`` at `length`."""
    plain = text.replace("\0", "\\x00").encode("ascii", "backslashreplace").decode("ascii")
    return plain if len(plain) <= length else plain[: max(length - 3, 0)] + "..."


def from_pv(item: Parameter | Argument, raw: str | bytes | int | float) -> Value:
    """What a client wrote as a value of the catalogue; raises `ValueError` with the reason.

    `raw` is text (DBR_STRING, characters) or a number (all other types); limits are the engine's to judge.
    """
    match item.kind:
        case Kind.BOOL:
            return NO_YES.index(choice(NO_YES, raw)) == 1
        case Kind.CHOICE:
            return choice(item.choices if isinstance(item, Parameter) else (), raw)
        case Kind.INT:
            number = _number(raw)
            return int(number) if math.isfinite(number) and number == int(number) else number
        case Kind.FLOAT:
            return float(_number(raw))
        case Kind.TEXT:
            return text_from_pv(raw)
        case _ as never:
            assert_never(never)


def cannot(catalogue: Catalogue) -> frozenset[str]:
    """The facts that Channel Access cannot carry, as ``fact`` or ``fact:key``.

    A record has no default, and no word for operators and experts; one of text has no unit.
    There is room for the title only (``.DESC``), not for the description; limits beyond 2^53 are rounded.
    """
    rounded = {f"limits:{p.key}" for p in catalogue.parameters.values() if is_rounded(p)}
    return frozenset({"default", "description", "level", *rounded, *texts_with_unit(catalogue)})


def texts_with_unit(catalogue: Catalogue) -> set[str]:
    """``unit:key`` of each text that has a unit, which it is for whoever reads the numbers in it."""
    return {f"unit:{p.key}" for p in catalogue.parameters.values() if p.kind is Kind.TEXT and p.unit}


def _check_choices(parameter: Parameter) -> None:
    long = [choice for choice in parameter.choices if len(choice) > CHOICE_LENGTH]
    if len(parameter.choices) > CHOICES or long:
        raise ValueError(
            f"{parameter.key} cannot be an enum PV: at most {CHOICES} choices of {CHOICE_LENGTH} characters, "
            f"not {len(parameter.choices)} {' '.join(long)}"
        )


def _fits_long(parameter: Parameter) -> bool:
    return (
        parameter.minimum is not None
        and parameter.maximum is not None
        and parameter.minimum >= LONG_MIN
        and parameter.maximum <= LONG_MAX
    )


def choice(strings: tuple[str, ...], raw: str | bytes | int | float) -> str:
    """The choice that a client means by its text or number; raises ValueError for none."""
    given = text_from_pv(raw) if isinstance(raw, str | bytes) else raw
    if given in strings:
        return str(given)
    try:
        index = float(given)
    except ValueError:
        index = math.nan
    if not 0 <= index < len(strings) or index != int(index):
        shown = repr(given) if isinstance(given, str) else f"{given:g}"
        raise ValueError(f"must be one of {', '.join(strings)} (0 to {len(strings) - 1}), not {shown}")
    return strings[int(index)]


def _number(raw: str | bytes | int | float) -> int | float:
    if not isinstance(raw, str | bytes):
        return raw
    text = text_from_pv(raw).strip()
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"must be a number, not {text!r}") from None


def text_from_pv(raw: str | bytes | int | float) -> str:
    """The text that a client wrote; raises ValueError for what is none, or not ASCII."""
    if isinstance(raw, int | float):
        raise ValueError(f"must be text, not the number {raw}")
    try:
        return raw.decode("ascii") if isinstance(raw, bytes) else raw.encode("ascii").decode()
    except UnicodeError:
        shown = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
        raise ValueError(f"must be ASCII, which is all that Channel Access carries, not {shown!r}") from None
