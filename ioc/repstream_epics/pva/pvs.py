"""PVs that follow an engine. Each is made when its first client connects, so one that nobody uses is free."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from p4p import Value
from p4p.server import ServerOperation
from p4p.server.thread import SharedPV

from repstream.errors import Refused
from repstream.parameters import facts
from repstream.parameters.catalogue import Catalogue, Command, Parameter
from repstream.parameters.commands import Argument
from repstream.parameters.facts import Kind, Role
from repstream.protocol import Completion, Handle, Requester
from repstream_epics.pva import scalars
from repstream_epics.pvs import OFF_ON
from repstream_epics.refusal import CmdStatus, ended, explain
from repstream_epics.states import NO_ALARM, NO_VALUE, alarm_of

Held = Mapping[str, facts.Value]


class Asker(Protocol):
    """Takes what clients put, on the way to the engine (`engine_pvs.EnginePVs`)."""

    def write(self, values: Held, requester: Requester) -> None: ...
    def execute(self, command: str, argument: facts.Value, requester: Requester) -> Handle: ...
    def when_ended(self, handle: Handle, then: Callable[[Completion], None]) -> None: ...


class FollowedPV:
    """A PV whose value follows from what the engine holds; a handler of p4p's.

    `keys` are those whose changes it shows. The lock of its owner is held by whoever calls `show`.
    """

    keys: Sequence[str] = ()

    def __init__(self, show_first: Callable[[FollowedPV], None], queue: Any) -> None:
        self._show_first = show_first
        self.pv = SharedPV(handler=self, queue=queue)

    def onFirstConnect(self, pv: SharedPV) -> None:
        self._show_first(self)

    def put(self, pv: SharedPV, op: ServerOperation) -> None:
        """A client puts; it hears why that was refused."""
        try:
            self.take(op)
        except Exception as error:  # whatever it was, the client gets its answer
            op.done(error=explain(error)[1])

    def take(self, op: ServerOperation) -> None:
        """Do what a put asks for, and end it; raises `Refused` and what the engine raises."""
        raise Refused(self.keys[0] if self.keys else "it", "it is read-only")

    def show(self, held: Held, time: float) -> None:
        """Publish; the first time with everything that does not change."""
        if self.pv.isOpen():
            self.pv.post(self.next_value(held, time))
        else:
            self.pv.open(self.first_value(held, time))

    def first_value(self, held: Held, time: float) -> Value:
        """The value with all that is declared of it."""
        return self.next_value(held, time)

    def next_value(self, held: Held, time: float) -> Value:
        """What has changed."""
        raise NotImplementedError


class ParameterPV(FollowedPV):
    """A parameter: its value in force, or with `asker` its setpoint, which clients write."""

    def __init__(
        self,
        parameter: Parameter,
        catalogue: Catalogue,
        show_first: Callable[[FollowedPV], None],
        queue: Any,
        asker: Asker | None = None,
    ) -> None:
        super().__init__(show_first, queue)
        self._parameter = parameter
        self._asker = asker
        self._losing = ""
        if parameter.role is Role.STATE and not parameter.slot:
            self._losing = catalogue.key(Role.LOSING, parameter.group)
        self.keys = (parameter.key, *([self._losing] if self._losing else ()))

    def first_value(self, held: Held, time: float) -> Value:
        value = held[self._parameter.key]
        return scalars.first(self._parameter, value, self._alarm(held), time, self._asker is not None)

    def next_value(self, held: Held, time: float) -> Value:
        return scalars.update(self._parameter, held[self._parameter.key], self._alarm(held), time)

    def take(self, op: ServerOperation) -> None:
        if self._asker is None:
            raise Refused(self._parameter.key, "it is read-only")
        value = scalars.from_put(self._parameter, self._parameter.key, op.value())
        self._asker.write({self._parameter.key: value}, requester_of(op))
        op.done()

    def _alarm(self, held: Held) -> Any:
        value = held[self._parameter.key]
        if self._asker is not None:
            return NO_VALUE if value is None else NO_ALARM
        return alarm_of(self._parameter, value, bool(self._losing and held[self._losing]))


class TextPV(FollowedPV):
    """A number as people read it, a time as date and time."""

    def __init__(self, parameter: Parameter, show_first: Callable[[FollowedPV], None], queue: Any) -> None:
        super().__init__(show_first, queue)
        self._parameter = parameter
        self.keys = (parameter.key,)

    def next_value(self, held: Held, time: float) -> Value:
        value = held[self._parameter.key]
        text = self._parameter.readable(value)
        return scalars.plain("s", text, self._parameter.title, alarm_of(self._parameter, value), time)


class ArgumentPV(FollowedPV):
    """What the next command is given; empty again once the command has been taken."""

    def __init__(self, command: Command, argument: Argument, queue: Any) -> None:
        super().__init__(lambda pv: pv.show({}, clock.time()), queue)
        self._command = command
        self._argument = argument
        self._held: Any = ""
        self.clear()

    def next_value(self, held: Held, time: float) -> Value:
        title = f"{self._command.title}: argument"
        return scalars.plain(scalars.code_of(self._argument), self._held, title, NO_ALARM, time)

    def take(self, op: ServerOperation) -> None:
        self._held = scalars.from_put(self._argument, f"{self._command.key}'s argument", op.value())
        self.show({}, clock.time())
        op.done()

    @property
    def given(self) -> facts.Value:
        """None where it is left out."""
        held: facts.Value = self._held
        # A number's PV cannot be empty: 0 is what it holds until somebody writes it.
        left_out = held == "" or (held == 0 and (self._argument.minimum or 0) > 0)
        return None if left_out and self._argument.optional else held

    def clear(self) -> None:
        self._held = "" if self._argument.kind is Kind.TEXT else 0
        if self.pv.isOpen():
            self.show({}, clock.time())


class CommandPV(FollowedPV):
    """A command: a put of 1 gives it, and completes when it has ended."""

    def __init__(self, command: Command, asker: Asker, argument: ArgumentPV | None, queue: Any) -> None:
        super().__init__(lambda pv: pv.show({}, clock.time()), queue)
        self._command = command
        self._asker = asker
        self._argument = argument
        self._running = 0

    def next_value(self, held: Held, time: float) -> Value:
        return scalars.enumerated(OFF_ON, bool(self._running), self._command.title, NO_ALARM, time)

    def take(self, op: ServerOperation) -> None:
        if not op.value()["value"]["index"]:
            op.done()
            return
        argument = self._argument.given if self._argument is not None else None
        handle = self._asker.execute(self._command.key, argument, requester_of(op))
        if self._argument is not None:
            self._argument.clear()  # used up: the next command would not expect it
        self._show_running(1)

        def then(completion: Completion) -> None:
            self._show_running(-1)
            status, message = ended(completion)
            op.done(error=None if status is CmdStatus.OK else message)

        self._asker.when_ended(handle, then)

    def _show_running(self, more: int) -> None:
        self._running += more
        self.show({}, clock.time())


def requester_of(op: ServerOperation) -> Requester:
    """Who puts, as the client says, and from which host."""
    return Requester("epics", op.account(), op.peer().rpartition(":")[0])
