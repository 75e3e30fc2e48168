"""The Tango front end through tango.DeviceProxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from queue import Queue
from typing import Any

import tango

from repstream.parameters.catalogue import Catalogue, Command, Group, Parameter
from repstream.parameters.facts import Value
from repstream.protocol import Engine
from repstream_tango.names import attribute_name, command_names
from repstream_tango.types import CANNOT
from tests.conformance.client import Rejected
from tests.device_servers.serving import REPEATER, Trl, picture, stream, tango_server, until, writer

LARGEST_UNSIGNED = 2**64 - 1
PATIENCE = 30_000
"""Milliseconds that the server has to answer; Tango's own 3 s are less than the engine may take."""
SEVERITIES = {
    tango.AttrQuality.ATTR_VALID: 0,
    tango.AttrQuality.ATTR_WARNING: 1,
    tango.AttrQuality.ATTR_ALARM: 2,
    tango.AttrQuality.ATTR_INVALID: 3,
}


class TangoClient:
    """Fills `FrontEndClient`."""

    name = "tango"
    cannot = CANNOT

    def __init__(self, catalogue: Catalogue, trl: Trl) -> None:
        self._catalogue = catalogue
        self._device = cache(lambda name: _patient(trl(name)))
        self.repeater = self._device(REPEATER)
        self._writers = {s: self._device(writer(s)) for s in catalogue.slots(Group.WRITER)}

    def keys(self) -> Iterator[str]:
        return iter(self._catalogue.parameters)

    def read(self, key: str) -> Value:
        proxy, name = self._attribute(key)
        return self._value(key, proxy.read_attribute(name))

    def write(self, key: str, value: Value) -> None:
        proxy, name = self._attribute(key)
        with _rejecting():
            proxy.write_attribute(name, self._written(key, value))

    def execute(self, command: str, argument: Value = None) -> None:
        record = self._catalogue.commands[command]
        names = command_names(record)
        takes_text = len(names) == 1 and record.argument is not None
        arguments = () if argument is None and not takes_text else ("" if argument is None else argument,)
        with _rejecting():
            self._proxy(record).command_inout(names[-1] if arguments else names[0], *arguments)
        self._wait(record, bool(arguments))

    def facts(self, key: str) -> Mapping[str, object]:
        proxy, name = self._attribute(key)
        told = proxy.get_attribute_config(name)
        own = self._alone(key, told)
        low, high = _number(told.min_value), _number(told.max_value)
        if told.data_type == tango.CmdArgType.DevULong64 and high is None:
            high = LARGEST_UNSIGNED  # the limit of the type itself
        levels = (
            told.alarms.min_alarm,
            told.alarms.min_warning,
            told.alarms.max_warning,
            told.alarms.max_alarm,
        )
        return {
            "writable": told.writable != tango.AttrWriteType.READ,
            "limits": (low, high),
            "unit": str(told.unit),
            "choices": tuple(told.enum_labels),
            "title": self._title(key, str(told.label)),
            "description": str(told.description),
            "level": str(own.disp_level).lower(),
            "alarm": tuple(map(_number, levels)),
            "severity": SEVERITIES[proxy.read_attribute(name).quality],
        }

    def _alone(self, key: str, told: Any) -> Any:
        """The configuration on the device that shows the slot alone, where there is one: the same facts.

        There the label is the title, and the level that of the parameter; beside other slots it is EXPERT.
        """
        parameter = self._catalogue.parameters[key]
        name_of = {Group.STREAM: stream, Group.PICTURE: picture}.get(parameter.group)
        if name_of is None:
            return told
        own = self._device(name_of(parameter.slot)).get_attribute_config(
            attribute_name(parameter, alone=True)
        )
        assert self._same(own) == self._same(told)
        assert own.label.endswith(parameter.title)
        assert told.disp_level == tango.DispLevel.EXPERT
        return own

    @staticmethod
    def _same(told: Any) -> tuple[Any, ...]:
        alarms = (
            told.alarms.min_alarm,
            told.alarms.min_warning,
            told.alarms.max_warning,
            told.alarms.max_alarm,
        )
        limits = told.min_value, told.max_value
        return (
            told.data_type,
            told.writable,
            told.unit,
            told.description,
            *told.enum_labels,
            *limits,
            *alarms,
        )

    def _title(self, key: str, label: str) -> str:
        """The title in a label, which has source or the stream's name in front where a device shows several.

        So have those that Tango's own State and Status would meet.
        """
        group, slot = self._catalogue.parameters[key].group, self._catalogue.parameters[key].slot
        own = key.rpartition(".")[2] in ("state", "status")
        match group:
            case "engine" | "writers":
                head = f"{group.removesuffix('s').capitalize()}: " * own
            case "streams":
                head = f"{self._stream(slot)}: "
            case _:
                head = f"{group.capitalize()} {slot or ''}".strip() + ": "
        assert label.startswith(head)
        return label.removeprefix(head)

    def _stream(self, slot: int) -> str:
        return self.repeater.read_attribute(f"Stream{slot}Name").value or f"Stream {slot}"

    @contextmanager
    def watch(self, key: str) -> Iterator[Queue[Value]]:
        proxy, name = self._attribute(key)
        seen: Queue[Value] = Queue()

        def announce(event: Any) -> None:
            if not event.err:
                seen.put(self._value(key, event.attr_value))

        subscription = proxy.subscribe_event(name, tango.EventType.CHANGE_EVENT, announce)
        try:
            yield seen
        finally:
            proxy.unsubscribe_event(subscription)

    def _proxy(self, record: Parameter | Command) -> Any:
        return self._writers[record.slot] if record.group == Group.WRITER else self.repeater

    def _attribute(self, key: str) -> tuple[Any, str]:
        parameter = self._catalogue.parameters[key]
        return self._proxy(parameter), attribute_name(parameter)

    def _value(self, key: str, attribute: Any) -> Value:
        if attribute.quality == tango.AttrQuality.ATTR_INVALID or attribute.value is None:
            return None
        labels = self._catalogue.parameters[key].choices
        value: Value = labels[int(attribute.value)] if labels else attribute.value
        return value

    def _written(self, key: str, value: Value) -> Any:
        labels = self._catalogue.parameters[key].choices
        # What is no label is written as a number beyond them, for the server to refuse.
        return (labels.index(str(value)) if value in labels else len(labels)) if labels else value

    def _wait(self, command: Command, counted: bool) -> None:
        """A Tango command returns at once; its end shows in the attributes."""
        ended = self._ended(command, counted)
        if command.waits:
            until(ended, f"the end of {command.key}")

    def _ended(self, command: Command, counted: bool) -> Callable[[], bool]:
        key = f"{command.group}.{command.slot}" if command.slot else "engine"
        if command.group == Group.ENGINE:
            if command.name == "start":
                return lambda: self.read("engine.state") in ("RUNNING", "ERROR")
            drains = "engine.draining" in self._catalogue.parameters
            return lambda: (
                self.read("engine.state") != "RUNNING" and not (drains and self.read("engine.draining"))
            )
        if command.name == "arm":
            return lambda: self.read(f"{key}.acq_state") != "NONE"
        if command.name == "start" and counted:
            return lambda: self.read(f"{key}.state") != "WRITING" or self.read(f"{key}.gate") == "shut"
        return lambda: self.read(f"{key}.state") != "WRITING"


@contextmanager
def _rejecting() -> Iterator[None]:
    try:
        yield
    except tango.DevFailed as failed:
        raise Rejected(failed.args[0].desc) from failed
    except (TypeError, OverflowError, UnicodeError) as error:  # refused by the client library already
        raise Rejected(str(error)) from error


def _patient(name: str) -> Any:
    proxy = tango.DeviceProxy(name)
    proxy.set_timeout_millis(PATIENCE)
    return proxy


def _number(text: str) -> float | int | None:
    if text == "Not specified":
        return None
    return int(text) if text.lstrip("-").isdigit() else float(text)


@contextmanager
def serving(engine: Engine, address: str) -> Iterator[TangoClient]:
    """The Tango server without a database, a process of its own, on the engine at `address`."""
    catalogue = engine.catalogue
    more = [f"LiveStream::{stream(slot)}" for slot in catalogue.slots(Group.STREAM)]
    more += [f"LivePicture::{picture(slot)}" for slot in catalogue.slots(Group.PICTURE)]
    with tango_server(address, slots=len(catalogue.slots(Group.WRITER)), more=more) as trl:
        client = TangoClient(engine.catalogue, trl)
        until(lambda: client.read("engine.state") != "UNKNOWN", "the server to find the engine")
        yield client
