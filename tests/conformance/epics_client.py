"""The EPICS front end as the conformance suite sees it: a real IOC, and pyepics in another process."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from queue import Queue
from threading import Thread
from typing import Any

from repstream.parameters.catalogue import Catalogue, Parameter
from repstream.parameters.facts import Kind, Value
from repstream.protocol import Engine
from repstream_epics import names, types
from repstream_epics.server import IocServer
from tests.conformance.client import FrontEndClient, Rejected
from tests.ioc.clients import Pyepics

PREFIX = "T:CONF:"
INVALID, UNDEFINED, WRITE_ALARM = 3, 17, 2


class EpicsClient:
    """Fills `FrontEndClient` with pyepics."""

    name = "epics"

    def __init__(self, catalogue: Catalogue, pyepics: Pyepics) -> None:
        self._catalogue = catalogue
        self._ca = pyepics
        self.cannot = types.cannot(catalogue)

    def keys(self) -> Iterator[str]:
        """Those whose readback is served."""
        known = self._known
        return (k for k, p in self._catalogue.parameters.items() if PREFIX + names.readback(p) in known)

    def read(self, key: str) -> Value:
        parameter = self._catalogue.parameters[key]
        got = self._ca.do("get", PREFIX + names.readback(parameter))
        if got["severity"] != INVALID and types.is_rounded(parameter):
            return int(self._ca.value(PREFIX + names.text_of(parameter)))
        return _value(parameter, got)

    def write(self, key: str, value: Value) -> None:
        setpoint = PREFIX + names.setpoint(self._catalogue.parameters[key])
        if setpoint not in self._known:
            raise Rejected(f"{key} refused: it is read-only, there is no {setpoint}")
        try:
            answered = self._ca.do("put", setpoint, value)
        except RuntimeError as error:  # the client library would not even send it
            raise Rejected(str(error)) from error
        assert answered, f"the put to {setpoint} was not answered"
        if self._ca.do("get", setpoint)["status"] == WRITE_ALARM:
            raise Rejected(self._ca.value(f"{PREFIX}CmdMsg_RBV"))

    def severity(self, key: str) -> int:
        """Alarm severity of a readback: 0 none, 1 MINOR, 2 MAJOR, 3 INVALID."""
        return int(self._ca.do("get", PREFIX + names.readback(self._catalogue.parameters[key]))["severity"])

    def execute(self, command: str, argument: Value = None) -> None:
        record = self._catalogue.commands[command]
        if argument is not None:
            self._ca.do("put", PREFIX + names.argument(record), argument)
        assert self._ca.do("put", PREFIX + names.setpoint(record), 1), f"{command} was never answered"
        if self.command_status() != "OK":
            raise Rejected(self._ca.value(f"{PREFIX}CmdMsg_RBV"))

    def command_status(self) -> str:
        """What became of the last command, of whichever client it was."""
        return str(self._ca.value(f"{PREFIX}CmdStatus_RBV"))

    def facts(self, key: str) -> Mapping[str, object]:
        parameter = self._catalogue.parameters[key]
        pv = PREFIX + names.readback(parameter)
        told, number = self._ca.do("info", pv), parameter.kind in (Kind.INT, Kind.FLOAT)
        low, high = (told["lower_ctrl_limit"], told["upper_ctrl_limit"]) if number else (0, 0)
        levels = ("lower_alarm", "lower_warning", "upper_warning", "upper_alarm")
        alarm = [told[f"{level}_limit"] for level in levels] if number else []
        return {
            "writable": PREFIX + names.setpoint(parameter) in self._known,
            "limits": (None, None) if low == high == 0 else (_level(low), _level(high)),
            "unit": str(self._ca.value(f"{pv}.EGU")) if number else "",
            "choices": tuple(told["enum_strs"]) if parameter.kind is Kind.CHOICE else (),
            "title": str(self._ca.value(f"{pv}.DESC")),
            "length": told["count"] - 1 if parameter.kind is Kind.TEXT else 0,
            "alarm": tuple(map(_level, alarm)) if any(alarm) else (None,) * 4,  # as base: all 0 where none is
            "severity": self.severity(key),
        }

    @contextmanager
    def watch(self, key: str) -> Iterator[Queue[Value]]:
        parameter = self._catalogue.parameters[key]
        values: Queue[Value] = Queue()
        with self._ca.watch(PREFIX + names.readback(parameter)) as updates:

            def translate() -> None:
                while (update := updates.get()) is not None:
                    values.put(_value(parameter, update))

            translator = Thread(target=translate, daemon=True)
            translator.start()
            yield values
            updates.put(None)
            translator.join()

    @cached_property
    def _known(self) -> frozenset[str]:
        """The PVs that are there, of all that the catalogue could have."""
        asked = [
            PREFIX + name(p)
            for p in self._catalogue.parameters.values()
            for name in (names.readback, names.setpoint)
        ]
        return frozenset(self._ca.do("existing", asked))


@contextmanager
def serving(engine: Engine, address: str) -> Iterator[FrontEndClient]:
    """An IOC on `engine`, and a client of it; `address` is for front ends of other processes."""
    with IocServer({"test": engine}, PREFIX, port=0) as ioc, Pyepics(ioc.port) as pyepics:
        yield EpicsClient(engine.catalogue, pyepics)


def _value(parameter: Parameter, got: dict[str, Any]) -> Value:
    value = got["value"]
    if got["severity"] == INVALID and got["status"] == UNDEFINED:
        return None
    match parameter.kind:
        case Kind.BOOL:
            return value in (1, types.NO_YES[1])
        case Kind.INT:
            return int(value)
        case Kind.FLOAT:
            return float(value)
        case Kind.CHOICE:
            return value if isinstance(value, str) else parameter.choices[value]
        case Kind.TEXT:
            return str(value)


def _level(value: float) -> float | None:
    return None if math.isnan(value) else value
