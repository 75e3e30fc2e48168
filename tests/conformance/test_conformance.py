"""One behaviour, every front end: parameters x facts x front ends, through real clients.

What is not checked: how often a front end announces a value that changes many times a second
(each may leave out values in between, never the last one).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, Queue
from typing import NamedTuple

import pytest

from repstream.link.server import EngineServer
from repstream.parameters.catalogue import Catalogue, Group, Parameter, build
from repstream.parameters.facts import Access, Kind, Value
from repstream.protocol import Requester
from repstream.service.service import Service
from tests.conformance import epics_client, http_client, pva_client, python_client, tango_client
from tests.conformance.client import FrontEndClient, Rejected, facts_of
from tests.fakes import FakePlane, running_service

FRONT_ENDS = {
    "python": python_client.serving,
    "tango": tango_client.serving,
    "epics": epics_client.serving,
    "pva": pva_client.serving,
    "http": http_client.serving,
}
CATALOGUE: Catalogue = build()
MOVING = {
    p.key
    for p in CATALOGUE.parameters.values()
    if p.field in ("heartbeat", "uptime", "free_space", "last_command", "last_command_by")
}
"""Values that may change between two looks."""
ME = Requester("test")


def _shown(parameter: Parameter) -> bool:
    """One slot stands for all that are occupied: records of other slots differ in nothing but the slot."""
    return parameter.slot in (0, 1)


SHOWN = [p for p in CATALOGUE.parameters.values() if _shown(p)]
WRITABLE = [p for p in SHOWN if p.writable and p.field not in ("output_file", "enable")]

front_ends = pytest.mark.parametrize("front_end", FRONT_ENDS)
owners = pytest.mark.parametrize(
    "owner", [owner for owner in CATALOGUE.owners if owner[1] in (0, 1)], ids=lambda owner: owner[0]
)
writable = pytest.mark.parametrize("parameter", WRITABLE, ids=lambda p: p.key)


class Stack(NamedTuple):
    service: Service
    plane: FakePlane
    clients: dict[str, FrontEndClient]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One engine with every front end on it."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("files")
        service, plane = stack.enter_context(running_service(folder))
        server = EngineServer(service, "tcp://127.0.0.1:*")
        server.start()
        stack.callback(server.close)
        clients = {
            name: stack.enter_context(serving(service, server.address))
            for name, serving in FRONT_ENDS.items()
        }
        yield Stack(service, plane, clients)


@pytest.fixture
def stack(running: Stack) -> Iterator[Stack]:
    """The stack, idle before and after."""
    yield running
    for command in ("engine.unlock", "writers.1.abort", "engine.stop"):
        argument = "force" if command == "engine.unlock" else None
        running.service.execute(command, argument, ME).wait(10)


def eventually(queue: Queue[Value], wanted: Value) -> bool:
    """Whether an announced value is, in the end, the wanted one."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            if queue.get(timeout=1) == wanted:
                return True
        except Empty:
            pass
    return False


def settled(client: FrontEndClient, key: str, wanted: Value) -> Value:
    """The value as this front end shows it, waiting a moment for the wanted one."""
    end = time.monotonic() + 10
    while (shown := client.read(key)) != wanted and time.monotonic() < end:
        time.sleep(0.02)
    return shown


def another(parameter: Parameter, held: Value) -> Value:
    """A good value that is not the one held."""
    match parameter.kind:
        case Kind.BOOL:
            return not held
        case Kind.CHOICE:
            return next(choice for choice in parameter.choices if choice != held)
        case Kind.INT | Kind.FLOAT:
            low, high = parameter.minimum, parameter.maximum
            assert low is not None
            assert high is not None
            number = low + 3 if low + 3 <= high and low + 3 != held else low + 4
            return int(number) if parameter.kind is Kind.INT else float(number)
        case Kind.TEXT:
            return {
                "address": "tcp://127.0.0.1:19777",
                "receiver_addresses": "tcp://127.0.0.1:19778, tcp://127.0.0.1:19779",
                "receiver_cpus": "0, 0-1",
                "folder": f"{held}/deeper",
                "spill_folder": "/data/somewhere",
                "part_services": "/tmp/eiger-writer-",
                "file_template": "%s%s-%4.4d.h5",
                "detector_name": "jungfrau_4M",
                "user_metadata": '{"sample": {"name": "A"}}',
                "nexus_metadata": '{"sample": {"temperature": 80}}',
                "header_columns": "pulse_id:uint64",
                "attribute_channels": "pulse_id:uint64",
                "curve_key": "detector",
                "curve_peers": "daq, viewer",
                "trigger_attribute": "intensity > 100",
                "std_daq": '{"detector_name": "A"}',
                "area_detector": '{"acquire_time": 0.5}',
                "lima": '{"acq_expo_time": 0.5}',
                "epics_alarms": '{"writers.1.queue_use": {"HIHI": 80.0}}',
            }.get(parameter.field, "another text")


def wrong(parameter: Parameter) -> Value:
    """A value outside what is allowed; None where everything of this kind is."""
    match parameter.kind:
        case Kind.INT | Kind.FLOAT:
            return None if parameter.minimum is None else parameter.minimum - 1
        case Kind.TEXT:
            return {
                "address": "nonsense",
                "receiver_addresses": "nonsense",
                "receiver_cpus": "7-4",
                "folder": "relative/path",
                "spill_folder": "relative/path",
                "part_services": "relative/path",
                "file_template": "%d",
                "detector_name": "entry_1",
                "file_name": "a/b",
                "curve_key": "no name",
                "curve_peers": "one two",
            }.get(parameter.field)
    return None


# --- facts --------------------------------------------------------------------------------


def differences(client: FrontEndClient, service: Service, owner: tuple[str, int]) -> list[str]:
    """What a front end says otherwise than it was declared."""
    there = set(client.keys())
    different = list[str]()
    for parameter in CATALOGUE.of(*owner):
        key = parameter.key
        assert key in there
        told = client.facts(key)
        wanted = facts_of(parameter, service.read(key).value)
        assert wanted.keys() - told.keys() == wanted.keys() & client.cannot, key
        for fact in told.keys() - {fact for fact in told if f"{fact}:{key}" in client.cannot}:
            if told[fact] != wanted[fact] and not (fact == "severity" and key in MOVING):
                different.append(f"{fact} of {key}: {told[fact]!r} instead of {wanted[fact]!r}")
    return different


@front_ends
@owners
def test_facts_are_the_same_everywhere(running: Stack, front_end: str, owner: tuple[str, int]) -> None:
    assert differences(running.clients[front_end], running.service, owner) == []


@front_ends
def test_every_slot_is_shown(running: Stack, front_end: str) -> None:
    """What is in one slot differs from the next in nothing but the slot (see the catalogue's tests)."""
    assert set(running.clients[front_end].keys()) == CATALOGUE.parameters.keys()


@front_ends
@owners
def test_values_are_the_same_everywhere(running: Stack, front_end: str, owner: tuple[str, int]) -> None:
    client = running.clients[front_end]
    for parameter in CATALOGUE.of(*owner):
        key = parameter.key
        held = running.service.read(key).value
        if key in MOVING:
            assert client.read(key) is not None
        elif parameter.kind is Kind.FLOAT and held is not None:
            assert settled(client, key, held) == pytest.approx(held), key
        else:
            assert settled(client, key, held) == held, key


@front_ends
def test_what_is_in_an_empty_slot_has_no_value(stack: Stack, front_end: str) -> None:
    client = stack.clients[front_end]
    for parameter in CATALOGUE.of(Group.STREAM, 5):
        assert client.read(parameter.key) is None, parameter.key
    with pytest.raises(Rejected):
        client.write("streams.5.every_nth", 3)


# --- writing ------------------------------------------------------------------------------


@front_ends
@writable
def test_a_write_is_held_and_seen_by_all_others(stack: Stack, front_end: str, parameter: Parameter) -> None:
    held = stack.service.read(parameter.key).value
    wanted = another(parameter, held)
    with ExitStack() as watching:
        queues = {
            name: watching.enter_context(client.watch(parameter.key))
            for name, client in stack.clients.items()
        }
        stack.clients[front_end].write(parameter.key, wanted)
        assert stack.service.read(parameter.key).value == wanted
        assert settled(stack.clients[front_end], parameter.key, wanted) == wanted
        for name, queue in queues.items():
            assert eventually(queue, wanted), f"{name} never announced it"
    stack.service.write({parameter.key: held}, ME)


@front_ends
@pytest.mark.parametrize("parameter", [p for p in WRITABLE if wrong(p) is not None], ids=lambda p: p.key)
def test_a_wrong_value_is_refused_with_a_reason(stack: Stack, front_end: str, parameter: Parameter) -> None:
    held = stack.service.read(parameter.key).value
    client = stack.clients[front_end]
    if f"negative:{parameter.key}" in client.cannot:
        pytest.skip("a negative number arrives as a large one")
    with pytest.raises(Rejected) as caught:
        client.write(parameter.key, wrong(parameter))
    assert len(str(caught.value)) > 15
    assert stack.service.read(parameter.key).value == held
    assert settled(client, parameter.key, held) == held


@front_ends
@pytest.mark.parametrize(
    "parameter", [p for p in WRITABLE if p.access is Access.WHILE_IDLE], ids=lambda p: p.key
)
def test_a_setting_is_refused_while_its_owner_is_busy(
    stack: Stack, front_end: str, parameter: Parameter
) -> None:
    if stack.service.read("writers.1.state").value == "READY":
        stack.service.execute("writers.1.arm", None, ME).wait(10)
    client = stack.clients[front_end]
    held = stack.service.read(parameter.key).value
    with pytest.raises(Rejected, match=r"RUNNING|READY"):
        client.write(parameter.key, another(parameter, held))
    assert settled(client, parameter.key, held) == held


@front_ends
@pytest.mark.parametrize(
    "key", ["engine.state", "source.received", "streams.1.sent", "writers.1.num_written"]
)
def test_what_is_read_only_is_refused(stack: Stack, front_end: str, key: str) -> None:
    with pytest.raises(Rejected):
        stack.clients[front_end].write(key, 1)


# --- commands -----------------------------------------------------------------------------


@front_ends
def test_commands_are_executed_and_seen_by_all(stack: Stack, front_end: str) -> None:
    client = stack.clients[front_end]
    with ExitStack() as watching:
        states = {
            name: watching.enter_context(other.watch("engine.state")) for name, other in stack.clients.items()
        }
        client.execute("engine.initialize")
        client.execute("engine.start")
        assert stack.service.read("engine.state").value == "RUNNING"
        for name, queue in states.items():
            assert eventually(queue, "RUNNING"), name
        client.execute("engine.stop")
        for name, queue in states.items():
            assert eventually(queue, "STOPPED"), name
    client.execute("engine.reset")
    assert stack.service.read("engine.state").value == "INITIALIZED"


@front_ends
def test_who_gave_a_command_is_told(stack: Stack, front_end: str) -> None:
    stack.clients[front_end].execute("engine.initialize")
    by = str(stack.service.read("engine.last_command_by").value)
    assert by.startswith({"python": "client ", "pva": "epics"}.get(front_end, front_end))


@front_ends
def test_a_command_that_the_state_forbids_is_refused(stack: Stack, front_end: str) -> None:
    client = stack.clients[front_end]
    client.execute("engine.start")
    with pytest.raises(Rejected, match=r"RUNNING.*INITIALIZED"):
        client.execute("engine.start")
    with pytest.raises(Rejected, match="READY"):
        client.execute("writers.1.flush")


@front_ends
def test_an_acquisition_completes_once_the_file_is_closed(stack: Stack, front_end: str) -> None:
    client = stack.clients[front_end]
    client.write("writers.1.num_images", 8)
    client.execute("writers.1.arm")
    assert settled(client, "writers.1.acq_state", "WAITING_IMAGES") == "WAITING_IMAGES"
    stack.plane.open_gate_gives(8)
    client.execute("writers.1.start")
    assert client.read("writers.1.state") == "READY"
    assert client.read("writers.1.acq_state") == "FINISHED"
    assert client.read("writers.1.num_written") == 8
    assert client.read("writers.1.acq_result") == "completed"


@front_ends
def test_a_start_for_a_number_of_frames(stack: Stack, front_end: str) -> None:
    client = stack.clients[front_end]
    client.write("writers.1.num_images", 0)
    client.execute("writers.1.arm")
    stack.plane.open_gate_gives(3)
    client.execute("writers.1.start", 3)
    assert settled(client, "writers.1.num_written", 3) == 3
    client.execute("writers.1.stop")
    assert client.read("writers.1.acq_result") == "interrupted"


@front_ends
def test_a_pause_shuts_the_gate_and_a_start_opens_it_again(stack: Stack, front_end: str) -> None:
    client = stack.clients[front_end]
    client.write("writers.1.num_images", 5)
    client.execute("writers.1.arm")
    stack.service.execute("writers.1.start", None, ME)
    assert settled(client, "writers.1.gate", "open") == "open"
    stack.plane.receive(2)
    client.execute("writers.1.pause")
    assert settled(client, "writers.1.gate", "shut") == "shut"
    stack.plane.receive(4)
    assert [client.read(f"writers.1.{field}") for field in ("state", "num_written")] == ["WRITING", 2]
    stack.plane.open_gate_gives(3)
    client.execute("writers.1.start")
    assert client.read("writers.1.num_written") == 5
    assert client.read("writers.1.acq_result") == "completed"


@front_ends
def test_an_acquisition_that_fails_says_why(stack: Stack, front_end: str) -> None:
    client = stack.clients[front_end]
    client.execute("writers.1.arm")
    stack.plane.fail(1, "No space left on device")
    assert settled(client, "writers.1.acq_state", "FAILED") == "FAILED"
    assert settled(client, "writers.1.acq_message", "ERROR:No space left on device")
    client.execute("engine.reset")


@front_ends
def test_a_file_that_exists_is_refused_at_once(stack: Stack, front_end: str, tmp_path: Path) -> None:
    client = stack.clients[front_end]
    before = stack.service.read("writers.1.output_file").value
    existing = Path(str(before)).with_name(f"{front_end}_exists.h5")
    existing.write_text("precious")
    client.write("writers.1.output_file", str(existing))
    for command in ("writers.1.arm", "writers.1.start"):
        with pytest.raises(Rejected, match="exists"):
            client.execute(command)
    assert existing.read_text() == "precious"
    assert stack.service.read("writers.1.state").value == "READY"
    client.write("writers.1.file_template", "%s%s_%6.6d.h5")


@front_ends
def test_many_parameters_change_all_or_none(stack: Stack, front_end: str) -> None:
    client = stack.clients[front_end]
    client.execute("engine.configure", '{"streams": {"live": {"every_nth": 21, "stride": 22}}}')
    assert settled(client, "streams.1.stride", 22) == 22
    with pytest.raises(Rejected):
        client.execute("engine.configure", '{"streams": {"live": {"every_nth": 31, "stride": 0}}}')
    assert client.read("streams.1.every_nth") == 21
    client.execute("engine.configure", '{"streams": {"live": {"every_nth": 1, "stride": 1}}}')


@front_ends
def test_the_control_lock_holds_everywhere(stack: Stack, front_end: str) -> None:
    stack.service.execute("engine.lock", None, Requester("panel", "boss", "control-room"))
    client = stack.clients[front_end]
    with pytest.raises(Rejected, match="boss"):
        client.write("streams.1.every_nth", 2)
    with pytest.raises(Rejected, match="boss"):
        client.execute("engine.start")


@front_ends
def test_a_dead_data_plane_shows_at_once(stack: Stack, front_end: str) -> None:
    client = stack.clients[front_end]
    client.execute("engine.start")
    with client.watch("engine.state") as states:
        stack.plane.die("killed by SIGKILL")
        assert eventually(states, "ERROR")
    assert settled(client, "writers.1.state", "UNKNOWN") == "UNKNOWN"
    assert "SIGKILL" in str(client.read("engine.last_error"))
    with pytest.raises(Rejected, match="ERROR"):
        client.execute("engine.start")
    client.execute("engine.initialize")
    assert settled(client, "writers.1.state", "READY") == "READY"
    client.execute("engine.start")
