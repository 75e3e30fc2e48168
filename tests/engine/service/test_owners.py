"""Whom files may be made for: those whom the engine's options name, nobody else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests.fakes import FakePlane, running_service

from repstream.errors import InvalidValue, Refused
from repstream.files import users
from repstream.parameters.configuration import Configuration
from repstream.parameters.writer import WriterConfig
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service

ME = Requester("test")


def test_a_user_who_is_not_permitted_is_refused_by_name_and_value(tmp_path: Path) -> None:
    with running_service(tmp_path) as (service, _):
        for value in (3, os.geteuid(), 0):
            service.write({"writers.1.user_id": value}, ME)
        with pytest.raises(InvalidValue, match=r"user_id refused: no files .* user 5, only for 0, 3, 4"):
            service.write({"writers.1.user_id": 5}, ME)
        tree = json.dumps({"writers": {"main": {"user_id": 5, "num_images": 7}}})
        with pytest.raises(InvalidValue, match="user 5"):
            service.execute("engine.configure", tree, ME)
        assert service.read("writers.1.user_id").value == 0
        assert service.read("writers.1.num_images").value != 7


def test_one_who_was_permitted_once_is_refused_at_the_start_of_a_file(tmp_path: Path) -> None:
    writer = WriterConfig(folder=str(tmp_path), file_name="a", user_id=5)
    options = ServiceOptions(roots=(tmp_path,), configuration=Configuration(writers={"main": writer}))
    service = Service(options, FakePlane())
    service.start()
    try:
        with pytest.raises(Refused, match="no files are made for user 5"):
            service.execute("writers.1.start", None, ME)
        service.write({"writers.1.user_id": 0}, ME)
        assert service.read("engine.state").value != "RUNNING"
    finally:
        service.close()


def test_a_service_that_may_not_act_for_others_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Powerless:
        def __getattr__(self, name: str) -> object:
            return lambda value: 0  # setfsuid and setfsgid change nothing without the capability

    monkeypatch.setattr(users.ctypes, "CDLL", lambda *_, **__: Powerless())
    with running_service(tmp_path) as (service, _):
        service.write({"writers.1.user_id": 3, "writers.1.file_name": "b"}, ME)
        with pytest.raises(Refused, match="CAP_SETUID"):
            service.execute("writers.1.start", None, ME)
