"""What the devices have in common: attached to an engine, they translate and hold nothing."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from tango import AttrQuality, AutoTangoAllowThreads, AutoTangoMonitor, DevFailed, DevState
from tango.server import Device

from repstream.errors import UnknownKey
from repstream.parameters.catalogue import Catalogue, Command, Group, Parameter, key_of
from repstream.parameters.facts import Format, Role, Value
from repstream.protocol import Engine as AnyEngine
from repstream.protocol import Reading, Requester
from repstream_tango.events import GRADUAL, Events
from repstream_tango.names import attribute_name, command_names, label, text_name
from repstream_tango.publisher import Publisher
from repstream_tango.refusal import WRONG_PROPERTY, as_devfailed, fail
from repstream_tango.states import level_line
from repstream_tango.types import TangoValue, from_tango, message_to_tango, placeholder, quality, to_tango

log = logging.getLogger(__name__)

ADDRESS = re.compile(r"tcp://\S+:\d+|(ipc|inproc)://\S+")


class EngineDevice(Device):  # type: ignore[misc]  # pytango has no types
    """Base of the devices; the classes of a server are made of it by `projection.device_classes`."""

    publisher: ClassVar[Publisher]
    catalogue: ClassVar[Catalogue]
    engines: ClassVar[Mapping[str, str]]
    """Addresses of the engines of devices that have one of their own, by name in lower case."""
    parameters: ClassVar[tuple[Parameter, ...]]
    """What the class shows; for a class of one slot a device, the parameters of slot 1."""

    Engine: str
    """Property: address of the engine."""

    def init_device(self) -> None:
        """Attach to the engine. An exception here would end the whole server, so it becomes FAULT."""
        self._engine: AnyEngine | None = None
        self._trouble = ""
        self._logged: DevState | None = None
        try:
            super().init_device()
            self.events = Events(self)
            for name in ("State", "Status"):
                self.set_change_event(name, True, False)
                self.set_archive_event(name, True, False)
                self.set_alarm_event(name, True, False)
            self.slot = self.find_slot()
            self._shown = {self.key(p): p for p in self.parameters}
            self._engine = self.publisher.attach(_address(self._where()), self)
        except Exception as error:
            self._trouble = f"This device cannot be used: {error}. Correct its properties, then Init."
            log.error("%s: %s", self.get_name(), self._trouble, exc_info=not isinstance(error, ValueError))
            self.error_stream("%s", self._trouble)

    def delete_device(self) -> None:
        """Leave the engine alone: `Init` and the server's end touch the device only.

        The publisher may be waiting for the device's monitor; it must get that before the device is gone.
        """
        with AutoTangoAllowThreads(self):
            self.publisher.detach(self)

    def _where(self) -> str:
        return self.engines.get(self.get_name().lower(), self.Engine)

    def of_this_engine(self, key: str, parameter: Parameter) -> Parameter:
        """A parameter as the device's own engine declares it, with alarm levels of its own."""
        if self._engine is None:
            return parameter
        return self._engine.catalogue.parameters.get(key, parameter)

    def levelled(self) -> Iterator[tuple[str, Parameter]]:
        """The numbers with alarm levels, by key."""
        for key, shown in self._shown.items():
            if shown.kind in GRADUAL:
                parameter = self.of_this_engine(key, shown)
                if parameter.alarm:
                    yield key, parameter

    def find_slot(self) -> int:
        """The slot that this device shows, 0 where it shows no slots; raises `ValueError`."""
        return 0

    def key(self, of: Parameter | Command) -> str:
        """Key of a parameter or command of the class, in the slot of this device."""
        field = of.field if isinstance(of, Parameter) else of.name
        return key_of(of.group, self.slot or of.slot, field)

    def state_keys(self) -> Iterable[str]:
        """What State and Status follow from."""
        raise NotImplementedError

    def engine_state(self) -> DevState:
        """State while the device can be used."""
        raise NotImplementedError

    def engine_status(self) -> str:
        """Status while the device can be used."""
        raise NotImplementedError

    # Computed when asked, not stored: a script that polls after a command never reads the state before it.
    def dev_state(self) -> DevState:
        return DevState.FAULT if self._trouble else self.engine_state()

    def dev_status(self) -> str:
        if self._trouble:
            return message_to_tango(self._trouble)
        levels = (level_line(p, label(p), self.value(key)) for key, p in self.levelled())
        return message_to_tango("\n".join((self.engine_status(), *filter(None, levels))))

    def reading(self, key: str) -> Reading:
        """What the engine holds; nothing in a slot that this engine does not have."""
        try:
            return self.engine(key).read(key)
        except UnknownKey:
            return Reading(None, time.time())

    def value(self, key: str) -> Value:
        """The value that the engine holds."""
        return self.reading(key).value

    def key_of_engine(self, role: Role) -> str:
        """Key of the engine's parameter that has a role."""
        return self.catalogue.key(role, Group.ENGINE)

    def of_engine(self, role: Role) -> Value:
        """The engine's value that has a role."""
        return self.value(self.key_of_engine(role))

    def engine(self, what: str) -> AnyEngine:
        """The engine; DevFailed where a property keeps from having one."""
        if self._engine is None:
            fail(WRONG_PROPERTY, self._trouble, f"{self.get_name()}/{what}")
        return self._engine

    def requester(self) -> Requester:
        """Who calls now; Tango knows the client's host and process, but no user."""
        client = self.get_client_ident()
        if client is None or not client.client_ident:
            return Requester("tango")
        return Requester("tango", f"pid {client.client_pid}", _host(client.client_ip))

    def read_parameter(self, parameter: Parameter) -> tuple[TangoValue, float, AttrQuality]:
        """Value, time and quality of an attribute."""
        name = attribute_name(parameter)
        with as_devfailed(f"{self.get_name()}/{name}"):
            key = self.key(parameter)
            reading = self.reading(key)
        return _reading(self.of_this_engine(key, parameter), reading.value, reading.time)

    def read_text(self, parameter: Parameter) -> tuple[str, float, AttrQuality]:
        """As `read_parameter`, as people read it."""
        with as_devfailed(f"{self.get_name()}/{text_name(parameter)}"):
            reading = self.reading(self.key(parameter))
        return _text(parameter, reading.value, reading.time)

    def write_parameter(self, parameter: Parameter, value: TangoValue) -> None:
        """Hand a written value to the engine; its event brings it to all subscribers."""
        name = attribute_name(parameter)
        with self.asked(name):
            change = {self.key(parameter): from_tango(parameter, value)}
            self.engine(name).write(change, self.requester())

    def execute(self, command: Command, argument: Value, name: str = "") -> str | None:
        """Give a command, in Tango called `name`; its end shows in State, not here."""
        name = name or command_names(command)[0]
        with self.asked(name):
            self.engine(name).execute(self.key(command), argument, self.requester())
            return self.answer_of(command)

    @contextmanager
    def asked(self, name: str) -> Iterator[None]:
        """A write or command of a client: DevFailed where it is refused, and a line in the device's log."""
        try:
            with as_devfailed(f"{self.get_name()}/{name}"):
                yield
        except DevFailed as failed:
            self.warn_stream("%s, asked by %s: %s", name, self.requester(), failed.args[0].desc)
            raise
        self.info_stream("%s, asked by %s", name, self.requester())

    def answer_of(self, given: Command) -> str | None:
        """What a command returns at once."""
        return None

    def publish(self, values: Mapping[str, Value], times: Mapping[str, float], at: float) -> None:
        """Push those of `values` that this device shows, and let setpoints follow; State comes last."""
        try:
            with AutoTangoMonitor(self):
                for key, value in values.items():
                    if key in self._shown:
                        shown = self.of_this_engine(key, self._shown[key])
                        self._push(shown, value, times.get(key, at), bool(times))
                self.push_more(values, times, at)
                causes = (*self.state_keys(), *(key for key, _ in self.levelled()))
                if not values.keys().isdisjoint(causes):
                    self._push_state(bool(times))
        except DevFailed as failed:
            # A busy device or a subscriber that went: the next full round brings it.
            log.debug("%s: not published: %s", self.get_name(), failed.args[0].desc)

    def push_more(self, values: Mapping[str, Value], times: Mapping[str, float], at: float) -> None:
        """What a class shows beside its parameters; under the device's monitor."""

    def _push_state(self, again: bool) -> None:
        # A push of State sends what set_state stored, whatever it is given.
        state, status = self.dev_state(), self.dev_status()
        if state != self._logged:
            self._logged = state
            if state == DevState.FAULT:
                self.error_stream("%s: %s", state, status)
            elif state == DevState.ALARM:
                self.warn_stream("%s: %s", state, status)
            else:
                self.info_stream("%s: %s", state, status)
        self.set_state(state)
        self.set_status(status)
        for name, shown in (("State", state), ("Status", status)):
            self.events.push_stored(name, shown, again)

    def _push(self, parameter: Parameter, value: Value, at: float, again: bool) -> None:
        name = attribute_name(parameter)
        what = _reading(parameter, value, at)
        if parameter.writable and value is not None:
            self.get_device_attr().get_w_attr_by_name(name).set_write_value(what[0])
        self.events.push(name, what, again=again, gradual=parameter.kind in GRADUAL)
        if parameter.format is Format.TIME:
            text = _text(parameter, value, at)
            self.events.push(text_name(parameter), text, again=again, gradual=False)


def _address(text: str) -> str:
    if not ADDRESS.fullmatch(text):
        raise ValueError(
            f"the property Engine says {text!r}, which is no address such as tcp://127.0.0.1:9600"
        )
    return text


def _reading(parameter: Parameter, value: Value, at: float) -> tuple[TangoValue, float, AttrQuality]:
    shown = to_tango(parameter, value)
    return placeholder(parameter) if shown is None else shown, at, quality(parameter, value)


def _text(parameter: Parameter, value: Value, at: float) -> tuple[str, float, AttrQuality]:
    return parameter.readable(value), at, quality(parameter, value)


def _host(client_ip: Any) -> str:
    # "giop:tcp:127.0.0.1:41000", "giop:tcp:[::1]:41000" or "giop:unix:/tmp/omni…" (same host)
    transport, _, rest = str(client_ip).removeprefix("giop:").partition(":")
    return rest.rpartition(":")[0].strip("[]") if transport == "tcp" else "localhost"
