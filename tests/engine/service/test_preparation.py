"""What is refused before the first frame, by the service's preparation of an acquisition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from repstream.dataplane.control import AcquisitionPlan
from repstream.errors import Refused
from repstream.parameters.configuration import Configuration
from repstream.parameters.source import SourceConfig
from repstream.parameters.writer import WriterConfig
from repstream.protocol import Requester
from repstream.service.acquisitions import Preparation


def planned(
    folder: Path, name: str = "scan.h5", by: Preparation | None = None, **settings: Any
) -> AcquisitionPlan:
    writer = WriterConfig(output_file=str(folder / name), **settings)
    configuration = Configuration(writers={"main": writer})
    preparation = by or Preparation("engine", [folder], ())
    preparation.check("start", writer, SourceConfig())
    files = preparation.look("start", writer, configuration.source)
    return preparation.plan("start", writer, configuration, files, now=1.7e9, requester=Requester("test"))


def test_every_setting_of_a_file_reaches_its_plan(tmp_path: Path) -> None:
    settings = {
        "checksum": "crc32c",
        "placement": "by_id",
        "sync_interval": 2.5,
        "images_per_file": 2000,
        "user_metadata": '{"a": 1}',
    }
    plan = planned(tmp_path, **settings)
    assert {name: getattr(plan, name) for name in settings} == settings


def test_a_part_that_exists_is_refused_unless_it_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "scan_part0003.h5").touch()
    with pytest.raises(Refused, match=r"scan_part0003.h5 exists"):
        planned(tmp_path, images_per_file=10)
    assert planned(tmp_path, images_per_file=10, overwrite=True).images_per_file == 10
    assert planned(tmp_path).images_per_file == 0


def test_files_too_small_for_late_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="1024 or more"):
        planned(tmp_path, placement="by_id", images_per_file=1023)
    assert planned(tmp_path, placement="by_id", images_per_file=1024)


@pytest.mark.parametrize("other", [{"images_per_file": 5000}, {"placement": "by_id"}])
def test_what_several_processes_cannot_do_is_refused(tmp_path: Path, other: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="number_of_parts"):
        planned(tmp_path, number_of_parts=2, **other)
    assert planned(tmp_path, number_of_parts=1, **other).number_of_parts == 1


@pytest.mark.parametrize("name", ["scan_part1.h5", "scan_meta.h5"])
def test_a_file_in_the_way_of_several_processes_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(Refused, match=f"{name} exists"):
        planned(tmp_path, number_of_parts=2)
    assert planned(tmp_path, number_of_parts=2, overwrite=True).number_of_parts == 2
    assert planned(tmp_path).number_of_parts == 1


def test_names_of_an_acquisition_under_way_are_taken_until_it_is_over(tmp_path: Path) -> None:
    preparation = Preparation("engine", [tmp_path], ())

    def plan(name: str, **settings: Any) -> AcquisitionPlan:
        return planned(tmp_path, name, preparation, overwrite=True, **settings)

    first = plan("a.h5", number_of_parts=2)
    series = plan("b.h5", images_per_file=10)
    for taken in ("a.h5", "a_part1.h5", "a_meta.h5", "b_part0007.h5", "b_part12345.h5"):
        with pytest.raises(Refused, match="are being written: choose another name"):
            plan(taken)
    for master, settings in (("a", {"number_of_parts": 3}), ("b", {"images_per_file": 3})):
        with pytest.raises(Refused, match="are being written"):
            plan(f"{master}.h5", **settings)
    plan("a_part2.h5"), plan("a_part0001.h5"), plan("b_part1.h5")
    preparation.release(first.acquisition_id)
    preparation.release(series.acquisition_id)
    assert plan("a_part1.h5").path.endswith("a_part1.h5")
    with pytest.raises(Refused, match=r"a_part1.h5 and its parts are being written"):
        plan("a.h5", number_of_parts=2)


def test_the_last_file_number_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    numbered = {"file_template": "%s%s_%d.h5", "file_number": 999_999_999}
    preparation = Preparation("engine", [tmp_path], ())
    writer = WriterConfig(folder=str(tmp_path), auto_increment=True, **numbered)
    with pytest.raises(Refused, match="file_number 999999999 is the last one"):
        preparation.check("start", writer, SourceConfig())
    preparation.check("start", writer.changed({"auto_increment": False}), SourceConfig())
