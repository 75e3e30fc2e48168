"""Settings are saved at once, by one engine only, and found again after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.fakes import FakePlane

from repstream.errors import Refused
from repstream.parameters import storage
from repstream.parameters.configuration import Configuration
from repstream.parameters.writer import WriterConfig
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream.service.settings import Settings

ME = Requester("test")


@contextmanager
def serving(folder: Path, configuration: Configuration | None = None) -> Iterator[Service]:
    options = ServiceOptions(roots=(folder,), settings=folder / "settings.json", configuration=configuration)
    service = Service(options, FakePlane())
    service.start()
    try:
        yield service
    finally:
        service.close()


def until(test: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not test() and time.monotonic() < end:
        time.sleep(0.01)
    return test()


def with_writer(folder: Path, **fields: object) -> Configuration:
    return Configuration(writers={"main": WriterConfig(folder=str(folder), file_name="n", **fields)})


def test_a_change_is_saved_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        service.write({"source.address": "tcp://127.0.0.1:7777"}, ME)
        path = tmp_path / "settings.json"
        assert until(path.exists)
        assert until(lambda: storage.load(path, Configuration).source.address == "tcp://127.0.0.1:7777")


def test_the_last_change_is_saved_at_the_end(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        for number in range(1, 100):
            service.write({"source.buffer_size": number}, ME)
    assert storage.load(tmp_path / "settings.json", Configuration).source.buffer_size == 99


def test_a_second_engine_on_the_same_settings_is_refused(tmp_path: Path) -> None:
    refused = pytest.raises(Refused, match="another engine keeps its settings there")
    with serving(tmp_path), refused, serving(tmp_path):
        pass
    with serving(tmp_path):
        pass


def test_settings_that_are_not_understood_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"source": 7}')
    for _ in range(2):  # the first refusal must not hold the file
        with pytest.raises(Refused, match="source"), serving(tmp_path):
            pass
    assert path.read_text() == '{"source": 7}'


def test_a_save_that_fails_is_reported_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repstream.service.settings.RETRY_SECONDS", 0.05)
    folder = tmp_path / "settings"
    folder.mkdir()
    reasons: list[str] = []
    settings = Settings(folder / "kept.json", reasons.append)
    folder.rename(tmp_path / "away")
    settings.keep(Configuration())
    assert until(lambda: bool(reasons))
    time.sleep(0.3)
    assert len(reasons) == 1
    assert "No such file or directory" in reasons[0]
    (tmp_path / "away").rename(folder)
    assert until((folder / "kept.json").exists)
    settings.close()


def test_a_folder_that_cannot_be_used_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="settings cannot be kept there"):
        Settings(tmp_path / "gone" / "kept.json", print)


def test_after_a_kill_the_next_free_number_is_taken(tmp_path: Path) -> None:
    storage.save(with_writer(tmp_path, file_number=3), tmp_path / "settings.json")
    for number in (3, 4):
        (tmp_path / f"n_{number:06}.h5").touch()
    with serving(tmp_path) as service:
        assert service.read("writers.main.file_number").value == 5


@pytest.mark.parametrize("fields", [{"auto_increment": False}, {"overwrite": True}])
def test_a_number_that_the_user_counts_stays(tmp_path: Path, fields: dict[str, object]) -> None:
    storage.save(with_writer(tmp_path, file_number=3, **fields), tmp_path / "settings.json")
    (tmp_path / "n_000003.h5").touch()
    with serving(tmp_path) as service:
        assert service.read("writers.main.file_number").value == 3


def test_a_killed_engine_leaves_its_settings_to_the_next(tmp_path: Path) -> None:
    script = f"""
import time
from pathlib import Path
from repstream.parameters.configuration import Configuration
from repstream.service.settings import Settings
settings = Settings(Path({str(tmp_path / "kept.json")!r}), print)
settings.keep(Configuration())
while not Path({str(tmp_path / "kept.json")!r}).exists():
    time.sleep(0.01)
print("saved", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"saved\n"
        with pytest.raises(Refused, match="another engine"):
            Settings(tmp_path / "kept.json", print)
        os.kill(process.pid, signal.SIGKILL)
    settings = Settings(tmp_path / "kept.json", print)
    assert settings.load(Configuration) == Configuration()
    settings.close()
