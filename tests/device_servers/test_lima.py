"""The device `LimaCCDs` on an engine that writes files, as clients of Lima drive it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tango
from tango import DevState

from repstream.files.verify import verify
from repstream.link.server import EngineServer
from repstream.parameters.configuration import Configuration
from repstream.parameters.facts import Kind
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream_tango.command_line import command_line
from repstream_tango.lima import table
from repstream_tango.lima.conversions import KEPT
from repstream_tango.lima.rows import Fixed, Live, Row
from repstream_tango.names import LIMA_CLASS
from tests.device_servers.serving import ANY_PORT, free_port, running, until, writer
from tests.device_servers.watching import watching
from tests.integration.rig import IMAGES, SHAPE, Detector

NAME = "lima/ccds/1"


@dataclass
class Bench:
    """An engine, the Lima device on it, the native device of the same writer, and a detector."""

    folder: Path
    service: Service
    detector: Detector
    lima: tango.DeviceProxy
    writer: tango.DeviceProxy
    sent: int = 0

    def send(self, count: int) -> list[int]:
        """Ids of the images that were sent."""
        ids = range(self.sent, self.sent + count)
        self.detector.send(ids)
        self.sent += count
        return list(ids)

    def saving(self, prefix: str, frames: int, policy: str = "ABORT") -> None:
        """Everything that is set before a file is written, in the order of sardana_limaccd."""
        for name, value in (
            ("saving_mode", "AUTO_FRAME"),
            ("saving_overwrite_policy", policy),
            ("saving_directory", str(self.folder)),
            ("saving_format", "HDF5"),
            ("saving_suffix", ".h5"),
            ("saving_index_format", "%04d"),
            ("saving_prefix", prefix),
            ("acq_nb_frames", frames),
        ):
            self.lima.write_attribute(name, value)

    def until_ready(self) -> None:
        until(lambda: self.lima.acq_status != "Running", "the acquisition to end")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder, detector = tmp_path_factory.mktemp("lima"), Detector()
    stream = {"address": f"tcp://127.0.0.1:{free_port()}", "mode": "PUB"}
    configuration = Configuration.model_validate(
        {
            "source": {"address": detector.address, "image_height": SHAPE[0], "image_width": SHAPE[1]},
            "streams": {"preview": stream},
            "writers": {"main": {"folder": str(folder)}},
            "pictures": {"1": {"stream": "preview"}},
        }
    )
    service = Service(ServiceOptions(roots=(folder,), configuration=configuration))
    service.start()
    server = EngineServer(service, ANY_PORT)
    server.start()
    port = free_port()
    more = [f"{LIMA_CLASS}::{NAME}"]
    with running(command_line(server.address, port=port, writers=[writer(1)], more=more)):
        lima, native = (
            tango.DeviceProxy(f"tango://127.0.0.1:{port}/{name}#dbase=no") for name in (NAME, writer(1))
        )
        until(lambda: lima.State() == DevState.ON, "the device to find its engine")
        service.execute("engine.start", None, Requester("test"))
        yield Bench(folder, service, detector, lima, native)
    server.close()
    service.close()
    detector.close()


@pytest.fixture
def bench(served: Bench) -> Bench:
    served.lima.abortAcq()
    until(lambda: served.lima.acq_status == "Ready", "a calm device")
    return served


def refusal(act: Any, *arguments: Any) -> str:
    with pytest.raises(tango.DevFailed) as failed:
        act(*arguments)
    assert failed.value.args[0].reason == "Refused"
    return str(failed.value.args[0].desc)


def ids_in(path: Path) -> list[int]:
    with h5py.File(path) as file:
        found: list[int] = file["detector/metadata"]["image_id"].tolist()
        for n, image_id in enumerate(found):
            assert np.array_equal(file["/entry_0000/measurement/data"][n], IMAGES(image_id))
    return found


def test_an_acquisition_is_prepared_started_and_in_its_file(bench: Bench) -> None:
    bench.saving("whole_", 3)
    bench.lima.prepareAcq()
    assert (bench.lima.acq_status, bench.lima.last_image_saved) == ("Ready", -1)
    assert bench.lima.ready_for_next_acq
    assert bench.writer.State() == DevState.RUNNING  # the file waits
    bench.lima.startAcq()
    assert (bench.lima.acq_status, bench.lima.State()) == ("Running", DevState.RUNNING)
    assert not bench.lima.ready_for_next_acq
    ids = bench.send(3)
    bench.until_ready()
    assert bench.lima.acq_status == "Ready"
    assert (bench.lima.last_image_saved, bench.lima.last_image_ready, bench.lima.last_image_acquired) == (
        2,
        2,
        2,
    )
    assert ids_in(bench.folder / "whole_0000.h5") == ids


def test_the_number_of_the_file_is_that_of_the_one_just_begun(bench: Bench) -> None:
    bench.saving("number_", 1)
    assert bench.lima.saving_next_number == 0
    for number in range(2):
        bench.lima.prepareAcq()
        bench.lima.startAcq()
        bench.send(1)
        bench.until_ready()
        assert bench.lima.saving_next_number == number  # as sardana_limaccd reads it, even so late
        assert (bench.folder / f"number_{number:04d}.h5").exists()
    bench.lima.saving_prefix = "number_"
    assert bench.lima.saving_next_number == 2
    bench.lima.saving_next_number = 17
    assert bench.lima.saving_next_number == 17
    bench.lima.saving_next_number = -1
    assert bench.lima.saving_next_number == 2


def test_a_file_that_exists_is_refused_or_overwritten_as_the_policy_says(bench: Bench) -> None:
    bench.saving("exists_", 1)
    (bench.folder / "exists_0005.h5").touch()
    bench.lima.saving_next_number = 5
    said = refusal(bench.lima.prepareAcq)
    assert "exists_0005.h5 exists" in said
    assert "Run prepareAcq before starting acquisition" in refusal(bench.lima.startAcq)
    bench.saving("exists_", 1, policy="overwrite")
    assert bench.writer.Overwrite
    bench.lima.saving_next_number = 5
    bench.lima.prepareAcq()
    bench.lima.startAcq()
    ids = bench.send(1)
    bench.until_ready()
    assert ids_in(bench.folder / "exists_0005.h5") == ids


@pytest.mark.parametrize(
    ("name", "value"), [("acq_nb_frames", 2), ("acq_expo_time", 0.125), ("saving_mode", "MANUAL")]
)
def test_a_setting_after_prepareAcq_takes_another_prepareAcq(bench: Bench, name: str, value: Any) -> None:
    bench.saving(f"again_{name}_", 1)
    bench.lima.acq_expo_time = 1.0
    bench.lima.prepareAcq()
    bench.lima.acq_nb_frames = 1  # as it is: the file goes on waiting
    assert bench.writer.State() == DevState.RUNNING
    bench.lima.write_attribute(name, value)
    assert "Run prepareAcq before starting acquisition" in refusal(bench.lima.startAcq)
    assert not list(bench.folder.glob("again_*"))
    bench.lima.saving_mode = "AUTO_FRAME"
    bench.lima.prepareAcq()
    bench.lima.startAcq()
    ids = bench.send(bench.lima.acq_nb_frames)
    bench.until_ready()
    assert ids_in(bench.folder / f"again_{name}_0000.h5") == ids
    (bench.folder / f"again_{name}_0000.h5").unlink()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("acq_nb_frames", -1),
        ("saving_directory", "/etc"),
        ("saving_suffix", ".tiff"),
        ("acq_expo_time", -1.0),
        ("saving_common_header", ["nonsense"]),
    ],
)
def test_a_setting_that_is_refused_takes_nothing_back(bench: Bench, name: str, value: Any) -> None:
    bench.saving(f"kept_{name}_", 1)
    bench.lima.prepareAcq()
    path = bench.folder / f"kept_{name}_0000.h5"
    refusal(bench.lima.write_attribute, name, value)
    assert path.exists()
    bench.lima.startAcq()
    ids = bench.send(1)
    bench.until_ready()
    assert ids_in(path) == ids


@pytest.mark.parametrize("starts", [False, True], ids=["prepared", "started"])
@pytest.mark.parametrize("command", ["stopAcq", "abortAcq"])
def test_an_acquisition_without_images_leaves_no_file(bench: Bench, command: str, starts: bool) -> None:
    bench.saving("nothing_", 3)
    bench.lima.prepareAcq()
    assert (bench.folder / "nothing_0000.h5").exists()
    if starts:
        bench.lima.startAcq()
    bench.lima.command_inout(command)
    bench.until_ready()
    assert not list(bench.folder.glob("nothing_*"))
    assert bench.lima.saving_next_number == 0


def test_without_saving_images_are_counted(bench: Bench) -> None:
    bench.lima.saving_mode = "manual"
    bench.lima.acq_nb_frames = 4
    bench.lima.prepareAcq()
    assert bench.lima.last_image_ready == -1
    bench.lima.startAcq()
    bench.send(2)
    until(lambda: bench.lima.last_image_ready == 1, "two images to be counted")
    assert bench.lima.acq_status == "Running"
    bench.send(5)
    bench.until_ready()
    assert (bench.lima.last_image_ready, bench.lima.last_image_saved) == (3, -1)


def one_by_one(bench: Bench, count: int) -> list[int]:
    """Send images so slowly that picture 1 shows each of them."""
    first = bench.sent
    for _ in range(count):
        bench.send(1)
        until(lambda: bench.service.read("pictures.1.image_id").value == bench.sent - 1, "the picture")
    return list(range(first, bench.sent))


def pixels(answer: tuple[str, Any]) -> Any:
    return np.frombuffer(bytes(answer[1])[80:], "<u2").reshape(SHAPE)


def test_images_without_a_file_are_read_from_memory_and_saved_by_hand(bench: Bench) -> None:
    bench.saving("hand_", 3)
    bench.lima.saving_mode = "MANUAL"
    bench.lima.prepareAcq()
    assert "no image was taken yet" in refusal(bench.lima.readImage, 0)
    bench.lima.startAcq()
    ids = one_by_one(bench, 3)
    bench.until_ready()
    for number, image_id in enumerate(ids):
        assert np.array_equal(pixels(bench.lima.readImage(number)), IMAGES(image_id))
    assert np.array_equal(pixels(bench.lima.readImage(-1)), IMAGES(ids[-1]))
    assert not list(bench.folder.glob("hand_*"))
    for number in (1, -1):
        bench.lima.writeImage(number)
    assert (bench.lima.last_image_saved, bench.lima.saving_next_number) == (2, 2)
    for file, image_id in (("hand_0000.h5", ids[1]), ("hand_0001.h5", ids[2])):
        assert ids_in(bench.folder / file) == [image_id]
        assert verify(bench.folder / file).complete
    bench.lima.saving_next_number = 0
    assert "hand_0000.h5 exists" in refusal(bench.lima.writeImage, 0)


def test_an_image_that_the_stream_left_out_is_refused_with_those_that_are_there(bench: Bench) -> None:
    bench.lima.saving_mode, bench.lima.acq_nb_frames = "MANUAL", 2
    sparse = {"streams.preview.policy": "send_every_nth", "streams.preview.every_nth": 1_000_000}
    bench.service.write(sparse, Requester("test"))
    bench.lima.prepareAcq()
    bench.lima.startAcq()
    bench.send(1)
    until(lambda: bench.lima.last_image_ready == 0, "an image that is counted")
    bench.service.write({"streams.preview.policy": "forward"}, Requester("test"))
    ids = one_by_one(bench, 1)
    bench.until_ready()
    said = refusal(bench.lima.readImage, 0)
    assert "of stream preview at most 10 a second (pictures.1.rate) are kept" in said
    assert said.endswith(str(ids[0]))
    assert np.array_equal(pixels(bench.lima.readImage(1)), IMAGES(ids[0]))


def test_saving_by_hand_is_for_the_mode_of_saving_by_hand(bench: Bench) -> None:
    bench.saving("auto_", 1)
    assert "only permitted when saving mode == Manual" in refusal(bench.lima.writeImage, 0)


@pytest.mark.parametrize("command", ["stopAcq", "abortAcq"])
def test_an_acquisition_ends_when_asked_to_and_is_no_fault(bench: Bench, command: str) -> None:
    bench.saving(f"{command}_", 100)
    bench.lima.prepareAcq()
    bench.lima.startAcq()
    bench.send(2)
    until(lambda: bench.lima.last_image_saved == 1, "two images to be written")
    bench.lima.command_inout(command)
    bench.until_ready()  # the file is closed by then, unless the disk is slow
    assert (bench.lima.acq_status, bench.lima.acq_status_fault_error) == ("Ready", "No error")
    assert bench.lima.State() == DevState.ON


def test_an_acquisition_that_ends_early_is_a_fault_until_the_next(bench: Bench) -> None:
    bench.saving("early_", 3)
    bench.lima.prepareAcq()
    with watching(bench.lima, "acq_status") as watch:
        bench.lima.startAcq()
        watch.next_value("Running")
        bench.writer.Stop()  # somebody else
        watch.next_value("Fault")
    assert bench.lima.State() == DevState.FAULT
    assert "0 of 3 images" in bench.lima.acq_status_fault_error
    assert "0 of 3 images" in bench.lima.Status()
    bench.lima.reset()
    assert bench.lima.acq_status == "Ready"


def test_events_follow_an_acquisition(bench: Bench) -> None:
    bench.saving("events_", 2)
    with watching(bench.lima, "last_image_saved") as saved, watching(bench.lima, "State") as state:
        bench.lima.prepareAcq()
        bench.lima.startAcq()
        state.next_value(DevState.RUNNING)
        bench.send(2)
        saved.next_value(1)
        state.next_value(DevState.ON)


@pytest.mark.parametrize("pixels", ["readImage", "readImageSeq"])
def test_images_of_the_file_are_handed_out(bench: Bench, pixels: str) -> None:
    bench.saving(f"{pixels}_", 3)
    bench.lima.prepareAcq()
    bench.lima.startAcq()
    ids = bench.send(3)
    bench.until_ready()
    wanted = [1] if pixels == "readImage" else [1, 2]
    form, data = bench.lima.command_inout(pixels, 1 if pixels == "readImage" else [1, 3])
    assert form == "DATA_ARRAY"
    size = 80 + 2 * SHAPE[0] * SHAPE[1]
    assert len(data) == size * len(wanted)
    for n, number in enumerate(wanted):
        block = bytes(data[n * size : (n + 1) * size])
        assert struct.unpack_from("<IHHIIHHHH", block) == (0x44544159, 4, 80, 2, 1, 0, 2, SHAPE[1], SHAPE[0])
        assert np.array_equal(np.frombuffer(block[80:], "<u2").reshape(SHAPE), IMAGES(ids[number]))
    assert "no image 3, only 0 to 2" in refusal(bench.lima.readImage, 3)


def test_the_picture_is_that_of_viewers_for_lima(bench: Bench) -> None:
    def picture() -> Any:
        return bench.lima.read_attribute("video_last_image").value

    until(lambda: bench.send(1) and picture(), "a picture")
    form, data = picture()
    magic, version, mode, image_id, width, height = struct.unpack_from("!IHHqii", data)
    assert (form, magic, version, mode) == ("VIDEO_IMAGE", 0x5644454F, 1, 1)
    assert (height, width) == SHAPE
    assert image_id < bench.sent
    assert bench.lima.video_live
    assert bench.lima.video_active


def test_an_image_of_several_files_is_refused_before_anything_is_made(bench: Bench) -> None:
    bench.saving("single_", 4)
    bench.lima.saving_frame_per_file = 2
    said = refusal(bench.lima.prepareAcq)
    assert "set it to 4 or more" in said
    assert not (bench.folder / "single_0000.h5").exists()
    bench.lima.saving_frame_per_file = table.MOST_FRAMES


def test_metadata_go_into_the_file(bench: Bench) -> None:
    bench.saving("headers_", 1)
    bench.lima.saving_common_header = ["sample=A1", "operator=me"]
    assert bench.writer.UserMetadata == '{"sample": "A1", "operator": "me"}'
    assert list(bench.lima.saving_common_header) == ["sample=A1", "operator=me"]
    assert "sample=A1" in refusal(bench.lima.write_attribute, "saving_common_header", ["nonsense"])
    bench.lima.resetCommonHeader()
    assert bench.writer.UserMetadata == ""


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("saving_format", "EDF", "must be HDF5 or HDF5BS"),
        ("acq_trigger_mode", "INTERNAL_TRIGGER_MULTI", "must be INTERNAL_TRIGGER or"),
        ("saving_managed_mode", "HARDWARE", "must be SOFTWARE"),
        ("image_bin", [2, 2], "must be (1, 1)"),
        ("image_roi", [0, 0, 10, 10], "the whole image"),
        ("acq_expo_time", -1.0, "between 0 and"),
        ("acq_nb_frames", -1, "must be a whole number from 0"),
        ("saving_directory", "/etc", "/etc"),
        ("saving_index_format", "%s", "such as %04d"),
        ("saving_suffix", ".tiff", "HDF5"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(bench: Bench, name: str, value: Any, says: str) -> None:
    before = bench.lima.read_attribute(name).value
    assert says in refusal(bench.lima.write_attribute, name, value)
    assert np.array_equal(bench.lima.read_attribute(name).value, before)


def test_what_is_kept_is_kept_by_the_engine(bench: Bench) -> None:
    bench.lima.acq_expo_time = 0.25
    bench.lima.acq_trigger_mode = "external_gate"
    bench.lima.write_attributes([("latency_time", 0.5), ("video_gain", 2.0)])
    assert '"acq_expo_time": 0.25' in str(bench.service.read(KEPT).value)
    assert bench.lima.acq_trigger_mode == "EXTERNAL_GATE"
    assert list(bench.lima.getAttrStringValueList("saving_format")) == ["HDF5", "HDF5BS"]
    bench.lima.Init()
    assert (bench.lima.acq_expo_time, bench.lima.latency_time) == (0.25, 0.5)


@pytest.mark.parametrize("row", table.ROWS, ids=lambda row: row.name)
def test_every_row_can_be_read_and_written_as_it_says(bench: Bench, row: Row) -> None:
    held = bench.lima.read_attribute(row.name)
    config = bench.lima.get_attribute_config(row.name)
    assert (config.label, config.unit) == (row.title, row.unit)
    assert config.data_type == row.dtype
    assert (config.writable == tango.AttrWriteType.READ_WRITE) == row.writable
    if isinstance(row.what, Fixed):
        assert np.array_equal(held.value, row.what.value)
    if row.writable and held.value is not None:
        bench.lima.write_attribute(row.name, held.value)
        assert np.array_equal(bench.lima.read_attribute(row.name).value, held.value)


def test_the_table_names_parameters_that_are_there(bench: Bench) -> None:
    parameters = bench.service.catalogue.parameters
    for row in table.ROWS:
        if isinstance(row.what, Live):
            assert set(row.what.keys) <= parameters.keys(), row.name
    assert parameters[KEPT].kind is Kind.TEXT
