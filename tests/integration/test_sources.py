"""Sources of other formats than the main job, from their own senders through the engine to the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  registers the filters
import numpy as np
import pytest

from repstream.errors import Refused
from repstream.messages import dectris_v1
from repstream.messages.pixels import packed
from repstream.parameters.configuration import Configuration
from repstream.parameters.source import SourceConfig
from repstream.parameters.writer import WriterConfig
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from tests.engine.messages.vectors import load
from tests.integration.rig import Detector, free_port, until

ME = Requester("test")


@contextmanager
def serving(folder: Path, source: dict[str, Any], **writer: Any) -> Iterator[Service]:
    writers = {"main": WriterConfig(folder=str(folder), file_name="s", **writer)}
    configuration = Configuration(source=SourceConfig(**source), writers=writers)
    service = Service(ServiceOptions(name="t", roots=(folder,), configuration=configuration))
    service.start()
    try:
        yield service
    finally:
        service.close()


@pytest.fixture
def detector() -> Iterator[Detector]:
    detector = Detector()
    yield detector
    detector.close()


def told(service: Service, key: str) -> Callable[[], object]:
    return lambda: service.read(key).value


def arm(service: Service) -> None:
    assert service.execute("writers.1.arm", None, ME).wait(20).ok


@pytest.mark.parametrize("compression", ["none", "lz4", "bitshuffle_lz4"])
def test_a_bsread_camera_is_written_with_its_scalars(tmp_path: Path, compression: str) -> None:
    bsread = pytest.importorskip("bsread")
    sender = bsread.Sender(port=free_port(), mode=bsread.PUSH)
    images = np.random.default_rng(1).integers(0, 2**16, (20, 30, 40), np.uint16)
    sender.add_channel("cam", metadata={"type": "uint16", "shape": [40, 30], "compression": compression})
    sender.add_channel("INTENSITY", metadata={"type": "float64"})
    sender.open(no_client_action=None, no_client_timeout=None)
    address = f"tcp://127.0.0.1:{sender.port}"
    try:
        with serving(
            tmp_path, {"address": address, "channel": "cam", "id_step": 4}, num_images=20
        ) as service:
            writing = service.execute("writers.1.start", None, ME)
            until(lambda: told(service, "writers.1.gate")() == "open", "the gate to open")
            until(lambda: told(service, "writers.1.acq_state")() == "WAITING_IMAGES", "the file")
            for i, image in enumerate(images):
                sender.send(pulse_id=1000 + 4 * i, data={"cam": image, "INTENSITY": i / 4})
            assert writing.wait(20).ok
            assert told(service, "source.missing")() == 0
    finally:
        sender.close()
    with h5py.File(tmp_path / "s_000000.h5") as file:
        np.testing.assert_array_equal(file["/entry/data/data"][:], images)
        rows = file["/detector/metadata"][:]
    assert rows["image_id"].tolist() == list(range(1000, 1080, 4))
    assert rows["INTENSITY"].tolist() == [i / 4 for i in range(20)]


@pytest.mark.parametrize("family", ["dectris_v1", "dectris_v2"])
def test_recorded_series_are_files_of_their_own_one_after_another(
    tmp_path: Path, detector: Detector, family: str
) -> None:
    vector = load(family)["series_of_three"]
    with serving(tmp_path, {"address": detector.address}, follow_series=True) as service:
        arm(service)
        assert told(service, "writers.1.gate")() == "shut"
        for _ in range(3):
            for parts in vector.messages.values():
                detector.send_parts(parts)
        until(lambda: told(service, "writers.1.file_number")() == 4, "the fourth file")
        until(lambda: told(service, "writers.1.acq_state")() == "WAITING_IMAGES", "the fourth file to wait")
        until(lambda: told(service, "source.other")() == 6, "the last report")
        assert "series end 3" in str(told(service, "source.other_kinds")())
        stopped = service.execute("writers.1.stop", None, ME)
        assert stopped.wait(20).ok
        assert told(service, "writers.1.acq_result")() == "interrupted"
        # The third file may still be flushed behind it.
        until(lambda: told(service, "writers.1.state")() == "READY", "all files to be closed")
    for number in range(3):
        with h5py.File(tmp_path / f"s_{number:06d}.h5") as file:
            assert file["/entry/acquisition/outcome"][()] == b"completed"
            np.testing.assert_array_equal(file["/entry/data/data"][:], list(vector.arrays.values()))
            assert list(file["/detector/metadata"]["image_id"]) == [0, 1, 2]
            assert "start_time" in file["/detector/metadata"].dtype.names
            configuration = json.loads(file["/entry/instrument/detector/configuration"].asstr()[()])
            assert configuration["sensor_material"] == "Si"


@pytest.mark.parametrize("encoding", ["", "bitshuffle_lz4"])
def test_full_detail_is_in_the_file_and_images_stay_compressed(
    tmp_path: Path, detector: Detector, encoding: Any
) -> None:
    dice = np.random.default_rng(2)
    images = dice.integers(0, 50, (4, 64, 96), np.uint32)
    tables = {
        "flatfield": dice.random((64, 96), np.float32),
        "pixel_mask": dice.integers(0, 2, (64, 96), np.uint32),
        "countrate_table": dice.random((2, 1000), np.float32),
    }
    described = {name: packed(table) for name, table in tables.items()}
    with serving(tmp_path, {"address": detector.address}, follow_series=True) as service:
        arm(service)
        detector.send_parts(
            dectris_v1.encode_start(9, {"count_time": 0.5, "detector_number": "E-1"}, described)
        )
        for i, image in enumerate(images):
            detector.send_parts(dectris_v1.encode_image(9, i, packed(image, encoding), real_time=i))
        detector.send_parts(dectris_v1.encode_end(9))
        until(lambda: told(service, "writers.1.file_number")() == 2, "the second file")
    with h5py.File(tmp_path / "s_000000.h5") as file:
        np.testing.assert_array_equal(file["/entry/data/data"][:], images)
        assert file["/entry/data/data"].id.get_create_plist().get_nfilters() == (1 if encoding else 0)
        found = file["/entry/instrument/detector"]
        names = ("flatfield", "pixel_mask", "countrate_correction_lookup_table")
        for name, table in zip(names, tables.values(), strict=True):
            np.testing.assert_array_equal(found[name][:], table)
        assert (found["count_time"][()], found["serial_number"][()]) == (0.5, b"E-1")


def test_a_next_file_that_is_refused_is_said_and_holds_nothing_up(tmp_path: Path, detector: Detector) -> None:
    (tmp_path / "s_000001.h5").write_text("mine")
    with serving(tmp_path, {"address": detector.address}, follow_series=True) as service:
        arm(service)
        for _ in range(2):
            for parts in load("dectris_v1")["series_of_three"].messages.values():
                detector.send_parts(parts)
        until(lambda: told(service, "source.received")() == 6, "the second series")
        until(lambda: told(service, "writers.1.state")() == "READY", "the writer")
        message = str(told(service, "writers.1.acq_message")())
        assert message.startswith("Completed. ERROR:the next series is not followed")
        assert "s_000001.h5 exists" in message
        assert "s_000001.h5 exists" in str(told(service, "engine.last_error")())
    assert (tmp_path / "s_000001.h5").read_text() == "mine"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"auto_increment": False}, "follow_series needs auto_increment"),
        ({"file_template": "%s%s.h5"}, "a number in file_template"),
        ({"trigger_attribute": "laser"}, "both open the gate"),
    ],
)
def test_what_cannot_be_followed_is_refused_at_once(
    tmp_path: Path, detector: Detector, fields: dict[str, Any], reason: str
) -> None:
    with (
        serving(tmp_path, {"address": detector.address}, follow_series=True, **fields) as service,
        pytest.raises(Refused, match=reason),
    ):
        service.execute("writers.1.arm", None, ME)
