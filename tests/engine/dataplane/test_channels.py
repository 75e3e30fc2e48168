"""Several thresholds or channels of one image into one file, a dataset each, from the wire to the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest
from tests.engine.dataplane.bench import Parts, Plane, image
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_acquisitions import Address, end, result_of, start
from tests.engine.dataplane.test_input_formats import opened, pulse

from repstream.dataplane.storing.placement import Placed
from repstream.dataplane.writing.spill import SpillFile
from repstream.files.reader import FileReader
from repstream.files.verify import verify
from repstream.messages import dectris_v2
from repstream.messages.formats import FrameDecoder
from repstream.messages.frame import UNLIKE, Frame, NoImage
from repstream.messages.pixels import packed

LOW, HIGH = "threshold_1", "threshold_2"
OFFSET = {LOW: 0, HIGH: 1000}
HOLE, COUNT = 4, 8


def pixels(number: int, threshold: str) -> np.ndarray[Any, Any]:
    return image(number, (30, 41)) + np.uint16(OFFSET[threshold])


def two(number: int, *, only: str = "", encoding: Any = "") -> Parts:
    data = {name: packed(pixels(number, name), encoding) for name in (LOW, HIGH) if only in ("", name)}
    return [bytes(part) for part in dectris_v2.encode_image(dectris_v2.Image(number, 1, data))]


def expected(threshold: str, hole: int | None = None) -> np.ndarray[Any, Any]:
    return np.array([pixels(i, threshold) * np.uint16(i != hole) for i in range(COUNT)])


class Case(NamedTuple):
    """Options of a writer, the encoding of the images, and the threshold that one of them lacks."""

    options: dict[str, Any]
    encoding: Any = ""
    missing: str = HIGH


CASES = (
    Case({"checksum": "xxh3"}),
    Case({"compression": "bitshuffle_lz4"}),
    Case({"compression": "bitshuffle_lz4"}, "bitshuffle_lz4", LOW),
    Case({"images_per_file": 3}, "bitshuffle_lz4"),
    Case({"number_of_parts": 2, "checksum": "crc32c"}, missing=LOW),
    Case({"placement": "by_id"}),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_threshold_has_a_dataset_and_a_hole_of_its_own(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path, case: Case
) -> None:
    options, encoding, missing = case
    source = opened(plane, address, peer, {"threshold": f"{LOW}, {HIGH}"}, writers={"file": {}})
    path = tmp_path / "scan.h5"
    start(plane, path, COUNT, **options)
    there = HIGH if missing == LOW else LOW
    for i in (0, 1, 3, 2, HOLE, 5, 6, 7) if "placement" in options else range(COUNT):
        source.send_multipart(two(i, only=there if i == HOLE else "", encoding=encoding))
    done = plane.acquisition("FINISHED")
    assert (done.report.ledger.sent, done.report.ledger.dropped, done.report.missing) == (COUNT, {}, 0)
    assert done.message == f"Completed. 1 images of {missing} did not come."
    with h5py.File(path) as file:
        for name in (LOW, HIGH):
            group = file[f"/entry/data_{name}"]
            np.testing.assert_array_equal(group["data"], expected(name, HOLE if name == missing else None))
            assert list(group["image_id"]) == list(range(COUNT))
            assert group.attrs["NX_class"] == "NXdata"
        assert file["/entry/data/data"] == file[f"/entry/data_{LOW}/data"]
        rows = file["/detector/metadata"][:]
    assert list(np.flatnonzero(rows[f"status_{missing}"])) == [HOLE]
    assert not rows["status"].any()
    assert not rows[f"status_{there}"].any()
    assert json.loads(result_of(path, "missing_by_channel")) == {missing: 1}
    found = verify(path)
    assert found.problems == [f"1 images of {missing} did not come: {HOLE}"]
    assert (found.images, found.blank, found.damaged) == (COUNT, 0, [])
    with FileReader(path) as reader:
        np.testing.assert_array_equal(reader.image(2, HIGH), pixels(2, HIGH))


def test_a_place_that_nobody_filled_is_blank_in_every_dataset(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = opened(plane, address, peer, {"threshold": f"{LOW},{HIGH}"}, writers={"file": {}})
    path = tmp_path / "scan.h5"
    start(plane, path, placement="by_id", checksum="xxh3")
    for i in (0, 2):
        source.send_multipart(two(i))
    plane.writer(1, lambda w: w.ledger.sent == 2)
    end(plane)
    plane.acquisition("FINISHED")
    found = verify(path)
    assert (found.images, found.blank, found.missing, found.missing_by_channel) == (3, 1, [(1, 1)], {})
    with h5py.File(path) as file:
        for name in (LOW, HIGH):
            images = file[f"/entry/data_{name}/data"][:]
            np.testing.assert_array_equal(images[2], pixels(2, name))
            assert not images[1].any()


def test_damage_in_a_further_threshold_is_found(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = opened(plane, address, peer, {"threshold": f"{LOW},{HIGH}"}, writers={"file": {}})
    path = tmp_path / "scan.h5"
    start(plane, path, 2, checksum="xxh3")
    for i in range(2):
        source.send_multipart(two(i))
    plane.acquisition("FINISHED")
    assert verify(path).complete
    with h5py.File(path) as file:
        place = file[f"/entry/data_{HIGH}/data"].id.get_chunk_info(1).byte_offset
    with path.open("r+b") as raw:
        raw.seek(place)
        raw.write(b"\xff\xff\xff")
    assert verify(path).damaged == [(1, f"wrong checksum ({HIGH})")]


def test_channels_of_bsread_have_datasets_under_names_that_nexus_takes(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = opened(plane, address, peer, {"channel": "CAM:1,CAM.1"}, writers={"file": {}})
    path = tmp_path / "scan.h5"
    start(plane, path, 3)
    for i in range(3):
        values = {"CAM:1": image(i), "CAM.1": image(i + 10)}
        if i == 1:
            del values["CAM.1"]
        source.send_multipart(pulse(i, energy=i / 2, **values))
    plane.acquisition("FINISHED")
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["/entry/data_CAM_1/data"], [image(i) for i in range(3)])
        other = file["/entry/data_CAM_1_2/data"][:]
    np.testing.assert_array_equal(other[[0, 2]], [image(10), image(12)])
    assert verify(path).missing_by_channel == {"CAM.1": [1]}
    with FileReader(path) as reader:
        np.testing.assert_array_equal(reader.image(2, "CAM.1"), image(12))


def test_all_thresholds_are_those_that_the_series_states() -> None:
    decode = FrameDecoder(threshold="*").decode
    decode(dectris_v2.encode_start(1, "id", {"channels": [LOW, HIGH]}))
    found = decode(two(0, only=HIGH))
    assert isinstance(found, Frame)
    assert (found.channels, found.payloads[0]) == ((LOW, HIGH), None)
    assert bytes(found.payloads[1]) == pixels(0, HIGH).tobytes()
    decode(dectris_v2.encode_start(2, "id", {"channels": [HIGH]}))
    found = decode(two(0, only=HIGH))
    assert isinstance(found, Frame)
    assert (found.channels, len(found.payloads)) == ((), 1)


def test_without_a_start_all_thresholds_are_those_that_came() -> None:
    decode = FrameDecoder(threshold="*").decode
    found = [decode(two(0, only=LOW)), decode(two(1)), decode(two(2, only=LOW))]
    assert [frame.channels for frame in found if isinstance(frame, Frame)] == [(), (LOW, HIGH), (LOW, HIGH)]


def test_channels_of_different_shapes_make_no_frame() -> None:
    parts = pulse(1, a=image(1), b=image(1, (30, 41)))
    found = FrameDecoder(channel="a,b").decode(parts)
    assert isinstance(found, NoImage)
    assert found.why == UNLIKE


def test_a_frame_that_waits_on_the_disk_keeps_its_channels(tmp_path: Path) -> None:
    frame = FrameDecoder(threshold=f"{LOW},{HIGH}").decode(two(3, only=HIGH))
    assert isinstance(frame, Frame)
    spilled = SpillFile(str(tmp_path), 1 << 20)
    assert spilled.put(Placed(frame))
    back = spilled.get().frame
    assert (back.channels, back.payloads[0]) == ((LOW, HIGH), None)
    assert bytes(back.payloads[1]) == pixels(3, HIGH).tobytes()
    spilled.close()
