"""EPICS cameras as sources, from simulated servers through a whole engine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import lz4.block
import numpy as np
import pytest
from p4p import Value
from p4p.nt import NTNDArray, NTScalar
from p4p.server import Server
from p4p.server.thread import SharedPV

from repstream.errors import MalformedMessage
from repstream.messages import array_1_0, compression, ntndarray
from repstream.protocol import Requester
from tests.integration.rig import free_port, until
from tests.integration.test_sources import serving
from tests.ioc.clients import environment

ME = Requester("test")
CAMERA = "T:CAM:Pva1:Image"
CA_CAMERA = Path(__file__).with_name("epics_camera_worker.py")
DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")


def ndarray(image: np.ndarray[Any, Any], unique: int, **fields: Any) -> Value:
    value = NTNDArray().wrap(image, attrib={"Gain": 2.5, "Name": "text"})
    value["uniqueId"] = unique
    value["dataTimeStamp"] = {"secondsPastEpoch": 1234, "nanoseconds": 5}
    for name, content in fields.items():
        value[name.replace("__", ".")] = content
    return value


class Camera:
    """A server of one NTNDArray, on ports of its own."""

    def __init__(self) -> None:
        self.port, self.search = free_port(), free_port()
        self.pv = SharedPV(initial=NTNDArray().wrap(np.zeros(0, np.uint8)))
        self._server: Any = None
        self.come()

    def come(self) -> None:
        configuration = {
            "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1",
            "EPICS_PVAS_SERVER_PORT": str(self.port),
            "EPICS_PVAS_BROADCAST_PORT": str(self.search),
            "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
        }
        pvs = {CAMERA: self.pv, "T:CAM:Scalar": SharedPV(nt=NTScalar("d"), initial=1.0)}
        self._server = Server([pvs], conf=configuration, useenv=False)

    def go(self) -> None:
        self._server.stop()

    def post(self, image: np.ndarray[Any, Any], unique: int, **fields: Any) -> None:
        self.pv.post(ndarray(image, unique, **fields))


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Iterator[Camera]:
    made = Camera()
    monkeypatch.setenv("EPICS_PVA_NAME_SERVERS", f"127.0.0.1:{made.port}")
    monkeypatch.setenv("EPICS_PVA_AUTO_ADDR_LIST", "NO")
    monkeypatch.setenv("EPICS_PVA_ADDR_LIST", "")
    yield made
    made.go()


def test_images_of_an_areadetector_are_written_and_what_was_missed_is_missing(
    tmp_path: Path, camera: Camera
) -> None:
    images = np.random.default_rng(1).integers(0, 2**16, (20, 30, 40), np.uint16)
    ids = [100 + i for i in range(21) if i != 7]
    with serving(tmp_path, {"address": f"pva://{CAMERA}"}, num_images=20) as service:
        writing = service.execute("writers.1.start", None, ME)
        until(lambda: service.read("source.connected").value, "the camera")
        until(lambda: service.read("writers.1.gate").value == "open", "the gate")
        for i, (unique, image) in enumerate(zip(ids, images, strict=True), start=1):
            camera.post(image, unique)
            until(lambda n=i: service.read("source.received").value == n, "the image")  # type: ignore[misc]
        assert writing.wait(20).ok
        until(lambda: service.read("source.missing").value == 1, "the one that was left out")
    with h5py.File(tmp_path / "s_000000.h5") as file:
        np.testing.assert_array_equal(file["/entry/data/data"][:], images)
        rows = file["/detector/metadata"][:]
    assert rows["image_id"].tolist() == ids
    assert set(rows["Gain"].tolist()) == {2.5}


def test_a_camera_that_vanishes_and_comes_back_is_taken_again(tmp_path: Path, camera: Camera) -> None:
    image = np.ones((3, 4), np.uint16)
    with serving(tmp_path, {"address": f"pva://{CAMERA}"}) as service:
        service.execute("engine.start", None, ME).wait(20)
        until(lambda: service.read("source.connected").value, "the camera")
        camera.post(image, 1)
        until(lambda: service.read("source.received").value == 1, "the image")
        camera.go()
        until(lambda: not service.read("source.connected").value, "its end")
        until(lambda: "has disconnected" in str(service.read("engine.status").value), "why")
        camera.come()
        until(lambda: service.read("source.connected").value, "the camera")
        camera.post(image, 2)
        until(lambda: service.read("source.received").value == 2, "the second image")
        until(lambda: service.read("source.last_frame_id").value == 2, "its id")
        assert service.read("source.missing").value == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [("T:CAM:Pva2:Image", "no PV T:CAM:Pva2:Image answers"), ("T:CAM:Scalar", "not an NTNDArray")],
)
def test_a_wrong_name_is_said_with_what_to_do(tmp_path: Path, camera: Camera, name: str, said: str) -> None:
    with serving(tmp_path, {"address": f"pva://{name}"}) as service:
        service.execute("engine.start", None, ME).wait(20)
        until(lambda: said in str(service.read("engine.status").value), said)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("codec", ["", "lz4", "bslz4", "blosc"])
def test_every_pixel_type_and_codec_is_read(dtype: str, codec: str) -> None:
    image = np.random.default_rng(2).integers(0, 100, (61, 43)).astype(dtype)
    value = ndarray(image, 5)
    if codec:
        value = ndarray(image, 5, codec={"name": codec, "parameters": ("i", ntndarray.SCALARS.index(dtype))})
        packed = np.frombuffer(_packed(image, codec), np.uint8)
        value["value"] = ("ubyteValue", packed)
        value["compressedSize"] = packed.nbytes
    found = ntndarray.image_of(value)
    assert found is not None and found.dtype == dtype
    np.testing.assert_array_equal(found, image)
    frame = array_1_0.decode(ntndarray.message_of(5, found, ntndarray.numbers_of(value)))
    assert (frame.frame_id, frame.shape) == (5, (61, 43))


def _packed(image: np.ndarray[Any, Any], codec: str) -> bytes:
    if codec == "lz4":
        return lz4.block.compress(image.tobytes(), store_size=False)
    if codec == "bslz4":
        return bytes(compression.compress(image.tobytes(), image.itemsize, "bitshuffle_lz4"))[12:]
    import blosc  # noqa: PLC0415 - an extra

    return blosc.compress(image.tobytes(), image.itemsize)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"codec": {"name": "jpeg", "parameters": ("i", 5)}}, "codec 'jpeg' is not read here"),
        ({"codec": {"name": "lz4", "parameters": ("i", 99)}}, "codec.parameters is 99"),
        ({"codec": {"name": "lz4", "parameters": ("i", 5)}}, "compression"),
        ({"codec": {"name": "bslz4", "parameters": ("i", 5)}}, "compression"),
        ({"codec": {"name": "blosc", "parameters": ("i", 5)}}, "Blosc"),
        ({"dimension": [{"size": 5}, {"size": 5}]}, "12 pixels"),
    ],
)
def test_what_cannot_be_an_image_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(MalformedMessage, match=said):
        ntndarray.image_of(ndarray(np.full((3, 4), 255, np.uint8), 1, **fields))


class CaCamera:
    """A simulated camera over Channel Access, in a process of its own."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = settings
        self._worker: subprocess.Popen[str] | None = None
        self.come()

    def come(self) -> None:
        self._worker = subprocess.Popen(
            [sys.executable, str(CA_CAMERA)], env=self._settings, stdin=subprocess.PIPE, text=True
        )

    def go(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker.communicate()
            self._worker = None

    def send(self, number: int) -> None:
        assert self._worker is not None and self._worker.stdin is not None
        self._worker.stdin.write(f"{number}\n")
        self._worker.stdin.flush()


@pytest.fixture
def ca_camera(monkeypatch: pytest.MonkeyPatch) -> Iterator[CaCamera]:
    settings = environment(free_port()) | {
        "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
        "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
    }
    for name, value in settings.items():
        if name.startswith("EPICS_"):
            monkeypatch.setenv(name, value)
    made = CaCamera(settings)
    yield made
    made.go()


@pytest.mark.parametrize("address", ["ca://T:CAM:", "cam://T:CAM"])
def test_cameras_over_channel_access(tmp_path: Path, ca_camera: CaCamera, address: str) -> None:
    with serving(tmp_path, {"address": address}, num_images=3) as service:
        writing = service.execute("writers.1.start", None, ME)
        until(lambda: service.read("source.connected").value, "the camera")
        until(lambda: service.read("writers.1.gate").value == "open", "the gate")
        for number in range(1, 4):
            ca_camera.send(number)
            until(lambda n=number: service.read("source.received").value == n, "it")  # type: ignore[misc]
        assert writing.wait(20).ok
    with h5py.File(tmp_path / "s_000000.h5") as file:
        assert file["/entry/data/data"].shape == (3, 6, 8)
        for number, image in enumerate(file["/entry/data/data"][:], start=1):
            np.testing.assert_array_equal(image, np.arange(48).reshape(6, 8) + number)


def test_a_camera_over_channel_access_that_vanishes_and_comes_back(
    tmp_path: Path, ca_camera: CaCamera
) -> None:
    with serving(tmp_path, {"address": "ca://T:CAM:"}) as service:
        service.execute("engine.start", None, ME).wait(20)
        until(lambda: service.read("source.connected").value, "the camera")
        ca_camera.send(1)
        until(lambda: service.read("source.received").value == 1, "the image")
        ca_camera.go()
        until(lambda: not service.read("source.connected").value, "its end")
        until(
            lambda: "no PV T:CAM:image1:ArrayData answers" in str(service.read("engine.status").value), "why"
        )
        ca_camera.come()
        until(lambda: service.read("source.connected").value, "the camera")
        ca_camera.send(2)
        until(lambda: service.read("source.received").value == 2, "the second image")


def test_a_wrong_name_over_channel_access_is_said_with_what_to_do(
    tmp_path: Path, ca_camera: CaCamera
) -> None:
    with serving(tmp_path, {"address": "ca://T:CAN:"}) as service:
        service.execute("engine.start", None, ME).wait(20)
        said = "no PV T:CAN:image1:ArrayData answers; is the camera's name right"
        until(lambda: said in str(service.read("engine.status").value), said)
