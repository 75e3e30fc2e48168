"""What `repstream status` says of an engine."""

from __future__ import annotations

import re
from pathlib import Path

from repstream.protocol import Requester
from repstream_cli.status import lines
from tests.fakes import running_service

ME = Requester("test")
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"


def test_an_acquisition_is_shown_with_its_times_and_what_came_of_it(tmp_path: Path) -> None:
    with running_service(tmp_path) as (service, plane):
        service.write({"writers.main.num_images": 10}, ME)
        handle = service.execute("writers.main.start", None, ME)
        plane.receive(4)
        running = "\n".join(lines(service.snapshot().values, service.catalogue))
        file = service.read("writers.main.full_file_name").value
        service.execute("writers.main.stop", None, ME).wait(5)
        handle.wait(5)
        ended = "\n".join(lines(service.snapshot().values, service.catalogue))
    assert re.search(rf"{file}: \w+, \d+ of 10 images, dropped 0, {TIME} to now", running)
    assert re.search(rf"{file}: FINISHED, 4 of 10 images, dropped 0, {TIME} to {TIME}; ", ended)
    assert "last start interrupted" in ended


def test_an_error_is_shown_with_its_time(tmp_path: Path) -> None:
    with running_service(tmp_path) as (service, plane):
        handle = service.execute("writers.main.start", None, ME)
        plane.fail(1, "No space left on device")
        handle.wait(5)
        text = "\n".join(lines(service.snapshot().values, service.catalogue))
    assert re.search(rf"last error, {TIME}: .*No space left on device", text)
