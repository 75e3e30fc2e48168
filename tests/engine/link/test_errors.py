"""Errors cross the engine's address as what they are: refused, failed and not known yet are three things."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fakes import running_service

import repstream
from repstream.errors import EngineFault, InvalidValue, Refused, RepstreamError, Unanswered, UnknownKey
from repstream.link.server import EngineServer
from repstream.service.service import Service

ERRORS = [
    Refused("writers.main.start", "no", ("READY",)),
    InvalidValue("streams.live.every_nth", "must be 1 or more"),
    UnknownKey("nonsense", "there is no such parameter"),
    EngineFault("writers.main.start", "the data plane died"),
    Unanswered("engine.stop", "not known yet"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_arrives_as_it_was_raised(
    error: RepstreamError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    with running_service(tmp_path) as (service, _):
        server = EngineServer(service, "tcp://127.0.0.1:*")
        server.start()
        try:
            with repstream.Client(server.address) as client:
                monkeypatch.setattr(Service, "execute", fail)
                with pytest.raises(type(error)) as caught:
                    client.execute("engine.start")
        finally:
            monkeypatch.undo()
            server.close()
    assert type(caught.value) is type(error)
    assert str(caught.value) == str(error)
