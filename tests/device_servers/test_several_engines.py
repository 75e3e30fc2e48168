"""What one Tango server shows of several engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from repstream.errors import RegistrationError
from repstream.instances.description import Kind
from repstream.instances.engine import InstanceEngine
from repstream.instances.registry import Instances
from repstream.link.server import EngineServer
from repstream.parameters.facts import Alarm
from repstream_tango.server import catalogue_of
from tests.engine.instances.fakes import FakeLauncher


@contextmanager
def at(*wanted: tuple[Kind, dict[str, Any]]) -> Iterator[list[str]]:
    """The addresses of engines of these kinds and configurations."""
    with ExitStack() as stack:
        addresses = []
        for kind, configuration in wanted:
            engine = InstanceEngine(Instances(kind, FakeLauncher()), "one", lambda c=configuration: c)
            stack.callback(engine.close)
            server = EngineServer(engine, "tcp://127.0.0.1:*")
            server.start()
            stack.callback(server.close)
            addresses.append(server.address)
        yield addresses


def pipeline(**alarms: dict[str, float]) -> tuple[Kind, dict[str, Any]]:
    return "pipeline", {"camera_name": "c", "alarms": alarms}


def test_levels_of_a_class_are_those_that_all_engines_have() -> None:
    one = pipeline(x_center={"warning_high": 1}, x_width={"alarm_low": 2})
    other = pipeline(x_center={"warning_high": 9}, x_width={"alarm_low": 2})
    with at(one, other) as addresses:
        parameters = catalogue_of(addresses).parameters
        assert parameters["beam.x_center"].alarm is None
        assert parameters["beam.x_width"].alarm == Alarm(alarm_low=2)
        assert parameters["beam.quality"].alarm is not None
        assert catalogue_of(addresses[:1]).parameters["beam.x_center"].alarm == Alarm(warning_high=1)


def test_engines_of_different_kinds_need_a_server_each() -> None:
    camera: tuple[Kind, dict[str, Any]] = ("camera", {"source": "s", "source_type": "simulation"})
    with at(pipeline(), camera) as addresses, pytest.raises(RegistrationError, match="different kinds"):
        catalogue_of(addresses)
