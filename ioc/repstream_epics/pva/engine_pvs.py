"""All PVs of one engine but its pictures: who follows what, and what becomes of puts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial

from p4p.server.thread import SharedPV
from p4p.util import ThreadedWorkQueue

from repstream.errors import Refused
from repstream.parameters.catalogue import Catalogue, Command, Group, Parameter
from repstream.parameters.facts import Value
from repstream.parameters.picture import GATE_RESULTS, RESULTS
from repstream.protocol import Change, Completion, Engine, Event, Handle, Requester, Subscription
from repstream_epics import directory, names, types
from repstream_epics.access import WriteAccess
from repstream_epics.pva import log as log_table
from repstream_epics.pva.pvs import ArgumentPV, CommandPV, FollowedPV, Held, ParameterPV, TextPV
from repstream_epics.pva.structures import DirectoryPV, StructurePV, TablePV

log = logging.getLogger(__name__)

PATIENCE = 1.0
"""Seconds that an answer waits for the values that belong to it; a completion is never lost over them."""

NUMBERS = {"Numbers": RESULTS, "GateNumbers": GATE_RESULTS}
"""Structures of a picture: the fields that are of one image, and those of one opening of a gate."""


class EnginePVs:
    """The PVs of one engine; `close` after use. Puts are taken one after the other, in a thread."""

    def __init__(self, engine: Engine, prefix: str, access: WriteAccess) -> None:
        self._engine = engine
        self._access = access
        self._lock = threading.Lock()
        self._came = threading.Condition(self._lock)
        self._held: dict[str, Value] = {}
        self._times: dict[str, float] = {}
        self._epoch, self._sequence = "", -1
        self._shown: dict[str, list[FollowedPV]] = {}
        self._queue = ThreadedWorkQueue("repstream pva", maxsize=0, daemon=True)
        self._subscription: Subscription | None = None
        self.pvs: dict[str, FollowedPV] = {}
        self._log_name = names.check(prefix + log_table.NAME)
        catalogue = engine.catalogue
        for parameter in catalogue.parameters.values():
            self._add_parameter(prefix, catalogue, parameter)
        for command in catalogue.commands.values():
            self._add_command(prefix, command)
        self._log = log_table.LogPV(catalogue, self._lock, self._queue)
        listing = DirectoryPV(catalogue, prefix, self._show_first, self._queue)
        self._add(prefix + directory.NAME, listing)
        for group in catalogue.named:
            self._add(prefix + names.pascal(group), TablePV(catalogue, group, self._show_first, self._queue))
        for slot in catalogue.slots(Group.PICTURE):
            for name, fields in NUMBERS.items():
                those = [p for p in catalogue.of(Group.PICTURE, slot) if p.field in fields]
                pv = StructurePV(those, self._show_first, self._queue)
                self._add(f"{prefix}{names.head(Group.PICTURE, slot)}{name}", pv)

    def start(self) -> None:
        """Follow the engine; PVs can be connected from then on."""
        self._subscription = self._engine.subscribe(self._follow)
        with self._lock:  # what changes meanwhile waits, so that no older value comes after it
            now = self._engine.snapshot()
            self._take(now.epoch, now.sequence, now.values, now.time)
            self._times |= now.times
            self._log.begin(now.values)
        self._queue.start()

    def close(self) -> None:
        if self._subscription is None:
            return
        self._subscription.close()
        self._queue.stop()

    def served(self) -> Iterator[tuple[str, SharedPV]]:
        """What a provider of p4p's serves, by full name."""
        yield self._log_name, self._log.pv
        yield from ((name, followed.pv) for name, followed in self.pvs.items())

    @property
    def names(self) -> Iterator[str]:
        """All PVs, by full name."""
        return (name for name, _ in self.served())

    # --- what clients put; fills `pvs.Asker` ----------------------------------------------------

    def write(self, values: Held, requester: Requester) -> None:
        """Change parameters; comes back when that shows. Raises `Refused`, `EngineUnreachable`."""
        self._check(min(values), requester)
        self._engine.write(values, requester)
        now = self._engine.snapshot()
        self._wait_for(now.epoch, now.sequence)

    def execute(self, command: str, argument: Value, requester: Requester) -> Handle:
        self._check(command, requester)
        return self._engine.execute(command, argument, requester)

    def when_ended(self, handle: Handle, then: Callable[[Completion], None]) -> None:
        """Call `then` at the end, after all values that belong to it have been published."""

        def finish(completion: Completion) -> None:
            self._wait_for(completion.epoch, completion.sequence)
            then(completion)

        # Not from here, which may be the thread that the values come from.
        handle.on_done(lambda completion: self._queue.push(partial(finish, completion)))

    def _check(self, key: str, requester: Requester) -> None:
        if not self._access.allows(requester.user, requester.host):
            raise Refused(key, self._access.reason(requester.user, requester.host))

    def _wait_for(self, epoch: str, sequence: int) -> None:
        with self._came:
            if not self._came.wait_for(lambda: self._epoch != epoch or self._sequence >= sequence, PATIENCE):
                log.warning("the values of event %d have not come within %g s", sequence, PATIENCE)

    # --- what the engine says -------------------------------------------------------------------

    def _follow(self, event: Event) -> None:
        """Called from the engine's thread."""
        with self._came:
            old = event.epoch == self._epoch and event.sequence < self._sequence
            if isinstance(event, Change) and not old:
                self._log.take(event)
                self._take(event.epoch, event.sequence, event.values, event.time)
            elif not old:
                self._epoch, self._sequence = event.epoch, event.sequence
            self._came.notify_all()

    def _take(self, epoch: str, sequence: int, values: Held, time: float) -> None:
        self._epoch, self._sequence = epoch, sequence
        self._held |= values
        self._times |= dict.fromkeys(values, time)
        for followed in dict.fromkeys(pv for key in values for pv in self._shown.get(key, ())):
            try:
                followed.show(self._held, time)
            except Exception:  # one value that cannot be shown must not silence the others
                log.exception("%s cannot be published", ", ".join(followed.keys[:3]))

    def _show_first(self, followed: FollowedPV) -> None:
        """A first client has come."""
        with self._lock:
            if not followed.pv.isOpen():
                followed.show(self._held, max(self._times[key] for key in followed.keys))
                for key in followed.keys:
                    self._shown.setdefault(key, []).append(followed)

    # --- names ----------------------------------------------------------------------------------

    def _add(self, name: str, followed: FollowedPV) -> None:
        if name in self.pvs:
            raise ValueError(f"PV name {name} would stand for two things")
        self.pvs[names.check(name)] = followed

    def _add_parameter(self, prefix: str, catalogue: Catalogue, parameter: Parameter) -> None:
        common = (parameter, catalogue, self._show_first, self._queue)
        self._add(prefix + names.readback(parameter), ParameterPV(*common))
        if parameter.writable:
            self._add(prefix + names.setpoint(parameter), ParameterPV(*common, self))
        if types.needs_text(parameter):
            pv = TextPV(parameter, self._show_first, self._queue)
            self._add(prefix + names.text_of(parameter), pv)

    def _add_command(self, prefix: str, command: Command) -> None:
        argument = None
        if command.argument is not None:
            argument = ArgumentPV(command, command.argument, self._queue)
            self._add(prefix + names.argument(command), argument)
        pv = CommandPV(command, self, argument, self._queue)
        self._add(prefix + names.setpoint(command), pv)
