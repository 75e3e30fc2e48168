"""What a view of an engine is made of: bindings show values, controls take what clients write.

The catalogue as it is (`projection.py`) is one view; a facade that imitates another program is a further
one: a table over the same keys and commands. Any number of views may stand on one engine, and any number
of bindings on one key; none holds a value of the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from repstream.parameters.catalogue import Catalogue
from repstream.parameters.facts import Value
from repstream.protocol import Requester
from repstream_epics.channels import Channel, Raw
from repstream_epics.refusal import CmdStatus


@dataclass(frozen=True)
class Write:
    """Change parameters, all or none."""

    values: Mapping[str, Value]


@dataclass(frozen=True)
class Execute:
    """Give a command; the put completes with it."""

    command: str
    argument: Value = None


@dataclass(frozen=True)
class Edit:
    """Change a parameter into what follows from the value that it has when its turn comes."""

    key: str
    edited: Callable[[Value], Value]


Outcome = tuple[CmdStatus, str]
"""What became of a request, and why."""


@dataclass(frozen=True)
class Follow:
    """Write or give a command if one is named; the put completes once `ended` says how it ended.

    `ended` is asked again with every change of what the engine holds; None: it goes on.
    """

    ended: Callable[[Mapping[str, Value]], Outcome | None]
    first: Write | Execute | None = None


Request = Write | Execute | Edit | Follow


class Binding(Protocol):
    """One or a few PVs that follow values."""

    @property
    def keys(self) -> Sequence[str]:
        """The keys whose changes it shows; the time of the first is that of its PVs at the start."""

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        """Publish; `held` is everything that the engine holds, `time` that of the change (Unix seconds)."""


class Control(Protocol):
    """A PV that clients write."""

    def request(self, raw: Raw) -> Request | None:
        """What a put asks the engine for; None: nothing. Raises `Refused` with the reason."""

    async def begun(self, time: float) -> None:
        """The command that was asked for has been taken and goes on."""

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        """The request has ended, or was refused: show what is held. `busy`: a command from here goes on."""

    async def report(self, status: CmdStatus, message: str, time: float) -> None:
        """Say what became of the request, before its end is answered to the client."""


class Handlers(Protocol):
    """Takes what clients write, for all views of one engine (see `requests.py`)."""

    async def put(self, control: Control, raw: Raw, requester: Requester) -> bool:
        """Ask the engine for what a put wants; False where it was not taken."""

    async def refuse(self, control: Control, reason: str) -> bool:
        """Report a put as refused; False."""


@dataclass(frozen=True)
class ControlPut:
    """Hands what clients write to a control, which is made after its channels; fills `channels.Put`."""

    handlers: Handlers
    control: Callable[[], Control]

    async def __call__(self, raw: Raw, requester: Requester) -> bool:
        return await self.handlers.put(self.control(), raw, requester)

    async def refuse(self, reason: str) -> bool:
        return await self.handlers.refuse(self.control(), reason)


class View(Protocol):
    """The PVs of one engine in one shape; `channels` by full PV name."""

    @property
    def channels(self) -> Mapping[str, Channel]: ...

    @property
    def bindings(self) -> Sequence[Binding]: ...

    def close(self) -> None:
        """Let go of what it holds beside its channels."""


MakeView = Callable[[Catalogue, str, Handlers], View]
"""Makes a view of a catalogue, with the prefix of its PVs. Raises `ValueError` for impossible names."""
