"""What is known of the experiment, at its places in NeXus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from nexusformat.nexus.validate import validate_file
from tests.engine.dataplane.bench import message
from tests.engine.dataplane.bench import plan as acquisition_plan
from tests.engine.files.samples import payload, plan, rows

from repstream.dataplane.storing.frame_store import FrameStore
from repstream.dataplane.storing.parts_store import PartsStore
from repstream.dataplane.storing.placement import Placed
from repstream.files import FrameFile, Placeholder, goniometer
from repstream.files.detector import DetectorFacts, facts_of
from repstream.files.experiment import EV_ANGSTROM
from repstream.files.nexus import trees
from repstream.files.reader import FileReader
from repstream.files.verify import verify
from repstream.messages import dectris_v2, formats
from repstream.messages.formats import FrameDecoder
from repstream.messages.series import SeriesStart
from repstream.parameters.experiment import ExperimentConfig

DONE: dict[str, Any] = {"outcome": "completed", "series": 1, "stop_time": 1.7e9}
FACTS: dict[str, Any] = {
    "start_time": 1.7e9,
    "acquisition_id": "1700000000000-1",
    "run_id": "run 7",
    "num_requested": 9,
}
TOLD = {
    "detector_distance": 0.2,
    "x_pixel_size": 75e-6,
    "y_pixel_size": 75e-6,
    "beam_center_x": 1.5,
    "beam_center_y": 2.5,
    "count_time": 0.1,
    "frame_time": 0.11,
    "sensor_thickness": 450e-6,
    "sensor_material": "Si",
    "photon_energy": 12400.0,
    "omega_start": 1.0,
    "omega_increment": 0.5,
}


def written(path: Path, told: dict[str, Any] | None = None, **settings: Any) -> h5py.File:
    """A finished file with four images, open."""
    stated = ExperimentConfig(**settings).model_dump()
    detector = None if told is None else DetectorFacts(1, configuration=json.dumps(told))
    axes = goniometer.axes(stated, told or {})
    of = plan(path, attributes=FACTS, experiment=stated, detector=detector, axes=axes)
    file = FrameFile.create(of)
    file.append([payload(of, n) for n in range(4)], rows(of, 0, 4))
    file.finish({**DONE, "written": 4})
    assert validate_file(str(path))[1] == 0
    return h5py.File(path)


SETTINGS = {
    "title": "Lysozyme, a first look",
    "proposal": "p1234",
    "instrument_name": "X06SA",
    "user_name": "Ada",
    "sample_name": "lysozyme",
    "detector_distance": 0.15,
    "pixel_size_x": 75.0,
    "pixel_size_y": 172.0,
    "beam_center_x": 0.0,
    "beam_center_y": -3.0,
    "count_time": 0.01,
    "frame_time": 0.02,
    "wavelength": 1.0,
}

EXPECTED = {
    "title": b"Lysozyme, a first look",
    "experiment_identifier": b"p1234",
    "entry_identifier": b"1700000000000-1",
    "collection_identifier": b"run 7",
    "instrument/name": b"X06SA",
    "user/name": b"Ada",
    "sample/name": b"lysozyme",
    "instrument/detector/distance": (0.15, "m"),
    "instrument/detector/x_pixel_size": (75e-6, "m"),
    "instrument/detector/y_pixel_size": (172e-6, "m"),
    "instrument/detector/beam_center_x": (0.0, "pixel"),
    "instrument/detector/beam_center_y": (-3.0, "pixel"),
    "instrument/detector/count_time": (0.01, "s"),
    "instrument/detector/frame_time": (0.02, "s"),
    "instrument/beam/incident_wavelength": (1.0, "angstrom"),
    "instrument/beam/incident_energy": (EV_ANGSTROM, "eV"),
}


def assert_at(entry: h5py.Group, expected: dict[str, Any]) -> None:
    for path, value in expected.items():
        if isinstance(value, tuple):
            assert entry[path][()] == pytest.approx(value[0]), path
            assert entry[path].attrs["units"] == value[1], path
        else:
            assert entry[path][()] == value, path


def test_settings_of_the_writer_are_at_their_places(tmp_path: Path) -> None:
    with written(tmp_path / "a.h5", **SETTINGS) as file:
        assert_at(file["entry"], EXPECTED)
        assert file["entry/user"].attrs["NX_class"] == "NXuser"
        assert "definition" not in file["entry"]


def test_what_is_not_stated_is_not_there(tmp_path: Path) -> None:
    with written(tmp_path / "a.h5") as file:
        for path in EXPECTED:
            assert (path in file["entry"]) == (path in ("entry_identifier", "collection_identifier")), path
        assert "sample" not in file["entry"]


def test_a_detector_that_tells_enough_makes_an_nxmx_file(tmp_path: Path) -> None:
    with written(tmp_path / "a.h5", TOLD) as file:
        entry, detector = file["entry"], file["entry/instrument/detector"]
        assert entry["definition"][()] == b"NXmx"
        # Nine images, 0.11 s apart, from 1.7e9 s on.
        assert entry["end_time_estimated"][()] == b"2023-11-14T22:13:20.990000+00:00"
        assert_at(
            entry,
            {
                "instrument/detector/distance": (0.2, "m"),
                "instrument/detector/sensor_thickness": (450e-6, "m"),
                "instrument/detector/sensor_material": b"Si",
                "instrument/beam/incident_energy": (12400.0, "eV"),
                "instrument/beam/incident_wavelength": (EV_ANGSTROM / 12400, "angstrom"),
                "sample/goniometer/omega_start": (1.0, "deg"),
                "sample/goniometer/omega_increment": (0.5, "deg"),
                "sample/depends_on": b".",
            },
        )
        translation = file[detector["depends_on"][()]]
        assert translation[()] == 0.2
        assert translation.attrs["transformation_type"] == "translation"
        assert list(translation.attrs["vector"]) == [0, 0, 1]
        module = detector["module"]
        assert list(module["data_size"]) == [4, 6]
        assert module["fast_pixel_direction"][()] == 75e-6
        assert file[module["slow_pixel_direction"].attrs["depends_on"]] == translation


def test_the_goniometer_of_stream_v2_is_an_object(tmp_path: Path) -> None:
    told = {"goniometer": {"phi": {"start": 3.0, "increment": 0.25}}, "incident_wavelength": 2.0}
    with written(tmp_path / "a.h5", told) as file:
        assert_at(
            file["entry"],
            {
                "sample/goniometer/phi_start": (3.0, "deg"),
                "sample/goniometer/phi_increment": (0.25, "deg"),
                "instrument/beam/incident_wavelength": (2.0, "angstrom"),
            },
        )


def test_a_setting_counts_more_than_the_detector(tmp_path: Path) -> None:
    with written(tmp_path / "a.h5", TOLD, detector_distance=0.3) as file:
        assert file["entry/instrument/detector/distance"][()] == 0.3
        assert file["entry/instrument/detector/count_time"][()] == 0.1


def test_further_fields_go_below_entry_and_never_take_a_place(tmp_path: Path) -> None:
    further = {
        "sample": {"temperature": {"value": 80.0, "units": "K"}, "NX_class": "NXsample"},
        "instrument": {
            "attenuator": {"NX_class": "NXattenuator", "thickness": {"value": 1.5, "units": "mm"}},
            "source": {"name": "SLS", "current": {"value": [400.1, 400.2], "units": "mA"}},
            "detector": {"data": 5, "metadata": {"below": 1}},
        },
        "no/name": 1,
    }
    with written(tmp_path / "a.h5", nexus_metadata=json.dumps(further)) as file:
        assert_at(
            file["entry"],
            {
                "sample/temperature": (80, "K"),
                "instrument/source/name": b"SLS",
                "instrument/attenuator/thickness": (1.5, "mm"),
            },
        )
        assert list(file["entry/instrument/source/current"]) == [400.1, 400.2]
        assert file["entry/instrument/source"].attrs["NX_class"] == "NXsource"
        assert file["entry/instrument/attenuator"].attrs["NX_class"] == "NXattenuator"
        assert file["entry/instrument/detector/data"].shape == (4, 4, 6)
        assert file["entry/instrument/detector/metadata"].shape == (4,)


def test_without_a_number_of_images_no_end_is_estimated_unless_the_detector_states_one(
    tmp_path: Path,
) -> None:
    endless = {**FACTS, "num_requested": 0}
    for told, stated in ((TOLD, False), ({**TOLD, "nimages": 3, "ntrigger": 3}, True)):
        of = plan(tmp_path / "a.h5", attributes=endless, detector=DetectorFacts(1, "", json.dumps(told)))
        tree = trees.image_tree(of)
        assert ("/entry/end_time_estimated" in tree, "/entry/definition" in tree) == (stated, stated)


ON_KAPPA = {
    "omega": {"vector": [-1, 0, 0]},
    "kappa": {"vector": [-0.9, 0, 0.4], "start": 12},
    "x": {"vector": [0, 1, 0], "type": "translation", "start": 2, "units": "mm", "offset": [0, 0, 0.1]},
}


def test_stated_vectors_and_the_detectors_angles_are_the_way_to_the_sample(tmp_path: Path) -> None:
    told = {**TOLD, "kappa_start": 99.0}
    with written(tmp_path / "a.h5", told, nexus_metadata=json.dumps({"goniometer": ON_KAPPA})) as file:
        group = file["entry/sample/transformations"]
        assert group.attrs["NX_class"] == "NXtransformations"
        assert list(group["omega"]) == [1.0, 1.5, 2.0, 2.5]
        assert group["omega_increment_set"][()] == 0.5
        assert (group["kappa"][()], group["x"][()]) == (12, 2)
        path, chain = file["entry/sample/depends_on"][()].decode(), []
        while path != ".":
            chain.append(path.rpartition("/")[2])
            path = file[path].attrs["depends_on"]
        assert chain == ["x", "kappa", "omega"]
        assert list(group["omega"].attrs["vector"]) == [-1, 0, 0]
        assert dict(group["x"].attrs)["transformation_type"] == "translation"
        assert (group["x"].attrs["units"], list(group["x"].attrs["offset"])) == ("mm", [0, 0, 0.1])
        assert file["entry/sample/goniometer/kappa_start"][()] == 99


@pytest.mark.parametrize("stated", [{}, {"goniometer": {"phi": {"vector": [1, 0, 0]}}}], ids=str)
def test_without_vectors_or_positions_no_way_is_made_up(tmp_path: Path, stated: dict[str, Any]) -> None:
    with written(tmp_path / "a.h5", TOLD, nexus_metadata=json.dumps(stated)) as file:
        assert "transformations" not in file["entry/sample"]
        assert file["entry/sample/depends_on"][()] == b"."


@pytest.mark.parametrize("parts", [{"images_per_file": 2}, {"number_of_parts": 2}], ids=str)
def test_a_master_shows_the_angle_of_each_image(tmp_path: Path, parts: dict[str, int]) -> None:
    told = dectris_v2.encode_start(1, "", {"goniometer": {"omega": {"start": 10.0, "increment": -0.5}}})
    start = FrameDecoder().decode(told)
    assert isinstance(start, SeriesStart)
    stated = ExperimentConfig(nexus_metadata=json.dumps({"goniometer": {"omega": {"vector": [-1, 0, 0]}}}))
    of = acquisition_plan(tmp_path / "a.h5", experiment=stated.model_dump(), **parts)
    store = (PartsStore if "number_of_parts" in parts else FrameStore)(of, lambda: facts_of(start))
    if isinstance(store, PartsStore):
        store.open()
    store.write([Placed(formats.decode(message(number))) for number in range(5)])
    store.sync()
    store.finish({**DONE, "written": 5})
    with h5py.File(tmp_path / "a.h5") as file:
        assert list(file["entry/sample/transformations/omega"]) == [10.0, 9.5, 9.0, 8.5, 8.0]
        assert file["entry/sample/depends_on"][()] == b"/entry/sample/transformations/omega"


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ({}, "must be an object with a vector"),
        ({"vector": [0, 0, 0]}, "must have a length"),
        ({"vector": [1, 0]}, "must be three numbers"),
        ({"vector": [1, 0, "up"]}, "must be a number"),
        ({"vector": [1, 0, 0], "type": "turn"}, "must be rotation or translation"),
        ({"vector": [1, 0, 0], "speed": 1}, "has no 'speed'"),
    ],
)
def test_an_axis_that_is_none_is_refused(axis: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ExperimentConfig(nexus_metadata=json.dumps({"goniometer": {"omega": axis}}))


@pytest.mark.parametrize("name", ["data", "acquisition", "end_time"])
def test_the_writers_own_places_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"must not have '{name}'"):
        ExperimentConfig(nexus_metadata=json.dumps({name: 1}))


def test_the_root_says_where_the_file_comes_from(tmp_path: Path) -> None:
    with written(tmp_path / "a.h5") as file:
        assert dict(file.attrs) == {
            "NX_class": "NXroot",
            "default": "entry",
            "creator": "repstream",
            "file_name": str(tmp_path / "a.h5"),
            "file_time": "2023-11-14T22:13:20.000000+00:00",
            "HDF5_Version": h5py.version.hdf5_version,
            "NeXus_version": "2024.02",
        }


def test_what_neggia_asks_for_is_there(tmp_path: Path) -> None:
    with written(tmp_path / "a.h5") as file:
        specific = file["entry/instrument/detector/detectorSpecific"]
        assert (specific["nimages"][()], specific["ntrigger"][()]) == (4, 1)
        assert specific["pixel_mask"].dtype == "<u4"
        assert np.array_equal(specific["pixel_mask"], np.zeros((4, 6)))


def test_a_mask_of_the_detector_is_the_one_that_neggia_finds(tmp_path: Path) -> None:
    mask = np.arange(24, dtype="<u4").reshape(4, 6)
    of = plan(tmp_path / "a.h5", detector=DetectorFacts(1, tables={"pixel_mask": mask}))
    FrameFile.create(of).finish(DONE)
    with h5py.File(of.path) as file:
        detector = file["entry/instrument/detector"]
        assert detector["detectorSpecific/pixel_mask"] == detector["pixel_mask"]
        assert np.array_equal(detector["pixel_mask"], mask)
        assert detector["detectorSpecific/nimages"][()] == 0


def test_a_file_without_images_is_still_a_file(tmp_path: Path) -> None:
    path, facts = tmp_path / "a.h5", {**FACTS, "num_requested": 5}
    waiting = Placeholder.create(path, "det", facts, experiment=ExperimentConfig(**SETTINGS).model_dump())
    waiting.finish({**DONE, "outcome": "interrupted", "message": "Interrupted."})
    with h5py.File(path) as file:
        assert file["entry/data/data"].shape == (0, 0, 0)
        assert file["entry/data"].attrs["signal"] == "data"
        assert_at(file["entry"], EXPECTED)
    with FileReader(path) as reader:
        assert (reader.count, reader.outcome) == (0, "interrupted")
    found = verify(path)
    assert (found.images, found.requested, found.cut_short, found.problems) == (0, 5, True, [])


@pytest.mark.parametrize("axis", ["image_id", "time"])
def test_the_axis_of_the_images_is_a_choice(tmp_path: Path, axis: Any) -> None:
    of = plan(tmp_path / "a.h5", axis=axis)
    FrameFile.create(of).finish(DONE)
    with h5py.File(of.path) as file:
        assert list(file["entry/data"].attrs["axes"]) == [axis, ".", "."]


def test_no_quantity_is_without_a_unit(tmp_path: Path) -> None:
    with written(tmp_path / "a.h5", TOLD, **SETTINGS) as file:
        times = {name for name, item in file["entry/acquisition"].items() if "units" in item.attrs}
        assert times == {"start_time", "stop_time"}
        for name in ("detector", "beam"):
            group = file["entry/instrument"][name]
            fields = [item for item in group.values() if isinstance(item, h5py.Dataset)]
            floats = [item for item in fields if item.shape == () and item.dtype.kind == "f"]
            assert floats
            assert all("units" in item.attrs for item in floats)
