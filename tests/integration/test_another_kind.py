"""An engine of another kind, served by service, Tango, EPICS, HTTP and address, none of which knows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from repstream.errors import InvalidValue, Refused
from repstream.link.server import EngineServer
from repstream.parameters.configuration import Configuration
from repstream.parameters.facts import Severity, Value
from repstream.parameters.groups import REPEATER, Group, GroupDeclaration
from repstream.parameters.stream import StreamConfig
from repstream.protocol import Requester
from repstream.service.kind import EngineKind
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream_http import HttpServer, create_app
from tests.conformance import epics_client, http_client, python_client, tango_client
from tests.conformance.client import FrontEndClient, Rejected, facts_of
from tests.fakes import FakePlane
from tests.ports import free_port
from tests.toy_camera import CAMERA_ENGINE, LENS_CAP, TRIGGER, CameraConfiguration

ME = Requester("test")
SERVING = {
    "python": python_client.serving,
    "tango": tango_client.serving,
    "epics": epics_client.serving,
    "http": http_client.serving,
}
front_ends = pytest.mark.parametrize("front_end", SERVING)


class Served(NamedTuple):
    service: Service
    clients: dict[str, FrontEndClient]


def configuration() -> CameraConfiguration:
    return CameraConfiguration(streams={"live": StreamConfig(address=f"tcp://127.0.0.1:{free_port()}")})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A camera engine with every front end on it."""
    options = ServiceOptions("test", roots=(tmp_path_factory.mktemp("files"),), configuration=configuration())
    with ExitStack() as stack:
        service = Service(options, FakePlane(CameraConfiguration), CAMERA_ENGINE)
        service.start()
        stack.callback(service.close)
        server = EngineServer(service, "tcp://127.0.0.1:*")
        server.start()
        stack.callback(server.close)
        yield Served(
            service,
            {
                name: stack.enter_context(serving(service, server.address))
                for name, serving in SERVING.items()
            },
        )


@front_ends
def test_every_front_end_shows_all_parameters_with_their_facts(served: Served, front_end: str) -> None:
    client, catalogue = served.clients[front_end], served.service.catalogue
    own = [p for p in catalogue.parameters.values() if p.group in ("camera", "regions")]
    assert {p.key for p in own} <= set(client.keys())
    for parameter in own:
        held = served.service.read(parameter.key).value
        assert client.read(parameter.key) == pytest.approx(held)
        shown, declared = client.facts(parameter.key), facts_of(parameter, held)
        for fact in shown:
            if not {fact, f"{fact}:{parameter.key}"} & client.cannot:
                assert shown[fact] == declared[fact], (parameter.key, fact)


@front_ends
def test_every_front_end_writes_commands_and_hears_refusals(served: Served, front_end: str) -> None:
    client = served.clients[front_end]
    images = served.service.read("camera.images").value
    assert isinstance(images, int)
    width = 10 + list(SERVING).index(front_end)
    client.write("regions.2.width", width)
    client.execute("camera.trigger", 3)
    assert served.service.read("camera.images").value == images + 3
    assert served.service.read("regions.2.mean").value == width
    client.execute("camera.trigger")
    assert served.service.read("camera.images").value == images + 4
    with pytest.raises(Rejected, match="the lens cap is on"):
        client.execute("camera.trigger", LENS_CAP)
    with pytest.raises(Rejected):
        client.write("camera.exposure", 11)
    client.execute("regions.2.clear")
    assert served.service.read("regions.2.mean").value == 0
    assert served.service.read("camera.images").value == images + 4


@front_ends
def test_what_the_repeater_does_the_camera_does_too(served: Served, front_end: str) -> None:
    client = served.clients[front_end]
    client.execute("engine.start")
    assert served.service.read("engine.state").value == "RUNNING"
    with pytest.raises(Rejected, match="gain"):
        client.write("camera.gain", "high")
    client.execute("engine.stop")
    gain: Value = "high" if served.service.read("camera.gain").value == "low" else "low"
    client.write("camera.gain", gain)
    assert served.service.read("camera.gain").value == gain


def test_the_state_over_http_has_every_group(served: Served) -> None:
    served.service.execute("camera.trigger", 2, ME).wait(10)
    with (
        HttpServer(create_app({"test": served.service}), port=0) as server,
        httpx.Client(base_url=server.url) as http,
    ):
        state = http.get("/api/v1/state").raise_for_status().json()
    assert list(state) == ["engine", "state", "status", "time", "source", "camera", "regions", "streams"]
    images = served.service.read("camera.images").value
    assert state["camera"] == {"images": images, "temperature": 45.0}
    width = served.service.read("regions.2.width").value
    assert state["regions"]["2"] == {"slot": 2, "mean": width}
    assert list(state["regions"]) == ["1", "2"] and list(state["streams"]) == ["live"]


def test_a_group_that_it_does_not_have_is_refused(served: Served) -> None:
    with pytest.raises(Refused, match="writers refused: this engine has none, only engine, source, camera"):
        served.service.execute("engine.configure", '{"writers": {"main": {}}}', ME).wait(10)
    with pytest.raises(InvalidValue, match="exposure"):
        served.service.execute("engine.configure", '{"camera": {"exposure": 100}}', ME).wait(10)
    severity = served.service.catalogue.parameters["camera.temperature"].severity
    assert severity(served.service.read("camera.temperature").value) is Severity.MINOR


def test_its_settings_are_kept_and_a_real_data_plane_takes_them(tmp_path: Path) -> None:
    options = ServiceOptions(
        roots=(tmp_path,), settings=tmp_path / "camera.json", configuration=configuration()
    )
    for gain in ("low", "high"):
        service = Service(options, kind=CAMERA_ENGINE)
        service.start()
        try:
            assert service.read("camera.gain").value == gain
            address = f"tcp://127.0.0.1:{free_port()}"
            service.write({"camera.gain": "high", "source.address": address, "source.mode": "PULL"}, ME)
            service.execute("engine.start", None, ME).wait(20)
            service.write({"camera.exposure": 0.5}, ME)
            assert service.read("engine.state").value == "RUNNING"
        finally:
            service.close()


def test_a_kind_that_lacks_something_is_refused() -> None:
    camera = CAMERA_ENGINE.groups[2]
    lone = GroupDeclaration("camera", "camera", commands=(TRIGGER,))
    for groups, model, reason in (
        ((camera,), CameraConfiguration, "every engine needs the group engine"),
        ((*REPEATER, camera), Configuration, "Configuration needs a field camera"),
        ((*REPEATER, lone), Configuration, "group camera has commands, but no keeper"),
    ):
        with pytest.raises(TypeError, match=reason):
            EngineKind(groups, model).check()
    assert Group.WRITER not in {group.name for group in CAMERA_ENGINE.groups}
