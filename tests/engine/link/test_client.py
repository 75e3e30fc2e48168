"""`repstream.Client` in the hands of scripts: odd values, lost engines, forks, copies, event loops."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tests.engine.link.conftest import FREE
from tests.fakes import FakePlane
from tests.waiting import until

from repstream import Client, EngineUnreachable, InvalidValue, MalformedMessage, Refused, UnknownKey
from repstream.link import wire
from repstream.link.server import EngineServer
from repstream.protocol import Requester
from repstream.service.service import Service


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def test_numpy_scalars_paths_and_mappings_are_taken(client: Client, tmp_path: Path) -> None:
    writer = client.writers.main
    writer.num_images = np.int64(7)
    writer.overwrite = np.bool_(True)
    writer.output_file = tmp_path / "scan.h5"
    writer.user_metadata = {"sample": {"name": "A"}}
    assert (writer.num_images, writer.overwrite) == (7, True)
    assert writer.output_file == str(tmp_path / "scan.h5")
    assert writer.user_metadata == '{"sample": {"name": "A"}}'
    client.execute("engine.configure", {"streams": {"live": {"every_nth": 3}}}).wait(5)
    assert client.streams.live.every_nth == 3


@pytest.mark.parametrize("value", [2**64, "\ud800", object(), b"x"])
def test_what_cannot_be_sent_is_refused_and_the_client_lives_on(client: Client, value: object) -> None:
    with pytest.raises(InvalidValue):
        client.write("writers.main.num_images", value)
    with pytest.raises(InvalidValue):
        client.execute("engine.configure", value)
    client.write("writers.main.num_images", 3)
    assert client.read("writers.main.num_images") == 3


def test_a_request_that_is_not_understood_ends_no_connection(client: Client) -> None:
    handle = client.writers.main.start()
    engine = client._engine
    with pytest.raises(InvalidValue, match="not understood"):
        engine._ask(lambda number: {"type": "write", "number": number, "values": 7})  # type: ignore[arg-type, return-value]
    assert handle.completion is None
    assert client.engine.state == "RUNNING"


def test_a_message_that_is_not_understood_costs_nothing(client: Client, server: EngineServer) -> None:
    (identity,) = server._clients
    server._outgoing.put((identity, {"type": "nonsense"}))  # type: ignore[arg-type]
    client.write("streams.live.every_nth", 9)
    assert client.wait("streams.live.every_nth", 9, 10) == 9


def test_a_timeout_is_not_begun_anew_by_events(client: Client) -> None:
    ended = threading.Event()

    def disturb() -> None:
        for number in range(2, 10**6):
            if ended.wait(0.02):
                return
            client.write("streams.live.every_nth", number)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        with pytest.raises(TimeoutError, match=r"still 'INITIALIZED' after 0\.3 s"):
            client.wait("engine.state", "STOPPED", 0.3)
    finally:
        ended.set()
        thread.join()


def test_a_section_stays_with_its_stream(client: Client, server: EngineServer) -> None:
    preview = client.streams.preview
    client.execute("engine.configure", {"streams": {"preview": None}}).wait(5)
    with pytest.raises(UnknownKey):
        _ = preview.every_nth
    client.execute("engine.configure", {"streams": {"other": {"address": "tcp://*:*"}}}).wait(5)
    assert client.streams.other.every_nth == 1
    with pytest.raises(UnknownKey):
        _ = preview.every_nth
    with pytest.raises(UnknownKey):
        preview.every_nth = 5
    assert client.streams.other.every_nth == 1


def test_an_engine_that_is_gone_is_named(server: EngineServer) -> None:
    with Client(server.address) as client:
        main = client.writers.main
        server.close()
        with pytest.raises(EngineUnreachable):
            client.wait("engine.state", "RUNNING", 30)
        for look in (
            lambda: client.writers.main,
            lambda: main.num_images,
            lambda: list(client.streams),
            main.start,
            lambda: client.write("streams.live.every_nth", 2),
        ):
            with pytest.raises(EngineUnreachable):
                look()
        assert client.engine.state == "UNKNOWN"


def test_what_does_not_exist_is_an_error(client: Client) -> None:
    with pytest.raises(AttributeError):
        client.num_images = 3  # type: ignore[attr-defined]
    with pytest.raises(UnknownKey, match=r"did you mean state"), client.watch("engine.stat"):
        pass
    with pytest.raises(UnknownKey, match=r"writers.main has .* 'num_image'; did you mean num_images"):
        client.read("writers.1.num_image")


def test_errors_can_be_pickled() -> None:
    error = InvalidValue("writers.main.num_images", "must be 0 or more", ("0",))
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.allowed) == (InvalidValue, str(error), ("0",))
    assert str(pickle.loads(pickle.dumps(MalformedMessage("json", "no header")))) == "json: no header"


def test_a_client_cannot_be_copied_its_sections_can(client: Client) -> None:
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="make another one"):
            copied(client)
    assert copy.copy(client.writers.main).num_images == 0


def test_closing_twice_is_harmless(server: EngineServer) -> None:
    client = Client(server.address)
    client.close()
    client.close()
    with pytest.raises(EngineUnreachable, match="closed"):
        client.write("streams.live.every_nth", 2)


def client_threads() -> int:
    return sum("remote" in thread.name for thread in threading.enumerate())


def test_clients_that_are_forgotten_close_themselves(server: EngineServer) -> None:
    Client(server.address).close()
    before, threads = descriptors(), client_threads()
    for _ in range(10):
        Client(server.address)
    gc.collect()
    assert descriptors() <= before + 2
    assert client_threads() == threads


def test_a_forked_process_is_told_to_make_its_own(client: Client) -> None:
    child = os.fork()
    if child == 0:
        try:
            client.write("streams.live.every_nth", 2)
        except EngineUnreachable as error:
            os._exit(0 if "after a fork" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    client.write("streams.live.every_nth", 4)
    assert client.streams.live.every_nth == 4


def test_ctrl_c_ends_a_wait(client: Client) -> None:
    handle = client.writers.main.start()
    timer = threading.Timer(0.2, signal.raise_signal, (signal.SIGINT,))
    for wait in (handle.wait, lambda: client.wait("engine.state", "STOPPED")):
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            wait()
        timer.join()
    assert client.engine.state == "RUNNING"


def test_coroutines_await_commands_and_changes(client: Client, both: tuple[Service, FakePlane]) -> None:
    async def acquire() -> tuple[bool, str]:
        client.writers.main.num_images = 2
        async with client.changes("writers.main.acq_state") as changes:
            handle = client.writers.main.start()
            both[1].receive(2)
            completion = await asyncio.wait_for(handle, 10)
            state = ""
            while state != "FINISHED":
                state = str((await asyncio.wait_for(changes.get(), 10))["writers.1.acq_state"])
        return completion.ok, state

    assert asyncio.run(acquire()) == (True, "FINISHED")


def test_silent_clients_are_forgotten(
    both: tuple[Service, FakePlane], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "SILENCE", 0.1)
    server = EngineServer(both[0], FREE)
    server.start()
    server._hello(b"somebody", wire.Hello(wire.VERSION, "", Requester("test")))
    end = time.monotonic() + 20
    while server._clients and time.monotonic() < end:
        time.sleep(0.05)
    assert not server._clients
    server.close()


def test_refusals_are_refusals(client: Client) -> None:
    with pytest.raises(Refused):
        client.execute("writers.main.flush").wait(5)


def test_the_control_lock_goes_with_its_holder(server: EngineServer, client: Client) -> None:
    holder = Client(server.address)
    holder.engine.lock("beamtime 7").wait(5)
    until(lambda: str(client.engine.locked_by).startswith("beamtime 7"), "the lock")
    holder.close()
    assert client.wait("engine.locked_by", "", 10) == ""
