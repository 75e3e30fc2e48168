"""The last acquisitions are known, also after a restart."""

from __future__ import annotations

import time
from pathlib import Path

from tests.fakes import FakePlane, running_service

from repstream.link.history import MOST, History
from repstream.protocol import Requester
from repstream.service.service import Service

ME = Requester("test")


def acquire(service: Service, plane: FakePlane, images: int) -> str:
    service.write({"writers.main.num_images": images}, ME)
    handle = service.execute("writers.main.start", None, ME)
    plane.receive(images)
    assert handle.wait(10).ok
    return str(service.read("writers.main.acquisition_id").value)


def ended(history: History, number: int) -> bool:
    end = time.monotonic() + 10
    while len(history.last(MOST)) < number and time.monotonic() < end:
        time.sleep(0.01)
    return len(history.last(MOST)) == number


def test_the_newest_comes_first_with_what_became_of_it(tmp_path: Path) -> None:
    with running_service(tmp_path) as (service, plane):
        history = History(service)
        ids = [acquire(service, plane, images) for images in (3, 5)]
        assert ended(history, 2)
        newest, older = history.last(10)
        assert [older["acquisition_id"], newest["acquisition_id"]] == ids
        assert (newest["name"], newest["num_written"], newest["acq_result"]) == ("main", 5, "completed")
        assert str(newest["full_file_name"]).endswith("scan_000001.h5")
        assert history.last(1) == [newest]
        assert history.find(ids[0]) == older
        assert history.find("nothing") is None
        history.close()


def test_a_restart_knows_them_again_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "acquisitions.jsonl"
    with running_service(tmp_path) as (service, plane):
        history = History(service, path)
        known = acquire(service, plane, 2)
        assert ended(history, 1)
        history.close()
        with path.open("a") as file:
            file.write('\n{"acquisition_id": "17')
        again = History(service, path)
        assert [record["acquisition_id"] for record in again.last(5)] == [known]
        newer = acquire(service, plane, 2)
        assert ended(again, 2)
        again.close()
        last = History(service, path)
        assert [record["acquisition_id"] for record in last.last(5)] == [newer, known]
        last.close()


def test_a_long_file_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "acquisitions.jsonl"
    path.write_text("\n".join(f'{{"acquisition_id": "{n}"}}' for n in range(3 * MOST)))
    with running_service(tmp_path) as (service, _):
        history = History(service, path)
        assert [r["acquisition_id"] for r in history.last(2)] == [str(3 * MOST - 1), str(3 * MOST - 2)]
        history.close()
    assert len(path.read_text().split("\n")) == MOST


def test_a_file_that_cannot_be_written_holds_up_nothing(tmp_path: Path) -> None:
    with running_service(tmp_path) as (service, plane):
        history = History(service, tmp_path / "gone" / "acquisitions.jsonl")
        acquire(service, plane, 2)
        assert ended(history, 1)
        history.close()
