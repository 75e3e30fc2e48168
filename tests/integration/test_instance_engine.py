"""A pipeline and a camera as engines of their own kinds, shown and operated by every front end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from repstream.errors import EngineFault, Refused
from repstream.instances.engine import InstanceEngine
from repstream.instances.registry import Instances
from repstream.link.server import EngineServer
from repstream.pipelines.control import Measured, Report, Statistics
from repstream.protocol import Requester
from tests.conformance import epics_client, http_client, python_client, tango_client
from tests.conformance.client import FrontEndClient, Rejected, facts_of
from tests.engine.instances.fakes import FakeLauncher
from tests.waiting import until

ME = Requester("test")
SERVING = {
    "python": python_client.serving,
    "tango": tango_client.serving,
    "epics": epics_client.serving,
    "http": http_client.serving,
}
KINDS = {
    "camera": {"source": "sim", "source_type": "simulation"},
    "pipeline": {"camera_name": "sim"},
}


class Served(NamedTuple):
    engine: InstanceEngine
    launcher: FakeLauncher
    clients: dict[str, FrontEndClient]


@pytest.fixture(scope="module", params=KINDS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    launcher = FakeLauncher()
    instances = Instances(request.param, launcher)
    with ExitStack() as stack:
        engine = InstanceEngine(instances, "one", lambda: KINDS[request.param])
        stack.callback(engine.close)
        server = EngineServer(engine, "tcp://127.0.0.1:*")
        server.start()
        stack.callback(server.close)
        clients = {n: stack.enter_context(serve(engine, server.address)) for n, serve in SERVING.items()}
        yield Served(engine, launcher, clients)


@pytest.mark.parametrize("front_end", SERVING)
def test_every_front_end_shows_and_operates_it(served: Served, front_end: str) -> None:
    client, engine = served.clients[front_end], served.engine
    assert set(engine.catalogue.parameters) <= set(client.keys())
    for parameter in engine.catalogue.parameters.values():
        held = engine.read(parameter.key).value
        shown, declared = client.facts(parameter.key), facts_of(parameter, held)
        for fact in shown:
            if not {fact, f"{fact}:{parameter.key}"} & client.cannot:
                assert shown[fact] == declared[fact], (parameter.key, fact)
    setting = "camera.mirror_x" if "camera" in engine.catalogue.groups else "pipeline.pause"
    with pytest.raises(Rejected, match="start it first"):
        client.write(setting, True)
    client.execute("engine.start")
    assert engine.read("engine.state").value == "RUNNING"
    client.write(setting, True)
    process = served.launcher.processes["one"]
    assert process.configuration[setting.split(".")[1]] is True
    assert client.read(setting) is True
    process.say(Report(Statistics(clients=3, lost={"queue": 2}, frame_shape=(64, 48, 2))))
    until(lambda: client.read("stream.clients") == 3, "the report")
    assert client.read("stream.lost") == 2
    client.execute("engine.stop")
    assert engine.read("engine.state").value == "STOPPED"


def test_the_beam_is_published_as_it_comes() -> None:
    launcher = FakeLauncher()
    engine = InstanceEngine(Instances("pipeline", launcher), "p", lambda: {"camera_name": "sim"})
    events = []
    engine.subscribe(events.append)
    engine.execute("engine.start", None, ME)
    launcher.processes["p"].say(Measured({"x_center": 12.5, "quality": None}))
    until(lambda: any("beam.x_center" in getattr(event, "values", {}) for event in events), "the event")
    assert engine.read("beam.x_center").value == 12.5
    assert engine.read("beam.quality").value is None
    launcher.processes["p"].end(1, "the function failed")
    until(lambda: engine.read("engine.state").value == "ERROR", "the end")
    assert engine.read("engine.last_error").value == "the function failed"
    assert engine.read("beam.x_center").value is None
    engine.close()


def test_what_cannot_be_started_says_why() -> None:
    launcher = FakeLauncher()
    launcher.dying = {"p": ("the camera is offline",)}
    engine = InstanceEngine(Instances("pipeline", launcher), "p", lambda: {"camera_name": "sim"})
    with pytest.raises(EngineFault, match="offline"):
        engine.execute("engine.start", None, ME)
    for command, argument in (
        ("engine.configure", "no JSON"),
        ("engine.configure", "{}"),
        ("engine.dance", None),
    ):
        with pytest.raises(Refused):
            engine.execute(command, argument, ME)
    with pytest.raises(Refused):
        engine.write({"engine.state": "RUNNING"}, ME)
    engine.close()
