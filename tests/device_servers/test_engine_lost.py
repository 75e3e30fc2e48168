"""An engine that is not there yet, goes away and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tango
from tango import AttrQuality, DevState

from repstream.link.server import EngineServer
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from tests.device_servers.serving import (
    ANY_PORT,
    REPEATER,
    Trl,
    engine_at,
    free_port,
    tango_server,
    until,
    writer,
)
from tests.device_servers.watching import watching
from tests.fakes import FakePlane, configuration
from tests.toy_camera import CAMERA_ENGINE, CameraConfiguration


@pytest.fixture
def address() -> str:
    """An address at which nothing is served yet."""
    return f"tcp://127.0.0.1:{free_port()}"


@pytest.fixture
def trl(address: str) -> Iterator[Trl]:
    with tango_server(address, slots=1) as trl:
        yield trl


def test_without_an_engine_the_devices_are_up_and_say_so(trl: Trl, address: str) -> None:
    repeater, writer_1 = tango.DeviceProxy(trl(REPEATER)), tango.DeviceProxy(trl(writer(1)))
    assert (repeater.State(), writer_1.State()) == (DevState.UNKNOWN, DevState.UNKNOWN)
    assert address in repeater.Status()
    assert address in writer_1.Status()
    assert repeater.read_attribute("SourceReceived").quality == AttrQuality.ATTR_INVALID
    with pytest.raises(tango.DevFailed) as failed:
        repeater.Start()
    assert failed.value.args[0].reason == "EngineUnreachable"
    with pytest.raises(tango.DevFailed) as failed:
        writer_1.NumImages = 3
    assert failed.value.args[0].reason == "EngineUnreachable"


def test_an_engine_is_found_lost_and_found_again(trl: Trl, address: str, tmp_path: Path) -> None:
    repeater, writer_1 = tango.DeviceProxy(trl(REPEATER)), tango.DeviceProxy(trl(writer(1)))
    with watching(repeater, "State") as state, watching(writer_1, "NumImages") as images:
        with engine_at(tmp_path, address):
            state.next_value(DevState.STANDBY)
            writer_1.NumImages = 12
            images.next_value(12)
            repeater.Start()
            state.next_value(DevState.RUNNING)
        state.next_value(DevState.UNKNOWN)
        images.next_where(lambda told: told.quality == AttrQuality.ATTR_INVALID)
        assert "no answer from" in repeater.Status()
        with engine_at(tmp_path, address):  # another life: its own values count
            state.next_value(DevState.STANDBY)
            told = images.next_value(0)
            assert told.w_value == 0
            repeater.Start()
            state.next_value(DevState.RUNNING)
            writer_1.Start()
            file = writer_1.FullFileName
        state.next_value(DevState.UNKNOWN)
        assert file in writer_1.Status()  # what becomes of it is not known, but which it is


def test_init_while_the_engine_is_away_keeps_looking_for_it(trl: Trl, address: str, tmp_path: Path) -> None:
    repeater = tango.DeviceProxy(trl(REPEATER))
    repeater.Init()
    assert repeater.State() == DevState.UNKNOWN
    with engine_at(tmp_path, address):
        until(lambda: repeater.State() == DevState.STANDBY, "the engine to be found")


def test_a_dead_data_plane_is_fault_with_the_reason(tmp_path: Path) -> None:
    with engine_at(tmp_path) as (address, plane), tango_server(address, slots=1) as trl:
        repeater, writer_1 = tango.DeviceProxy(trl(REPEATER)), tango.DeviceProxy(trl(writer(1)))
        with watching(repeater, "State") as state, watching(writer_1, "State") as of_writer:
            state.next_value(DevState.STANDBY)
            repeater.Start()
            plane.die("killed by SIGKILL")
            state.next_value(DevState.FAULT)
            of_writer.next_value(DevState.UNKNOWN)
            assert "killed by SIGKILL" in repeater.Status()
            repeater.Initialize()
            repeater.Start()
            state.next_value(DevState.RUNNING)
            of_writer.next_value(DevState.STANDBY)


def test_the_slots_are_those_of_the_engine(tmp_path: Path) -> None:
    options = ServiceOptions(
        roots=(tmp_path,), configuration=configuration(tmp_path), max_streams=9, max_writers=1
    )
    service = Service(options, FakePlane())
    service.start()
    server = EngineServer(service, ANY_PORT)
    server.start()
    try:
        with tango_server(server.address, slots=2) as trl:
            repeater, writer_2 = tango.DeviceProxy(trl(REPEATER)), tango.DeviceProxy(trl(writer(2)))
            until(lambda: repeater.State() == DevState.STANDBY, "the engine to be found")
            assert writer_2.State() == DevState.FAULT
            assert "Slot says 2, but writers have the slots 1 to 1" in writer_2.Status()
            assert repeater.read_attribute("Stream9Name").quality == AttrQuality.ATTR_INVALID
            assert "Stream10Name" not in repeater.get_attribute_list()
    finally:
        server.close()
        service.close()


def test_an_engine_of_another_kind_is_shown_when_it_appears(address: str, tmp_path: Path) -> None:
    with tango_server(address, slots=0) as trl:
        repeater = tango.DeviceProxy(trl(REPEATER))
        assert repeater.State() == DevState.UNKNOWN
        assert "Stream8Name" in repeater.get_attribute_list()
        with camera_at(tmp_path, address):
            until(lambda: shows(repeater, "CameraGain"), "the attributes of a camera")
            until(lambda: repeater.State() == DevState.STANDBY, "the engine to be found")
            repeater.CameraExposure = 0.5
            assert repeater.CameraExposure == 0.5
        with engine_at(tmp_path, address):
            until(lambda: shows(repeater, "Stream8Name"), "the attributes of a repeater")
            assert not shows(repeater, "CameraGain")
            until(lambda: repeater.State() == DevState.STANDBY, "the engine to be found")


def shows(device: tango.DeviceProxy, attribute: str) -> bool:
    """Whether a device has an attribute; it may not be there for a moment."""
    try:
        return attribute in device.get_attribute_list()
    except tango.DevFailed:
        return False


@contextmanager
def camera_at(folder: Path, address: str) -> Iterator[None]:
    options = ServiceOptions(roots=(folder,), configuration=CameraConfiguration())
    with (
        Service(options, FakePlane(CameraConfiguration), CAMERA_ENGINE) as service,
        EngineServer(service, address),
    ):
        yield
