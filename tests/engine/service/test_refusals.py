"""Refusals say what is wrong, what is allowed and what to do, and come as early as they can."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from tests.fakes import FakePlane, running_service

from repstream.accounting import OutputSnapshot
from repstream.errors import InvalidValue, Refused, Unanswered
from repstream.protocol import Requester
from repstream.service.service import Service

ME = Requester("test", "me")


def test_what_an_error_does_not_allow_is_refused_with_the_error_and_the_way_out(
    service: Service, plane: FakePlane
) -> None:
    service.execute("engine.start", None, ME)
    plane.die("killed by SIGKILL")
    wait_for_error(service)
    for command in ("engine.start", "writers.main.start", "writers.main.arm", "writers.main.abort"):
        with pytest.raises(Refused) as refused:
            service.execute(command, None, ME)
        assert "killed by SIGKILL; initialize starts it again" in refused.value.reason, command
        assert refused.value.allowed
    service.execute("engine.initialize", None, ME)
    service.execute("writers.main.start", None, ME)


def wait_for_error(service: Service) -> None:
    while service.read("writers.main.state").value != "UNKNOWN":
        os.sched_yield()


def test_a_folder_outside_the_roots_is_refused_at_the_write(service: Service, tmp_path: Path) -> None:
    before = service.read("writers.main.folder").value
    for key, value in (
        ("folder", "/nowhere"),
        ("output_file", "/nowhere/a.h5"),
        ("folder", f"{tmp_path}/.."),
    ):
        with pytest.raises(InvalidValue, match="is not below an allowed folder") as refused:
            service.write({f"writers.main.{key}": value, "writers.main.num_images": 7}, ME)
        assert refused.value.allowed == (str(tmp_path),)
    with pytest.raises(InvalidValue, match="allowed folder"):
        service.execute("engine.configure", '{"writers": {"main": {"folder": "/nowhere"}}}', ME)
    assert service.read("writers.main.folder").value == before
    assert service.read("writers.main.num_images").value != 7


def test_a_link_from_elsewhere_into_a_root_may_be_written(tmp_path: Path) -> None:
    root, link = tmp_path / "root", tmp_path / "link"
    root.mkdir()
    link.symlink_to(root)
    with running_service(root) as (service, _):
        service.write({"writers.main.folder": str(link)}, ME)
        assert service.read("writers.main.folder").value == str(link)


@pytest.mark.parametrize("name", ["a.txt", "a.tif", "a.h5.bak"])
def test_a_name_that_no_program_takes_for_hdf5_is_refused(
    service: Service, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InvalidValue, match=r"must end as HDF5 files do \(\.h5, \.hdf5"):
        service.write({"writers.main.output_file": f"{tmp_path}/{name}"}, ME)
    with pytest.raises(InvalidValue, match=r"must end as HDF5 files do"):
        service.write({"writers.main.file_template": f"%s%s_%6.6d{Path(name).suffix}"}, ME)


@pytest.mark.parametrize("name", ["a.h5", "a.HDF5", "a.b.nxs"])
def test_names_of_hdf5_files_are_taken(service: Service, tmp_path: Path, name: str) -> None:
    service.write({"writers.main.output_file": f"{tmp_path}/{name}"}, ME)
    assert service.read("writers.main.output_file").value == f"{tmp_path}/{name}"


def test_a_data_plane_that_dies_leaves_word_of_the_file(service: Service, plane: FakePlane) -> None:
    service.execute("writers.main.start", None, ME)
    plane.receive(3)
    plane.die("killed by SIGKILL")
    wait_for_error(service)
    file = service.read("writers.main.full_file_name").value
    told = str(service.read("writers.main.acq_message").value)
    assert told == f"ERROR:the data plane died: killed by SIGKILL; 3 images can be read in {file}"


def test_what_waited_in_a_data_plane_that_dies_is_lost_and_counted(
    service: Service, plane: FakePlane
) -> None:
    service.execute("writers.main.start", None, ME)
    plane.receive(3)
    waiting, report = OutputSnapshot(12, 3, {}, {"queue": 2}, 7, 3, 2), plane._report()
    streams = {1: msgspec.structs.replace(report.streams[1], ledger=waiting, blocking=True)}
    writers = {1: msgspec.structs.replace(report.writers[1], ledger=waiting, blocking=True)}
    plane._tell(msgspec.structs.replace(report, streams=streams, writers=writers))
    plane.die("killed by SIGKILL")
    wait_for_error(service)
    for output in ("streams.1", "writers.1"):
        found = {
            name: service.read(f"{output}.{name}").value for name in ("offered", "sent", "queued", "dropped")
        }
        assert found == {"offered": 12, "sent": 3, "queued": 0, "dropped": 9}
        assert service.read(f"{output}.dropped_reasons").value == "queue 2, died 7"
        assert service.read(f"{output}.blocking").value is False


def test_whoever_waits_in_vain_is_told_by_name_for_what(
    service: Service, plane: FakePlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repstream.service.turn.STALL_TIME", 0.3)
    monkeypatch.setattr("repstream.service.turn.WAIT_TIME", 0.5)
    service.execute("writers.main.start", None, ME)
    plane.stalled = True
    while service.read("engine.state").value != "UNKNOWN":
        os.sched_yield()
    with pytest.raises(Unanswered):
        service.execute("writers.1.stop", None, ME)
    with pytest.raises(
        Refused, match=r"^writers\.main\.flush refused: writers\.main\.stop has not ended yet"
    ):
        service.execute("writers.1.flush", None, ME)
    plane.go_on()
