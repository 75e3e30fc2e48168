"""Parameters as NTScalar and NTEnum: types with limits, units and levels, and values for them. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from caproto import AlarmSeverity
from p4p import Type, Value
from p4p.nt import NTEnum, NTScalar

from repstream.errors import Refused
from repstream.parameters import facts
from repstream.parameters.catalogue import Catalogue, Parameter
from repstream.parameters.commands import Argument
from repstream.parameters.facts import Kind
from repstream_epics import types
from repstream_epics.states import NO_ALARM, NO_VALUE, Severity

LONGEST_SIGNED = 2**63 - 1
NONE, DRIVER, RECORD, UNDEFINED = 0, 2, 3, 6
"""Where an alarm comes from, by the numbers of pvData."""

_LEVELS = {
    "lowAlarm": ("alarm_low", 2),
    "lowWarning": ("warning_low", 1),
    "highWarning": ("warning_high", 1),
    "highAlarm": ("alarm_high", 2),
}


def code_of(parameter: Parameter | Argument) -> str:
    """The type code of a number or text in pvData's notation."""
    match parameter.kind:
        case Kind.INT:
            return "L" if (parameter.maximum or 0) > LONGEST_SIGNED else "l"
        case Kind.FLOAT:
            return "d"
        case Kind.BOOL:
            return "?"
        case _:
            return "s"


def cannot(catalogue: Catalogue) -> frozenset[str]:
    """The facts that PV Access cannot carry, as ``fact`` or ``fact:key``.

    A text has neither length nor unit, and there is room for the title only. A negative number that a
    client writes to an unsigned one is a large number when it arrives.
    """
    unsigned = {f"negative:{p.key}" for p in catalogue.parameters.values() if code_of(p) == "L"}
    return frozenset(
        {"default", "description", "length", "level", *unsigned, *types.texts_with_unit(catalogue)}
    )


@cache
def type_of(code: str) -> Type:
    """The type of a PV; ``enum`` is that of a choice. One object for each code, as `post` demands."""
    if code == "enum":
        return NTEnum.buildType(display=True)
    return NTScalar.buildType(code, display=True, control=True, valueAlarm=True, form=True)


def first(parameter: Parameter, value: facts.Value, alarm: Severity, time: float, writable: bool) -> Value:
    """A value with everything that is declared of its parameter."""
    content = _content(parameter, value, alarm, time)
    if parameter.kind in (Kind.BOOL, Kind.CHOICE):
        content["value"]["choices"] = list(types.choices(parameter))
        return Value(type_of("enum"), {**content, "display": {"description": parameter.title}})
    code = code_of(parameter)
    content["display"] = {"description": parameter.title, "units": parameter.unit}
    if code != "s":
        limits = _limits(parameter)
        content["display"] |= {**limits, "precision": 3 if code == "d" else 0}
        content |= {"control": limits if writable else {}, "valueAlarm": _levels(parameter)}
    return Value(type_of(code), content)


def update(parameter: Parameter, value: facts.Value, alarm: Severity, time: float) -> Value:
    """A new value, and nothing else."""
    code = "enum" if parameter.kind in (Kind.BOOL, Kind.CHOICE) else code_of(parameter)
    return Value(type_of(code), _content(parameter, value, alarm, time))


def plain(code: str, value: Any, title: str, alarm: Severity, time: float) -> Value:
    """A text or number that is no parameter."""
    return Value(
        type_of(code), {"value": value, "display": {"description": title}, **annotation(alarm, time)}
    )


def enumerated(choices: Sequence[str], index: int, title: str, alarm: Severity, time: float) -> Value:
    """A choice that is no parameter."""
    value = {"index": index, "choices": list(choices)}
    content = {"value": value, "display": {"description": title}, **annotation(alarm, time)}
    return Value(type_of("enum"), content)


def annotation(alarm: Severity, time: float) -> dict[str, Any]:
    """Alarm and time stamp of a value."""
    status, severity = alarm
    source = RECORD
    if alarm == NO_ALARM:
        source = NONE
    elif alarm == NO_VALUE:
        source = UNDEFINED
    elif severity is AlarmSeverity.INVALID_ALARM:
        source = DRIVER
    message = "" if alarm == NO_ALARM else status.name
    return {
        "alarm": {"severity": int(severity), "status": source, "message": message},
        "timeStamp": stamp(time),
    }


def stamp(time: float) -> dict[str, int]:
    """Unix seconds as a time stamp."""
    seconds = math.floor(time)
    return {"secondsPastEpoch": seconds, "nanoseconds": int((time - seconds) * 1e9)}


def from_put(item: Parameter | Argument, key: str, put: Value) -> facts.Value:
    """What a client put as a value of the catalogue; raises `Refused` with the reason."""
    raw = put["value"]
    try:
        if isinstance(item, Parameter) and item.kind in (Kind.BOOL, Kind.CHOICE):
            text = types.choice(types.choices(item), raw["index"])
            return text == types.NO_YES[1] if item.kind is Kind.BOOL else text
        return raw if isinstance(raw, str) else types.from_pv(item, raw)
    except ValueError as error:
        raise Refused(key, str(error)) from None


def of_kind(parameter: Parameter, value: facts.Value) -> Any:
    """A value as its type code holds it; without one NaN, an empty text, False or -1 (0 if unsigned)."""
    if value is not None:
        return value
    return {"d": math.nan, "l": -1, "L": 0, "?": False, "s": ""}[code_of(parameter)]


def _content(parameter: Parameter, value: facts.Value, alarm: Severity, time: float) -> dict[str, Any]:
    held: Any = of_kind(parameter, value)
    if parameter.kind in (Kind.BOOL, Kind.CHOICE):
        shown = types.to_pv(parameter, value)
        held = {"index": types.choices(parameter).index(str(shown)) if shown is not None else 0}
    elif value is None and parameter.kind is Kind.INT:
        held = 0
    return {"value": held, **annotation(alarm, time)}


def _limits(parameter: Parameter) -> Mapping[str, float]:
    """As far as there are any; where there are none both are 0, as in EPICS base."""
    if parameter.minimum is None and parameter.maximum is None:
        return {}
    low, high = parameter.minimum, parameter.maximum
    if parameter.kind is Kind.INT:
        largest = 2**64 - 1 if code_of(parameter) == "L" else LONGEST_SIGNED
        return {
            "limitLow": -LONGEST_SIGNED if low is None else int(low),
            "limitHigh": largest if high is None else int(high),
        }
    return {
        "limitLow": -math.inf if low is None else low,
        "limitHigh": math.inf if high is None else high,
    }


def _levels(parameter: Parameter) -> dict[str, Any]:
    """The levels of alarm; one that is not there has the severity 0."""
    alarm = parameter.alarm or facts.Alarm()
    found: dict[str, Any] = {}
    for name, (field, severity) in _LEVELS.items():
        level = getattr(alarm, field)
        if level is not None:
            found |= {f"{name}Limit": _level(parameter, level), f"{name}Severity": severity}
        elif parameter.kind is Kind.FLOAT:
            found[f"{name}Limit"] = math.nan
    return {**found, "active": any(name.endswith("Severity") for name in found)}


def _level(parameter: Parameter, level: float) -> float | int:
    return int(level) if parameter.kind is Kind.INT else level
