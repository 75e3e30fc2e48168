"""Device class `RepStream`: the repeater, its source, its streams and its pictures."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from tango import AttrQuality, DevFailed, DevState
from tango.server import command

from repstream.link.chronicle import Chronicle
from repstream.parameters.facts import Role, Value
from repstream.protocol import Event, Subscription
from repstream.states import is_unknown
from repstream_tango.labels import Labels
from repstream_tango.lists import ListAttribute
from repstream_tango.pictures.device import PictureDevice
from repstream_tango.refusal import REFUSED, as_devfailed, fail
from repstream_tango.states import REPEATER_ROLES, repeater_state, repeater_status
from repstream_tango.types import message_to_tango
from repstream_tango.unsaved import unsaved

log = logging.getLogger(__name__)


class RepeaterDevice(PictureDevice):
    """The repeater of one engine."""

    list_attributes: ClassVar[tuple[ListAttribute, ...]]

    _log: Subscription | None = None
    _labels: Labels | None = None

    def init_device(self) -> None:
        super().init_device()
        if self._engine is not None:
            # Once, not with each Init: what labels are now goes on.
            self._labels = self._labels or Labels(weakref.proxy(self), self.catalogue, self._shown.values())
            engine = self._engine
            self._chronicle = Chronicle(lambda: engine.catalogue)
            self._log = engine.subscribe(self._note)
            self._chronicle.begin(engine.snapshot().values)

    def _note(self, event: Event) -> None:
        self._chronicle.take(event)

    def delete_device(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None
        super().delete_device()

    @command(  # type: ignore[untyped-decorator]  # pytango has no types
        doc_in="Such as level=warning subject=writers.main acquisition=ID last=100 text=disk; empty: 1,000.",
        doc_out="Lines of the log, oldest first, since this server watches the engine.",
    )
    def ReadLog(self, words: str) -> list[str]:
        """The last changes of state, losses, commands and errors of the engine."""
        self.engine("ReadLog")
        try:
            return [message_to_tango(str(entry)) for entry in self._chronicle.chosen(words)]
        except ValueError as error:
            return fail(REFUSED, f"ReadLog: {error}", f"{self.get_name()}/ReadLog")

    def state_keys(self) -> Iterable[str]:
        return (self.key_of_engine(role) for role in REPEATER_ROLES)

    def engine_state(self) -> DevState:
        return repeater_state(self.of_engine)

    def engine_status(self) -> str:
        return repeater_status(self.of_engine)

    def read_list(self, shown: ListAttribute) -> tuple[list[Any], float, AttrQuality]:
        """Value, time and quality of an attribute that shows all slots."""
        with as_devfailed(f"{self.get_name()}/{shown.name}"):
            return shown.value(self.reading)

    def _follow(self, names: Mapping[str, str]) -> None:
        """Name slots in the labels; where that cannot be now, the next round of everything does it."""
        try:
            with unsaved(self) as possible:
                if possible and self._labels is not None:
                    self._labels.follow(names)
        except DevFailed as failed:
            log.debug("%s: labels not changed: %s", self.get_name(), failed.args[0].desc)

    def push_more(self, values: Mapping[str, Value], times: Mapping[str, float], at: float) -> None:
        known = not is_unknown(self.of_engine(Role.STATE))
        if known and self._labels is not None and (names := self._labels.changed(values)):
            self.publisher.post(self, partial(self._follow, names))
        again = bool(times)
        for shown in self.list_attributes:
            if not shown.keys.isdisjoint(values):
                self.events.push(shown.name, shown.value(self.reading), again=again, gradual=shown.is_gradual)
        super().push_more(values, times, at)
