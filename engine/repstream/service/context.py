"""What all parts of the service share: the board, the configuration, the data plane, commands under way."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from repstream.dataplane import control
from repstream.link.handles import PendingHandle
from repstream.link.publisher import Publisher
from repstream.parameters import slots, storage
from repstream.parameters.catalogue import Catalogue, Group, key_of
from repstream.parameters.configuration import Configuration
from repstream.parameters.facts import Role, Section, Status, Value
from repstream.parameters.status import EngineStatus
from repstream.service.asking import Asking
from repstream.service.board import Board
from repstream.service.folders import Folders
from repstream.service.owner import Owner
from repstream.service.supervisor import Plane
from repstream.service.turn import Turn
from repstream.states import RepeaterState, is_in_error

S = TypeVar("S", bound=Status)


Follower = Callable[[Configuration, Configuration], None]
"""Is given the configuration that was held and the one that is; must not block."""


log = logging.getLogger(__name__)


class ServiceContext:
    """Shared by the parts of one service; used in its owner's thread only.

    `state` is that of the repeater as far as it is known; what the board shows is UNKNOWN while the data
    plane gives no sign of life.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        configuration: Configuration,
        plane: Plane,
        name: str,
        keep: Callable[[Configuration], None],
    ) -> None:
        self.owner = Owner(f"{name} service")
        self.turn = Turn()
        self.asking = Asking(plane)
        self.folders = Folders()
        self.catalogue = catalogue
        self.configuration = configuration
        self.publisher = Publisher(name)
        self._keep = keep
        self.followers: list[Follower] = []
        self.state = RepeaterState.STOPPED
        epoch = str(time.time_ns())
        self.board = Board(catalogue, epoch, time.time())
        self._epoch = epoch
        self._handle_numbers = itertools.count(1)
        self._frames, self._frames_at = 0, 0.0
        self._started_at: dict[int, float] = {}

    def heard_frames(self, number: int) -> None:
        """The input has received so many frames since it was opened."""
        if number != self._frames:
            self._frames, self._frames_at = number, time.monotonic()

    @property
    def quiet(self) -> float | None:
        """Seconds since frames came, None before the first; whatever becomes of the clock on the wall."""
        return time.monotonic() - self._frames_at if self._frames else None

    def note_start(self, slot: int) -> float:
        """The newest acquisition of a writer is started now; when that is (monotonic)."""
        self._started_at[slot] = time.monotonic()
        return self._started_at[slot]

    def since_start(self, slot: int) -> float:
        """Seconds since the newest acquisition of a writer was started, 0 before the first."""
        return time.monotonic() - self._started_at[slot] if slot in self._started_at else 0.0

    def put(self, values: Mapping[str, Value]) -> None:
        """Note new values and announce what changed."""
        self.publisher.publish(self.board.put(values, time.time()))

    def put_fields(self, group: str, slot: int, fields: Mapping[str, Value]) -> None:
        """As `put`, by field of one group and slot."""
        self.put({key_of(group, slot, field): value for field, value in fields.items()})

    def status(self, model: type[S], group: str, slot: int = 0, prefix: str = "") -> S:
        """What is shown now of a group and slot, as an object; `show` publishes what was changed in it."""
        return model.of(self.fields(group, slot), prefix)

    def show(self, status: Status, group: str, slot: int = 0, prefix: str = "") -> None:
        """As `put`, the values of an object."""
        self.put(by_key(status, group, slot, prefix))

    @property
    def engine(self) -> EngineStatus:
        """What the engine says about itself now, to be read."""
        return self.status(EngineStatus, Group.ENGINE)

    @contextmanager
    def changing_engine(self) -> Iterator[EngineStatus]:
        """The same, to be changed within the block; published at its end."""
        engine = self.engine
        yield engine
        self.show(engine, Group.ENGINE)

    def fields(self, group: str, slot: int) -> dict[str, Value]:
        """The values of one group and slot, by field."""
        return self.catalogue.fields(self.board.values, group, slot)

    def begin(self, command: str) -> PendingHandle:
        """A handle for a command that was taken."""
        return PendingHandle(f"{self._epoch}-{next(self._handle_numbers)}", command)

    @property
    def way_out(self) -> str:
        """In an error: what it is, and which command leads out of it; empty otherwise."""
        if not is_in_error(self.state):
            return ""
        return f"{self.engine.last_error or 'it failed'}; initialize starts it again"

    def end(
        self, handles: list[PendingHandle], ok: bool, message: str, result: str = "", acquisition_id: str = ""
    ) -> None:
        """End these commands, after all that was announced so far; empties the list."""
        for handle in handles:
            completion = self.board.completion(
                handle.handle_id,
                handle.command,
                ok,
                message,
                time=time.time(),
                result=result,
                of=acquisition_id,
            )
            self.publisher.publish(completion)
            self.publisher.call(partial(handle.finish, completion))
        handles.clear()

    async def ask(
        self,
        subject: str,
        build: Callable[[int], control.Request],
        accepted: Callable[[], None] = lambda: None,
    ) -> None:
        """As `Asking.ask`; to be called in one's turn."""
        await self.asking.ask(subject, build, accepted)

    def note_error(self, message: str) -> None:
        """Note an error for people and panels."""
        log.error(message)
        with self.changing_engine() as engine:
            engine.last_error, engine.last_error_time = message, time.time()
            engine.error_count += 1

    def reconfigure(self, configuration: Configuration) -> None:
        """Take a checked configuration, announce every value that differs, and keep it."""
        before, self.configuration = self.configuration, configuration
        self._keep(configuration)
        self.put(self.configured_values())
        for follow in self.followers:
            follow(before, configuration)

    def configured_values(self) -> dict[str, Value]:
        """Every configured value by key, `None` for empty slots, and the names of what is in them."""
        values: dict[str, Value] = {
            self.catalogue.key(Role.CONFIGURATION, Group.ENGINE): storage.dump(self.configuration)
        }
        for group, slot in self.catalogue.owners:
            name = slots.name_at(self.configuration, group, slot)
            if group in self.catalogue.named:
                values |= self._named_values(group, slot, name)
            elif name is not None:
                values |= _values(group, slot, self.configuration.sections(group)[name])
        return values

    def _named_values(self, group: str, slot: int, name: str | None) -> dict[str, Value]:
        name_key = self.catalogue.key(Role.NAME, group, slot)
        was = self.board.values[name_key]
        if name is None:
            return {p.key: None for p in self.catalogue.of(group, slot)} if was is not None else {}
        section = self.configuration.sections(group)[name]
        fresh = {p.key: p.default for p in self.catalogue.of(group, slot)} if was != name else {}
        return fresh | _values(group, slot, section) | {name_key: name}


def by_key(status: Status, group: str, slot: int = 0, prefix: str = "") -> dict[str, Value]:
    """The values of an object by key."""
    return {key_of(group, slot, field): value for field, value in status.values(prefix).items()}


def _values(group: str, slot: int, section: Section) -> dict[str, Value]:
    return {key_of(group, slot, field): value for field, value in section.model_dump(mode="json").items()}
