"""A beam at a known place, read by clients of Tango and EPICS from the programs that serve pipelines."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any, NamedTuple

import h5py
import httpx
import numpy as np
import pytest

from tests.cli.cam_server import program, wait_until_ready
from tests.ioc.clients import Pyepics, tool
from tests.ports import free_port
from tests.waiting import until

tango = pytest.importorskip("tango")

WIDTH, HEIGHT = 96, 64
X, Y, SIGMA = 30.25, 41.5, 4.0
MINOR, MAJOR, INVALID = 1, 2, 3


class Beamline(NamedTuple):
    """The pipelines "inside", whose limits the beam keeps, and "outside"."""

    devices: dict[str, Any]
    epics: Pyepics
    pipelines: str
    address: str
    epics_port: int
    pva_port: int

    def device(self, name: str) -> Any:
        """The device of a pipeline; `DevFailed` where there is none."""
        device = tango.DeviceProxy(self.address.format(name))
        device.ping()
        return device

    def caget(self, pv: str) -> str:
        """What a client that begins now reads; empty where nobody has the PV."""
        found = tool(self.epics_port, "caget", "-t", "-w", "2", pv)
        return "" if "not found" in found.stdout else found.stdout.strip()

    def save(self, name: str, configuration: dict[str, Any]) -> None:
        answer = httpx.post(f"{self.pipelines}/api/v1/pipeline/{name}/config", json=configuration).json()
        assert answer["state"] == "ok", answer["status"]

    def remove(self, name: str) -> None:
        answer = httpx.delete(f"{self.pipelines}/api/v1/pipeline/{name}/config").json()
        assert answer["state"] == "ok", answer["status"]


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    folder = tmp_path_factory.mktemp("beamline")
    _write_images(folder / "images.h5")
    camera = {"source": f"{folder}/images.h5:/images", "source_type": "hdf5", "frame_rate": 20}
    outside = {
        "x_center": {"warning_high": X - 1},
        "y_center": {"alarm_low": Y + 1},
        "x_width": {"alarm_low": 0.5 * SIGMA, "warning_high": 2 * SIGMA},
    }
    _save(folder / "configuration/camera_config", "screen", camera)
    pipelines = folder / "configuration/pipeline_config"
    _save(pipelines, "inside", {"camera_name": "screen", "alarms": {"x_center": {"warning_high": X + 9}}})
    _save(pipelines, "outside", {"camera_name": "screen", "alarms": outside})
    ports = [free_port() for _ in range(6)]
    here = ("-i", "127.0.0.1", "-n", "127.0.0.1", "-p")
    shown = ("--tango", "--tango-port", ports[2], "--epics", "--epics-port", ports[3])
    prefix = ("--epics-prefix", "T:$(ENGINE):", "--pva-port", ports[4])
    searches = {**os.environ, "EPICS_PVAS_BROADCAST_PORT": str(ports[5])}
    pipeline = ("-c", f"http://127.0.0.1:{ports[0]}", *shown, *prefix)
    with (
        program("camera_server", folder, *here, ports[0]) as cameras,
        program("pipeline_server", folder, *here, ports[1], *pipeline, environment=searches) as served,
    ):
        wait_until_ready(cameras)
        wait_until_ready(served)
        address = f"tango://127.0.0.1:{ports[2]}/repstream/pipeline/{{}}#dbase=no"
        devices = {name: tango.DeviceProxy(address.format(name)) for name in ("inside", "outside")}
        with Pyepics(ports[3]) as epics:
            yield Beamline(devices, epics, f"http://127.0.0.1:{ports[1]}", address, ports[3], ports[4])


def test_the_beam_is_where_it_was_put(beamline: Beamline) -> None:
    inside, epics = beamline.devices["inside"], beamline.epics
    assert inside.State() == tango.DevState.OFF
    assert epics.do("get", "T:inside:Beam:XCenter_RBV")["severity"] == INVALID
    inside.Start()
    until(lambda: inside.BeamXCenter is not None, "the beam in Tango")
    assert inside.BeamXCenter == pytest.approx(X, abs=0.05)
    assert inside.BeamYCenter == pytest.approx(Y, abs=0.05)
    assert inside.BeamXWidth == pytest.approx(SIGMA, abs=0.05)
    assert inside.State() == tango.DevState.RUNNING
    until(lambda: epics.do("get", "T:inside:Beam:XCenter_RBV")["severity"] == 0, "the beam in EPICS")
    assert epics.value("T:inside:Beam:XCenter_RBV") == pytest.approx(X, abs=0.05)
    assert epics.value("T:inside:Beam:YCenter_RBV") == pytest.approx(Y, abs=0.05)
    assert epics.value("T:inside:Beam:Quality_RBV") > 0.95
    assert inside.read_attribute("BeamXCenter").quality == tango.AttrQuality.ATTR_VALID


def test_its_picture_and_numbers_come_over_pv_access(beamline: Beamline) -> None:
    pvaccess = pytest.importorskip("tests.ioc.pva_client")
    beamline.devices["inside"].Start()
    pictures: Queue[Any] = Queue()
    with pvaccess.client(beamline.pva_port) as pva:
        until(
            lambda: pva.get("T:inside:Beam:XCenter_RBV", timeout=20) == pytest.approx(X, abs=0.05), "the beam"
        )
        with pva.monitor("T:inside:Image", pictures.put):
            seen = [picture for _ in range(5) if (picture := pictures.get(timeout=20)).size]
        assert pva.get("T:inside:Beam:XCenter_RBV", timeout=20).raw.display.description
    ids = [picture.raw["uniqueId"] for picture in seen]
    assert len(ids) >= 4 and ids == sorted(set(ids))
    assert all(np.array_equal(np.asarray(picture), beam()) for picture in seen)
    assert seen[-1].timestamp > 1.7e9


def test_what_is_out_of_its_limits_is_an_alarm(beamline: Beamline) -> None:
    outside, epics = beamline.devices["outside"], beamline.epics
    assert epics.do("put", "T:outside:Start", 1), "the start was never answered"
    until(lambda: epics.do("get", "T:outside:Beam:XCenter_RBV")["severity"] == MINOR, "the warning")
    assert epics.do("get", "T:outside:Beam:YCenter_RBV")["severity"] == MAJOR
    assert epics.do("get", "T:outside:Beam:XWidth_RBV")["severity"] == 0
    assert epics.do("info", "T:outside:Beam:XCenter_RBV")["upper_warning_limit"] == X - 1
    until(lambda: outside.BeamXCenter is not None, "the beam in Tango")
    assert outside.read_attribute("BeamXCenter").quality == tango.AttrQuality.ATTR_WARNING
    assert outside.read_attribute("BeamYCenter").quality == tango.AttrQuality.ATTR_ALARM
    assert outside.read_attribute("BeamXWidth").quality == tango.AttrQuality.ATTR_VALID
    assert "Centre in y" in outside.Status()


def test_levels_that_make_no_sense_are_refused(beamline: Beamline) -> None:
    for alarms, reason in (
        ({"x_centre": {}}, "there is no 'x_centre'"),
        ({"x_center": {"warning_low": 3, "alarm_high": 2}}, "is above alarm_high"),
        ({"x_center": {"high": 2}}, "there is no field 'high'"),
    ):
        body = {"camera_name": "screen", "alarms": alarms}
        answer = httpx.post(f"{beamline.pipelines}/api/v1/pipeline/refused/config", json=body).json()
        assert answer["state"] == "error"
        assert reason in answer["status"]


def test_pvs_and_devices_come_and_go_with_what_is_saved(beamline: Beamline) -> None:
    pvaccess = pytest.importorskip("tests.ioc.pva_client")
    epics, state = beamline.epics, "T:late:State_RBV"
    assert not beamline.caget(state)
    for _ in range(2):
        beamline.save("late", {"camera_name": "screen"})
        until(lambda: beamline.caget(state) == "STOPPED", "the PV")
        until(lambda: answers(beamline, "late"), "the device")
        beamline.device("late").command_inout("Start")
        until(lambda: beamline.device("late").read_attribute("BeamXCenter").value is not None, "the beam")
        # Each time the same client, which was disconnected meanwhile.
        until(lambda: severity(epics, "T:late:Beam:XCenter_RBV") == 0, "the beam in EPICS")
        with pvaccess.client(beamline.pva_port) as pva:
            until(lambda: pva.get("T:late:Image", timeout=20).size, "the picture over PV Access")
            assert pva.get("T:late:Beam:XCenter_RBV", timeout=20) == pytest.approx(X, abs=0.05)
        beamline.device("late").command_inout("Stop")
        beamline.remove("late")
        until(lambda: not answers(beamline, "late"), "the end of the device")
        until(lambda: not beamline.caget(state), "the end of the PV")
    assert answers(beamline, "inside") and beamline.caget("T:inside:State_RBV")


def test_new_levels_are_in_force_without_a_restart(beamline: Beamline) -> None:
    beamline.save("inside", {"camera_name": "screen", "alarms": {"x_center": {"warning_high": X + 5}}})
    until(lambda: level(beamline.epics, "T:inside:Beam:XCenter_RBV") == X + 5, "the new level")
    until(lambda: answers(beamline, "inside"), "the device")


def answers(beamline: Beamline, name: str) -> bool:
    try:
        # Not State(): where the device goes meanwhile, that is an AttributeError.
        return bool(beamline.device(name).state() != tango.DevState.UNKNOWN)
    except tango.DevFailed:
        return False


def level(epics: Pyepics, pv: str) -> float | None:
    """From where on it is a warning; None as `severity`."""
    try:
        return float(epics.do("info", pv)["upper_warning_limit"])
    except RuntimeError:
        return None


def severity(epics: Pyepics, pv: str) -> int | None:
    """None while the client has not found the PV again."""
    try:
        return int(epics.do("get", pv)["severity"])
    except RuntimeError:
        return None


def beam() -> np.ndarray[Any, np.dtype[np.uint16]]:
    """The image of the camera, always the same."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = 100 + 20_000 * np.exp(-((x - X) ** 2 + (y - Y) ** 2) / (2 * SIGMA**2))
    return image.astype(np.uint16)


def _write_images(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["images"] = np.stack([beam()] * 3)


def _save(folder: Path, name: str, configuration: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(configuration))
