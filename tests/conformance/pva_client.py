"""PV Access as the conformance suite sees it: a real server, and p4p's client of it over TCP."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from queue import Queue
from typing import Any

from p4p.client.thread import Context

from repstream.parameters.catalogue import Catalogue, Parameter
from repstream.parameters.facts import Kind, Value
from repstream.protocol import Engine
from repstream_epics import names
from repstream_epics.pva import scalars
from tests.conformance.client import FrontEndClient, Rejected
from tests.ioc import pva_client
from tests.ioc.pva_client import PREFIX
from tests.waiting import until

TIMEOUT = 60
LEVELS = ("lowAlarm", "lowWarning", "highWarning", "highAlarm")


class PvaClient:
    """Fills `FrontEndClient` with p4p."""

    name = "pva"

    def __init__(self, catalogue: Catalogue, served: frozenset[str], context: Context) -> None:
        self.cannot = scalars.cannot(catalogue)
        self._catalogue = catalogue
        self._served = served
        self._context = context

    def keys(self) -> Iterator[str]:
        parameters = self._catalogue.parameters.items()
        return (key for key, p in parameters if PREFIX + names.readback(p) in self._served)

    def read(self, key: str) -> Value:
        return _value(self._catalogue.parameters[key], self._readback(key))

    def write(self, key: str, value: Value) -> None:
        setpoint = PREFIX + names.setpoint(self._catalogue.parameters[key])
        if setpoint not in self._served:
            raise Rejected(f"{key} refused: it is read-only, there is no {setpoint}")
        if isinstance(value, bool):
            value = int(value)
        text = self._catalogue.parameters[key].kind is Kind.TEXT
        self._put(setpoint, {"value": value} if text else value)

    def execute(self, command: str, argument: Value = None) -> None:
        record = self._catalogue.commands[command]
        if argument is not None:
            self._put(PREFIX + names.argument(record), {"value": argument})
        self._put(PREFIX + names.setpoint(record), 1)

    def facts(self, key: str) -> Mapping[str, object]:
        parameter = self._catalogue.parameters[key]
        raw = self._readback(key).raw
        number = parameter.kind in (Kind.INT, Kind.FLOAT)
        low, high = (raw.display.limitLow, raw.display.limitHigh) if number else (0, 0)
        return {
            "writable": PREFIX + names.setpoint(parameter) in self._served,
            "limits": (None, None) if low == high == 0 else (_limit(low), _limit(high)),
            "unit": raw.display.units if number else "",
            "choices": tuple(raw.value.choices) if parameter.kind is Kind.CHOICE else (),
            "title": raw.display.description,
            "alarm": tuple(_level(raw.valueAlarm, name) for name in LEVELS) if number else (None,) * 4,
            "severity": int(raw.alarm.severity),
        }

    @contextmanager
    def watch(self, key: str) -> Iterator[Queue[Value]]:
        parameter = self._catalogue.parameters[key]
        values: Queue[Value] = Queue()

        def take(update: Any) -> None:
            values.put(_value(parameter, update))

        with ExitStack() as subscription:
            for _ in range(3):
                # p4p loses an update that comes before its client knows the subscription, and all behind it.
                subscription.close()
                subscription.enter_context(self._context.monitor(PREFIX + names.readback(parameter), take))
                with suppress(AssertionError):
                    until(lambda: not values.empty(), "the first update", seconds=2)
                    break
            yield values

    def _readback(self, key: str) -> Any:
        name = PREFIX + names.readback(self._catalogue.parameters[key])
        return self._context.get(name, timeout=TIMEOUT)

    def _put(self, name: str, value: Any) -> None:
        """A text is given as a field: p4p takes one in braces for a structure."""
        try:
            self._context.put(name, value, timeout=TIMEOUT, wait=True)
        except TimeoutError as error:
            raise AssertionError(f"the put to {name} was not answered") from error
        except Exception as error:  # the server's refusal, or what p4p would not even send
            raise Rejected(str(error)) from error


@contextmanager
def serving(engine: Engine, address: str) -> Iterator[FrontEndClient]:
    """A server on `engine`, and a client of it; `address` is for front ends of other processes."""
    with pva_client.serving({"test": engine}) as server, pva_client.client(server) as context:
        yield PvaClient(engine.catalogue, frozenset(server.names), context)


def _value(parameter: Parameter, got: Any) -> Value:
    if got.raw.alarm.status == scalars.UNDEFINED:
        return None
    match parameter.kind:
        case Kind.BOOL:
            return bool(int(got))
        case Kind.INT:
            return int(got)
        case Kind.FLOAT:
            return float(got)
        case Kind.CHOICE:
            return str(got.raw.value.choices[int(got)])
        case Kind.TEXT:
            return str(got.raw.value)  # str(got) begins with the time


def _limit(limit: float) -> float | None:
    return None if math.isinf(limit) else limit


def _level(levels: Any, name: str) -> float | None:
    return levels[f"{name}Limit"] if levels[f"{name}Severity"] else None
