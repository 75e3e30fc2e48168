"""With a Tango database: registering, properties, a second start, a wrong property."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import tango
from tango import DevState

from repstream_tango.command_line import command_line
from tests.device_servers.serving import (
    REPEATER,
    engine_at,
    free_port,
    running,
    tango_database,
    until,
    writer,
)
from tests.device_servers.watching import watching


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with tango_database(tmp_path_factory.mktemp("database")) as host_port:
        yield host_port


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[str]:
    with engine_at(tmp_path) as (address, _):
        yield address


def proxy(database: str, device: str) -> tango.DeviceProxy:
    return tango.DeviceProxy(f"tango://{database}/{device}")


def test_a_server_that_is_not_registered_says_what_to_do(database: str, engine: str) -> None:
    ended = subprocess.run(
        command_line(engine, "nobody", database=database), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "does not know repstream-tango/nobody; add --register" in ended.stderr


def test_registered_once_it_starts_from_the_database_alone(database: str, engine: str) -> None:
    with running(command_line(engine, "bl", database=database, register=True)):
        until(lambda: proxy(database, REPEATER).State() == DevState.STANDBY, "the engine to be found")
        properties = proxy(database, REPEATER).get_property("Engine")
        assert list(properties["Engine"]) == [engine]
    with running(command_line("tcp://127.0.0.1:1", "bl", database=database)):  # the property counts
        repeater, writer_1 = proxy(database, REPEATER), proxy(database, writer(1))
        with watching(repeater, "State") as state:
            until(lambda: repeater.State() == DevState.STANDBY, "the engine to be found")
            writer_1.NumImages = 4
            assert writer_1.NumImages == 4
            repeater.Start()
            state.next_value(DevState.RUNNING)
            repeater.Stop()
        again = subprocess.run(
            command_line(engine, "bl", database=database), capture_output=True, text=True, check=False
        )
        assert again.returncode != 0
        assert "already running" in again.stdout + again.stderr


def test_a_device_of_another_server_is_not_taken(database: str, engine: str) -> None:
    line = command_line(
        engine, "one", database=database, register=True, repeaters={"x/rep/1": ""}, writers=["x/w/1"]
    )
    with running(line):
        pass
    thief = command_line(
        engine, "two", database=database, register=True, repeaters={"y/rep/1": ""}, writers=["x/w/1"]
    )
    ended = subprocess.run(thief, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "x/w/1 belongs to repstream-tango/one" in ended.stderr
    with pytest.raises(tango.DevFailed):
        tango.Database(*database.split(":")).get_device_info("y/rep/1")


def test_a_wrong_property_is_fault_that_init_mends(database: str, engine: str) -> None:
    line = command_line(
        engine, "fix", database=database, register=True, repeaters={"fix/rep/1": ""}, writers=["fix/w/7"]
    )
    with running(line):
        wrong = proxy(database, "fix/w/7")
        assert wrong.State() == DevState.FAULT
        assert "slot" in wrong.Status().lower()
        with pytest.raises(tango.DevFailed) as failed:
            wrong.Start()
        assert failed.value.args[0].reason == "WrongProperty"
        wrong.put_property({"Slot": "x"})
        wrong.Init()
        assert "Slot says x, but writers have the slots 1 to" in wrong.Status()
        wrong.put_property({"Slot": 1})
        wrong.Init()
        until(lambda: wrong.State() == DevState.STANDBY, "the engine to be found")
        repeater = proxy(database, "fix/rep/1")
        repeater.put_property({"Engine": "localhost"})
        repeater.Init()
        assert repeater.State() == DevState.FAULT
        assert "no address such as tcp://" in repeater.Status()
        repeater.put_property({"Engine": engine})
        repeater.Init()
        until(lambda: repeater.State() == DevState.STANDBY, "the engine to be found")


def test_devices_come_and_go_with_a_file(database: str, engine: str, tmp_path: Path) -> None:
    file = tmp_path / "devices.json"
    file.write_text(json.dumps({"fl/rep/1": engine}))
    line = command_line(engine, "fl", database=database, register=True, writers=["fl/w/1"], devices_file=file)
    known = tango.Database(*database.split(":"))
    with running(line):
        until(lambda: proxy(database, "fl/rep/1").State() == DevState.STANDBY, "the first device")
        file.write_text("{")  # half a file, say, is none
        for _ in range(2):
            write_whole(file, {"fl/rep/1": engine, "fl/rep/2": engine})
            until(lambda: state(database, "fl/rep/2") in (DevState.STANDBY, DevState.OFF), "the second one")
            assert list(known.get_device_property("fl/rep/2", "Engine")["Engine"]) == [engine]
            second = proxy(database, "fl/rep/2")
            with watching(second, "State") as seen:
                second.Start()
                seen.next_value(DevState.RUNNING)
                second.Stop()
            write_whole(file, {"fl/rep/1": engine})
            until(lambda: state(database, "fl/rep/2") is None, "its end")
            with pytest.raises(tango.DevFailed):
                known.get_device_info("fl/rep/2")
        assert state(database, "fl/rep/1") == DevState.OFF


def write_whole(file: Path, devices: dict[str, str]) -> None:
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(devices))
    beside.replace(file)


def state(database: str, device: str) -> DevState | None:
    """None where no such device answers."""
    try:
        return proxy(database, device).state()
    except tango.DevFailed:
        return None


def test_a_file_of_devices_that_makes_no_sense_is_refused(engine: str, tmp_path: Path) -> None:
    file = tmp_path / "devices.json"
    for content, said in (
        ("[]", "must be a JSON object"),
        ('{"a": "b"}', "is no device"),
        ("x", "cannot be read"),
    ):
        file.write_text(content)
        line = command_line(engine, port=free_port(), devices_file=file)
        ended = subprocess.run(line, capture_output=True, text=True, check=False)
        assert ended.returncode == 2
        assert said in ended.stderr


def test_aliases_are_entered_once_and_not_taken_from_others(database: str, engine: str) -> None:
    line = command_line(
        engine, "alias", database=database, register=True, repeaters={"al/rep/1": ""}, writers=["al/w/1"]
    )
    for _ in range(2):
        with running([*line, "--alias", "al/rep/1=eiger"]):
            assert proxy(database, "eiger").name() == "al/rep/1"
    other = subprocess.run([*line, "--alias", "al/w/1=eiger"], capture_output=True, text=True, check=False)
    assert other.returncode == 2
    assert "the alias eiger belongs to al/rep/1" in other.stderr


def test_one_server_shows_several_engines(database: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with engine_at(tmp_path / "a") as (first, _), engine_at(tmp_path / "b") as (second, _):
        line = command_line(
            first, "two", database=database, register=True, repeaters={"two/rep/1": ""}, writers=["two/w/1"]
        )
        with running([*line, "--device", "RepStream::two/rep/2", "--device", "HDF5Writer::two/w/12"]):
            other, its_writer = proxy(database, "two/rep/2"), proxy(database, "two/w/12")
            its_writer.put_property({"Slot": 1})
            for device in (other, its_writer):
                device.put_property({"Engine": second})
                device.Init()
            until(lambda: its_writer.State() == DevState.STANDBY, "the second engine", 90)
            other.Start()
            until(lambda: other.State() == DevState.RUNNING, "the second engine to run", 90)
            its_writer.NumImages = 7
            until(lambda: proxy(database, "two/rep/1").State() == DevState.STANDBY, "the first engine")
            assert proxy(database, "two/w/1").NumImages != 7


@pytest.mark.timeout(180)
def test_subscribers_go_on_when_database_and_server_were_started_anew(tmp_path: Path, engine: str) -> None:
    port = free_port()
    with ExitStack() as stack, ExitStack() as first:
        host = first.enter_context(tango_database(tmp_path, port))
        line = command_line(engine, "anew", database=host, register=True)
        server = stack.enter_context(ExitStack())
        server.enter_context(running(line))
        writer_1 = proxy(host, writer(1))
        until(lambda: writer_1.State() == DevState.STANDBY, "the engine to be found")
        watch = stack.enter_context(watching(writer_1, "NumImages"))
        kept = server.pop_all()  # the server goes on while its database is gone
        first.close()
        writer_1.NumImages = 11
        watch.next_value(11)
        stack.enter_context(tango_database(tmp_path, port))
        until(lambda: proxy(host, writer(1)).NumImages == 11, "the database to know the server")
        kept.close()
        stack.enter_context(running(command_line(engine, "anew", database=host)))
        until(lambda: proxy(host, writer(1)).State() == DevState.STANDBY, "the server to be there again")
        proxy(host, writer(1)).NumImages = 12
        watch.next_where(lambda told: told.value == 12, seconds=60)
