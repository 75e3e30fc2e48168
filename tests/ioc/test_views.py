"""Another program's PVs on the same engine: a small facade beside the catalogue's own view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from repstream.errors import Refused
from repstream.parameters.catalogue import Catalogue
from repstream.parameters.facts import Value
from repstream_epics import types
from repstream_epics.channels import Channel, EnumChannel, Head, LongChannel, Put, Raw
from repstream_epics.projection import CatalogueView
from repstream_epics.refusal import CmdStatus
from repstream_epics.server import IocServer
from repstream_epics.states import NO_ALARM
from repstream_epics.view import Binding, Control, ControlPut, Execute, Handlers, Write
from tests.fakes import FakePlane, running_service
from tests.ioc.clients import Pyepics
from tests.ioc.conftest import PREFIX

DONE_ACQUIRE = ("Done", "Acquire")


@dataclass(eq=False)
class AcquirePV:
    """areaDetector's ``Acquire``: 1 starts the first writer, 0 stops it, and it shows whether that writes."""

    state: str
    start: str
    stop: str
    channel: Channel

    @property
    def keys(self) -> Sequence[str]:
        return (self.state,)

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        await self.channel.show(DONE_ACQUIRE[held[self.state] == "WRITING"], NO_ALARM, time)

    def request(self, raw: Raw) -> Execute:
        return Execute(self.start if types.choice(DONE_ACQUIRE, raw) == "Acquire" else self.stop)

    async def begun(self, time: float) -> None: ...

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        await self.channel.show(None, NO_ALARM, time, again=True)

    async def report(self, status: CmdStatus, message: str, time: float) -> None: ...


@dataclass(eq=False)
class NumPV:
    """A number under another name."""

    key: str
    channel: Channel

    @property
    def keys(self) -> Sequence[str]:
        return (self.key,)

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        await self.channel.show(held[self.key], NO_ALARM, time)

    def request(self, raw: Raw) -> Write:
        if not isinstance(raw, int | float):
            raise Refused(self.key, "must be a number")
        return Write({self.key: raw})

    async def begun(self, time: float) -> None: ...

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        await self.channel.show(None, NO_ALARM, time, again=True)

    async def report(self, status: CmdStatus, message: str, time: float) -> None: ...


class Detector:
    """Fills `view.View`."""

    def __init__(self, catalogue: Catalogue, prefix: str, handlers: Handlers) -> None:
        controls: list[Control] = []

        def put_of(number: int) -> Put:
            return ControlPut(handlers, lambda: controls[number])

        acquire, number = f"{prefix}cam1:Acquire", f"{prefix}cam1:NumImages"
        self.channels: dict[str, Channel] = {
            acquire: EnumChannel(Head(acquire, "bo", "Acquire", put_of(0)), DONE_ACQUIRE),
            number: LongChannel(Head(number, "longout", "Images", put_of(1)), (0, 0), None),
        }
        first = AcquirePV("writers.1.state", "writers.1.start", "writers.1.stop", self.channels[acquire])
        second = NumPV("writers.1.num_images", self.channels[number])
        self.bindings: Sequence[Binding] = (first, second)
        controls += [first, second]


@dataclass
class Stack:
    plane: FakePlane
    ca: Pyepics


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with ExitStack() as stack:
        service, plane = stack.enter_context(running_service(tmp_path))
        ioc = stack.enter_context(
            IocServer({"test": service}, PREFIX, port=0, views=(CatalogueView, Detector))
        )
        yield Stack(plane, stack.enter_context(Pyepics(ioc.port)))


def test_two_names_of_one_key_show_the_same_value(stack: Stack) -> None:
    own, facade = f"{PREFIX}Wr1:NumImages", f"{PREFIX}cam1:NumImages"
    stack.ca.do("put", facade, 12)
    assert stack.ca.value(f"{own}_RBV") == 12
    stack.ca.do("put", own, 7)
    assert stack.ca.value(facade) == 7


def test_a_put_may_mean_either_of_two_commands(stack: Stack) -> None:
    acquire = f"{PREFIX}cam1:Acquire"
    stack.ca.do("put", f"{PREFIX}cam1:NumImages", 3)
    stack.plane.open_gate_gives(3)
    stack.ca.do("put", acquire, 1)  # complete when the file is closed
    assert stack.ca.value(f"{PREFIX}Wr1:AcqState_RBV") == "FINISHED"
    assert stack.ca.value(acquire) == "Done"
    stack.ca.do("put", acquire, 0)
    assert stack.ca.value(f"{PREFIX}Wr1:State_RBV") == "READY"


def test_a_refused_put_shows_the_value_held(stack: Stack) -> None:
    number = f"{PREFIX}cam1:NumImages"
    held = stack.ca.value(number)
    stack.ca.do("put", number, -1)
    assert stack.ca.value(number) == held


def test_two_views_with_one_name_are_refused(tmp_path: Path) -> None:
    with running_service(tmp_path) as (service, _), pytest.raises(ValueError, match="would be there twice"):
        IocServer({"test": service}, PREFIX, views=(CatalogueView, CatalogueView))
