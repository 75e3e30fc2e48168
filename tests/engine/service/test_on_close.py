"""The command for closed files."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
from tests.fakes import running_service

from repstream.protocol import Requester
from repstream.service.on_close import CloseCommand

ME = Requester("test")


def wait_for(path: Path) -> str:
    end = time.monotonic() + 20
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < end, f"{path} was never written"
        time.sleep(0.01)
    return path.read_text()


def test_it_is_told_the_file_and_what_became_of_it(tmp_path: Path) -> None:
    told = tmp_path / "told.txt"
    script = f"sh -c 'echo $1 $REPSTREAM_ACQ_RESULT $REPSTREAM_NUM_WRITTEN $REPSTREAM_NAME > {told}' it"
    with running_service(tmp_path) as (service, plane):
        command = CloseCommand(service, script)
        service.write({"writers.main.num_images": 3}, ME)
        service.execute("writers.main.start", None, ME)
        plane.receive(3)
        assert wait_for(told) == f"{tmp_path}/scan_000000.h5 completed 3 main\n"
        command.close()


def test_a_failed_acquisition_is_told_too(tmp_path: Path) -> None:
    told = tmp_path / "told.txt"
    with running_service(tmp_path) as (service, plane):
        command = CloseCommand(service, f"sh -c 'echo $REPSTREAM_ACQ_MESSAGE > {told}'")
        service.execute("writers.main.start", None, ME)
        plane.fail(1, "No space left on device")
        assert wait_for(told) == "ERROR:No space left on device\n"
        command.close()


def test_a_command_that_fails_is_said_and_harms_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running_service(tmp_path) as (service, _), caplog.at_level(logging.ERROR):
        command = CloseCommand(service, "/nowhere/at/all")
        service.execute("writers.main.arm", None, ME)
        assert service.execute("writers.main.stop", None, ME).wait(10).ok
        end = time.monotonic() + 20
        while "/nowhere/at/all" not in caplog.text and time.monotonic() < end:
            time.sleep(0.01)
        assert "the command for closed files failed" in caplog.text
        command.close()


def test_quotes_that_do_not_match_are_refused(tmp_path: Path) -> None:
    with running_service(tmp_path) as (service, _), pytest.raises(ValueError, match="quotation"):
        CloseCommand(service, "sh -c 'oops")
