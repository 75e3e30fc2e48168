"""Twenty clients of Tango, EPICS and HTTP give the same command at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import pytest

from repstream.link.server import EngineServer
from repstream.protocol import Requester
from repstream.service.service import Service
from repstream_epics.server import IocServer
from repstream_http import HttpServer, create_app
from tests.conformance.client import FrontEndClient, Rejected
from tests.conformance.epics_client import PREFIX, EpicsClient
from tests.conformance.http_client import HttpClient
from tests.conformance.tango_client import TangoClient
from tests.device_servers.serving import ANY_PORT, tango_server, until
from tests.fakes import FakePlane, running_service
from tests.ioc.clients import Pyepics

TANGO, HTTP, EPICS = 8, 8, 4
IMAGES = 7
ROUNDS = 3


@dataclass
class Crowd:
    """The engine and everybody who commands it."""

    service: Service
    plane: FakePlane
    clients: list[FrontEndClient]
    pool: ThreadPoolExecutor

    def all_at_once(self, command: str) -> dict[Future[str], FrontEndClient]:
        """Every client gives `command`; what each got: an empty text, or why it was refused."""
        gate = threading.Barrier(len(self.clients))

        def give(client: FrontEndClient) -> str:
            gate.wait(20)
            try:
                client.execute(command)
            except Rejected as refused:
                return str(refused)
            return ""

        return {self.pool.submit(give, client): client for client in self.clients}


def ready(client: FrontEndClient) -> bool:
    return client.read("writers.1.state") == "READY"


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    with ExitStack() as stack:
        service, plane = stack.enter_context(running_service(tmp_path_factory.mktemp("engine")))
        server = EngineServer(service, ANY_PORT)
        server.start()
        stack.callback(server.close)
        trl = stack.enter_context(tango_server(server.address, slots=len(service.catalogue.slots("writers"))))
        ioc = stack.enter_context(IocServer({"test": service}, PREFIX, port=0))
        http = stack.enter_context(HttpServer(create_app({"test": service}), port=0))
        clients: list[FrontEndClient] = [TangoClient(service.catalogue, trl) for _ in range(TANGO)]
        for _ in range(HTTP):
            clients.append(HttpClient(http.url))
            stack.callback(clients[-1].close)  # type: ignore[attr-defined]
        for _ in range(EPICS):
            pyepics = stack.enter_context(Pyepics(ioc.port))
            clients.append(EpicsClient(service.catalogue, pyepics))
        for client in clients:
            until(partial(ready, client), "each client to see it")
        yield Crowd(service, plane, clients, stack.enter_context(ThreadPoolExecutor(len(clients))))


def test_one_start_wins_and_the_others_get_the_reason(crowd: Crowd) -> None:
    crowd.clients[0].write("writers.1.num_images", IMAGES)
    numbers: list[int] = []
    for _ in range(ROUNDS):
        given = crowd.all_at_once("writers.1.start")
        left = set(given)
        while len(left) > 1:
            done, left = wait(left, timeout=60, return_when=FIRST_COMPLETED)
            assert done, f"{len(left)} clients have no answer"
        (winner,) = left
        # What EPICS says of the last command is one PV for all of its clients.
        said = {f.result() for f, client in given.items() if f is not winner and client.name != "epics"}
        assert all("already taking images for" in text and "stop it first" in text for text in said), said
        assert crowd.service.read("writers.1.state").value == "WRITING"
        assert not winner.done()
        crowd.plane.receive(IMAGES)
        assert winner.result(60) == ""
        numbers.append(int(str(crowd.service.read("writers.1.acquisition_id").value).rpartition("-")[2]))
    assert numbers == list(range(numbers[0], numbers[0] + ROUNDS))  # no other acquisition was begun


def test_a_stop_is_allowed_to_all_and_ends_the_acquisition_once(crowd: Crowd) -> None:
    handle = crowd.service.execute("writers.1.start", None, Requester("test"))
    said = {client: future.result(60) for future, client in crowd.all_at_once("writers.1.stop").items()}
    assert {text for client, text in said.items() if client.name != "epics"} == {""}
    # Each EPICS client's put is complete, or it would have no answer. What became of it is one PV for all
    # of them, and another one for the message: a client that reads BUSY there, since another's put has just
    # begun, finds the message of the last one that ended.
    over_epics = [text for client, text in said.items() if client.name == "epics"]
    assert len(over_epics) == EPICS and {*over_epics} <= {"", "nothing to do"}
    watching = next(client for client in crowd.clients if isinstance(client, EpicsClient))
    until(lambda: watching.command_status() == "OK", "the last put to be shown")
    assert handle.wait(20).result == "interrupted"
    assert crowd.service.read("writers.1.state").value == "READY"
