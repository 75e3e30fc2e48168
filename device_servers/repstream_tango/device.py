"""What the devices have in common: attached to an engine, they translate and hold nothing."""

from __future__ import annotations

import logging
import re
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from tango import AutoTangoAllowThreads, AutoTangoMonitor, DevFailed, DevState
from tango.server import Device

from repstream.errors import RepstreamError, UnknownKey
from repstream.parameters.catalogue import Catalogue, Command, Group, Parameter, key_of
from repstream.parameters.facts import Role, Value
from repstream.protocol import Engine as AnyEngine
from repstream.protocol import Reading as Held
from repstream.protocol import Requester
from repstream_tango import client_threads
from repstream_tango.events import Events
from repstream_tango.names import attribute_name, command_names, label
from repstream_tango.publisher import Publisher
from repstream_tango.refusal import WRONG_PROPERTY, as_devfailed, fail
from repstream_tango.shown import Reading, Shown
from repstream_tango.states import level_line
from repstream_tango.types import TangoValue, from_tango, message_to_tango
from repstream_tango.unsaved import using_database

log = logging.getLogger(__name__)

AT_ONCE = 50
"""Attributes that are pushed while the device answers nobody."""
PAUSE = 0.0005
"""Seconds in between."""

ADDRESS = re.compile(r"tcp://\S+:\d+|(ipc|inproc)://\S+")


class EngineDevice(Device):  # type: ignore[misc]  # pytango has no types
    """Base of the devices; the classes of a server are made of it by `projection.device_classes`.

    What a device holds must not hold the device: the garbage collector does not look into devices of pytango
    (10.3), so one that comes and goes would stay in memory.
    """

    publisher: ClassVar[Publisher]
    catalogue: ClassVar[Catalogue]
    engines: ClassVar[Mapping[str, str]]
    """Addresses of the engines of devices that have one of their own, by name in lower case."""
    parameters: ClassVar[tuple[Parameter, ...]]
    """What the class shows; for a class of one slot a device, the parameters of slot 1."""
    alone: ClassVar[bool] = False
    """Whether a device shows one slot and nothing else, so that names carry no group."""

    Engine: str
    """Property: address of the engine."""

    def init_device(self) -> None:
        """Attach to the engine. An exception here would end the whole server, so it becomes FAULT."""
        self._engine: AnyEngine | None = None
        self._trouble = ""
        self._of_class: dict[str, Shown] = {}
        self._shown: dict[str, Shown] = {}
        self._declared: Catalogue | None = None
        self._levelled: tuple[Shown, ...] = ()
        self._causes: frozenset[str] = frozenset()
        self._logged: DevState | None = None
        try:
            with using_database():
                super().init_device()  # reads the properties
            self.events = Events(weakref.proxy(self))
            for name in ("State", "Status"):
                self.set_change_event(name, True, False)
                self.set_archive_event(name, True, False)
                self.set_alarm_event(name, True, False)
            self.slot = self.find_slot()
            self._of_class = {p.key: Shown(self.key(p), p, self.alone) for p in self.parameters}
            self._shown = {shown.key: shown for shown in self._of_class.values()}
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

    def _follow_catalogue(self) -> None:
        """An engine that came back may declare other alarm levels."""
        catalogue = self._engine.catalogue if self._engine is not None else self.catalogue
        if catalogue is self._declared:
            return
        for shown in self._shown.values():
            shown.declare(catalogue.parameters.get(shown.key, shown.parameter))
        self._levelled = tuple(shown for shown in self._shown.values() if shown.has_levels)
        self._causes = frozenset((*self.state_keys(), *(shown.key for shown in self._levelled)))
        self._declared = catalogue

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
        self._follow_catalogue()
        levels = (
            level_line(s.parameter, label(s.parameter, alone=self.alone), self.value(s.key))
            for s in self._levelled
        )
        return message_to_tango("\n".join((self.engine_status(), *filter(None, levels))))

    def reading(self, key: str) -> Held:
        """What the engine holds; nothing in a slot that this engine does not have."""
        try:
            return self.engine(key).read(key)
        except UnknownKey:
            return Held(None, time.time())

    def value(self, key: str) -> Value:
        """The value that the engine holds."""
        return self.reading(key).value

    def key_of_engine(self, role: Role) -> str:
        """Key of the engine's parameter that has a role."""
        return self.catalogue.key(role, Group.ENGINE)

    def read_attr_hardware(self, indices: Any) -> None:
        """Called before the attributes of one request are read."""
        client_threads.keep()
        super().read_attr_hardware(indices)

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

    def read_parameter(self, parameter: Parameter) -> Reading:
        """Value, time and quality of an attribute."""
        shown = self._own(parameter)
        held = self._held(shown)
        return shown.reading(held.value, held.time)

    def read_text(self, parameter: Parameter) -> Reading:
        """As `read_parameter`, as people read it."""
        shown = self._own(parameter)
        held = self._held(shown)
        return shown.text(held.value, held.time)

    def _own(self, parameter: Parameter) -> Shown:
        """A parameter of the class in the slot of this device."""
        shown = self._of_class.get(parameter.key)
        if shown is None:
            self.engine(attribute_name(parameter, self.alone))
            raise AssertionError("a device that can be used shows all that its class has")
        self._follow_catalogue()
        return shown

    def _held(self, shown: Shown) -> Held:
        try:
            return self.reading(shown.key)
        except RepstreamError as error:
            with as_devfailed(f"{self.get_name()}/{shown.name}"):
                raise error

    def write_parameter(self, parameter: Parameter, value: TangoValue) -> None:
        """Hand a written value to the engine; its event brings it to all subscribers."""
        name = attribute_name(parameter, self.alone)
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
        """Push those of `values` that this device shows, and let setpoints follow; State comes last.

        Of a round of everything the device's clients need not wait for the end.
        """
        own = [(shown, value) for key, value in values.items() if (shown := self._shown.get(key)) is not None]
        try:
            for begin in range(0, len(own), AT_ONCE):
                with AutoTangoMonitor(self):
                    self._follow_catalogue()
                    for shown, value in own[begin : begin + AT_ONCE]:
                        self._push(shown, value, times.get(shown.key, at), bool(times))
                if begin + AT_ONCE < len(own):
                    time.sleep(PAUSE)  # whoever waits for the monitor would not get it otherwise
            with AutoTangoMonitor(self):
                self._follow_catalogue()
                self.push_more(values, times, at)
                if not self._causes.isdisjoint(values):
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

    def _push(self, shown: Shown, value: Value, at: float, again: bool) -> None:
        what = shown.reading(value, at)
        if shown.parameter.writable and value is not None:
            self.get_device_attr().get_w_attr_by_name(shown.name).set_write_value(what[0])
        self.events.push(shown.name, what, again=again, gradual=shown.is_gradual)
        if shown.text_name:
            self.events.push(shown.text_name, shown.text(value, at), again=again, gradual=False)


def _address(text: str) -> str:
    if not ADDRESS.fullmatch(text):
        raise ValueError(
            f"the property Engine says {text!r}, which is no address such as tcp://127.0.0.1:9600"
        )
    return text


def _host(client_ip: Any) -> str:
    # "giop:tcp:127.0.0.1:41000", "giop:tcp:[::1]:41000" or "giop:unix:/tmp/omni…" (same host)
    transport, _, rest = str(client_ip).removeprefix("giop:").partition(":")
    return rest.rpartition(":")[0].strip("[]") if transport == "tcp" else "localhost"
