"""The engine's address: the same engine from another process, lost and found again."""

from __future__ import annotations

import time
from pathlib import Path
from queue import Queue

import pytest
import zmq
from tests.engine.link.conftest import FREE
from tests.fakes import FakePlane
from tests.toy_camera import CAMERA_ENGINE, CameraConfiguration

from repstream import Client, EngineUnreachable, InvalidValue, Refused, UnknownKey
from repstream.link import wire
from repstream.link.remote import RemoteEngine
from repstream.link.server import EngineServer
from repstream.protocol import Change, Completion, Event, Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service


def remote(address: str) -> RemoteEngine:
    engine = RemoteEngine(address)
    engine.wait_connected(5)
    return engine


def test_whoever_writes_reads_what_was_written(client: Client) -> None:
    for number in range(1, 50):
        client.write("streams.live.every_nth", number)
        assert client.read("streams.1.every_nth") == number


def test_refusals_arrive_as_they_left(client: Client) -> None:
    with pytest.raises(InvalidValue, match="from 1 to 1000000000 frames; it stays 1"):
        client.write("streams.live.every_nth", 0)
    with pytest.raises(UnknownKey):
        client.write("streams.live.nonsense", 0)
    with pytest.raises(UnknownKey):
        client.execute("engine.explode")
    client.execute("engine.start").wait(5)
    with pytest.raises(Refused) as caught:
        client.execute("engine.start")
    assert caught.value.allowed == ("INITIALIZED", "STOPPED")


def test_an_acquisition_by_a_script(client: Client, both: tuple[Service, FakePlane]) -> None:
    writer = client.writers.main
    writer.num_images = 5
    handle = writer.start()
    both[1].receive(9)
    assert handle.wait(5).ok
    assert (writer.num_written, writer.acq_state, client.engine.state) == (5, "FINISHED", "RUNNING")
    assert client.engine.last_command_by.startswith("client ")


def test_every_change_reaches_every_client_in_order(server: EngineServer, client: Client) -> None:
    engine = remote(server.address)
    events: Queue[Event] = Queue()
    engine.subscribe(events.put)
    for number in range(1, 200):
        client.write("streams.live.every_nth", number)
    seen: list[object] = []
    while not seen or seen[-1] != 199:
        event = events.get(timeout=5)
        if isinstance(event, Change) and "streams.1.every_nth" in event.values:
            seen.append(event.values["streams.1.every_nth"])
    assert [n for n in seen if n != 1] == list(range(2, 200))
    engine.close()


def test_watch_and_wait(client: Client, both: tuple[Service, FakePlane]) -> None:
    with client.watch("writers.main.acq_state") as changes:
        client.writers.main.num_images = 1
        client.writers.main.start()
        both[1].receive(1)
        client.wait("writers.main.acq_state", "FINISHED", 5)
        states = [changes.get(timeout=5)["writers.1.acq_state"]]
        while states[-1] != "FINISHED":
            states.append(changes.get(timeout=5)["writers.1.acq_state"])
    assert [state for state in states if state != "NONE"] == [
        "WAITING_IMAGES",
        "ACQUIRING_IMAGES",
        "FLUSHING_IMAGES",
        "FINISHED",
    ]
    client.wait("writers.main.state", "READY", 5)
    with pytest.raises(TimeoutError, match="still 'READY'"):
        client.wait("writers.main.state", "WRITING", 0.05)


def test_tab_completion_knows_names_parameters_and_commands(client: Client) -> None:
    assert dir(client.streams) == ["live", "preview"]
    assert {"num_images", "acq_state", "start", "abort"} <= set(dir(client.writers.main))
    with pytest.raises(
        AttributeError, match=r"writers\.main has no parameter num_image; did you mean num_images\?"
    ):
        client.writers.main.num_image = 3


def test_a_lost_engine_is_told_and_found_again(both: tuple[Service, FakePlane]) -> None:
    first = EngineServer(both[0], FREE)
    first.start()
    engine = remote(first.address)
    client = Requester("test")
    handle = engine.execute("writers.main.start", None, client)
    first.close()
    assert not handle.wait(20).ok  # a command under way ends once, whatever happens
    assert engine.read("engine.state").value == "UNKNOWN"
    status = str(engine.read("engine.status").value)
    assert first.address in status
    file = both[0].read("writers.main.full_file_name").value
    assert f"writer main was writing {file}, 0 images were in it" in status
    assert engine.read("source.address").value is None
    with pytest.raises(EngineUnreachable):
        engine.write({"streams.live.every_nth": 3}, client)
    events: Queue[Event] = Queue()
    engine.subscribe(events.put)
    second = EngineServer(both[0], first.address)
    second.start()
    engine.wait_connected(20)
    assert engine.read("engine.state").value == "RUNNING"
    back = events.get(timeout=5)
    assert isinstance(back, Change)
    assert back.values["writers.1.state"] == "WRITING"
    engine.close()
    second.close()


def test_completions_come_exactly_once(client: Client, server: EngineServer) -> None:
    engine = remote(server.address)
    events: Queue[Event] = Queue()
    engine.subscribe(events.put)
    handles = [engine.execute("engine.stop", None, Requester("test")) for _ in range(50)]
    ended = [handle.wait(5).handle_id for handle in handles]
    seen: list[str] = []
    while len(seen) < 50:
        event = events.get(timeout=5)
        if isinstance(event, Completion):
            seen.append(event.handle_id)
    assert sorted(seen) == sorted(ended)
    engine.close()


def test_a_key_guards_the_address(both: tuple[Service, FakePlane]) -> None:
    server = EngineServer(both[0], FREE, key="sesame")
    server.start()
    with pytest.raises(EngineUnreachable, match="wrong key"):
        Client(server.address, timeout=1)
    with Client(server.address, key="sesame") as client:
        assert client.engine.state == "INITIALIZED"
    server.close()


def test_what_is_no_address_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="must look like tcp://host:9600"):
        Client("localhost:9600")


def test_before_the_first_answer_no_key_is_called_unknown(tmp_path: Path) -> None:
    with RemoteEngine(f"ipc://{tmp_path}/nobody") as engine:
        assert engine.read("engine.state").value == "UNKNOWN"
        with pytest.raises(EngineUnreachable, match="no engine has answered"):
            engine.read("camera.gain")


def test_what_another_kind_of_engine_lacks_has_no_value_any_more(
    both: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    address = f"ipc://{tmp_path}/engine"
    options = ServiceOptions(roots=(tmp_path,), configuration=CameraConfiguration())
    events: Queue[Event] = Queue()
    with RemoteEngine(address) as engine:
        with EngineServer(both[0], address):
            engine.wait_connected(20)
            engine.subscribe(events.put)
        with (
            Service(options, FakePlane(CameraConfiguration), CAMERA_ENGINE) as camera,
            EngineServer(camera, address),
        ):
            while "camera.gain" not in (values := getattr(events.get(timeout=20), "values", {})):
                pass
            assert values["writers.1.state"] is None and values["camera.gain"] == "low"
            assert engine.read("camera.gain").value == "low"
            with pytest.raises(UnknownKey):
                engine.read("writers.1.state")


def test_no_engine_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable, match="no engine has answered"):
        Client(f"ipc://{tmp_path}/nobody", timeout=0.1)


@pytest.mark.parametrize("garbage", [b"", b"\xff\xff", b"{}", wire.encode({"type": "write"}), wire.encode(7)])
def test_garbage_is_answered_and_harms_nobody(server: EngineServer, client: Client, garbage: bytes) -> None:
    with zmq.Context.instance().socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(server.address)
        socket.send(garbage)
        assert socket.poll(5000)
        assert isinstance(wire.decode_message.decode(socket.recv()), wire.Denied)
    assert client.read("engine.state") == "INITIALIZED"


def test_another_version_is_refused_with_the_reason(server: EngineServer) -> None:
    with zmq.Context.instance().socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(server.address)
        socket.send(wire.encode(wire.Hello(wire.VERSION + 1, "", Requester("future"))))
        assert socket.poll(5000)
        denied = wire.decode_message.decode(socket.recv())
    assert isinstance(denied, wire.Denied)
    assert f"version {wire.VERSION}" in denied.reason


def test_missed_events_are_made_up_for(server: EngineServer, client: Client) -> None:
    engine = remote(server.address)
    engine._sequence -= 1  # as if an event had never come
    client.write("streams.live.every_nth", 77)
    end = time.monotonic() + 10
    while engine.read("streams.live.every_nth").value != 77 and time.monotonic() < end:
        time.sleep(0.01)
    assert engine.read("streams.live.every_nth").value == 77
    engine.close()


def test_whoever_was_refused_reads_the_result_of_that_start(both: tuple[Service, FakePlane]) -> None:
    server = EngineServer(both[0], FREE)
    server.start()
    engine, client = remote(server.address), Requester("test")
    try:
        for count in range(1, 30):
            engine.write({"writers.main.enable": False}, client)
            with pytest.raises(Refused):
                engine.execute("writers.main.start", None, client)
            assert engine.read("writers.main.start_count").value == count
            assert engine.read("writers.main.start_result").value == "refused"
            engine.write({"writers.main.enable": True}, client)
    finally:
        engine.close()
        server.close()
