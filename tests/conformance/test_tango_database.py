"""With a Tango database, devices say and do what they do without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from repstream.link.server import EngineServer
from repstream.protocol import Requester
from repstream.service.service import Service
from repstream_tango.command_line import command_line
from tests.conformance.client import Rejected
from tests.conformance.tango_client import TangoClient
from tests.conformance.test_conformance import differences, owners
from tests.device_servers.serving import ANY_PORT, running, tango_database, until
from tests.fakes import running_service

ME = Requester("http", "somebody", "elsewhere")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, TangoClient]]:
    with ExitStack() as stack:
        service, _ = stack.enter_context(running_service(tmp_path_factory.mktemp("files")))
        server = EngineServer(service, ANY_PORT)
        server.start()
        stack.callback(server.close)
        database = stack.enter_context(tango_database(tmp_path_factory.mktemp("database")))
        stack.enter_context(running(command_line(server.address, "all", database=database, register=True)))
        client = TangoClient(service.catalogue, lambda device: f"tango://{database}/{device}")
        until(lambda: client.read("engine.state") != "UNKNOWN", "the server to find the engine")
        yield service, client


@owners
def test_facts_are_those_that_are_declared(
    served: tuple[Service, TangoClient], owner: tuple[str, int]
) -> None:
    service, client = served
    assert differences(client, service, owner) == []


def test_writes_events_and_refusals_are_the_same(served: tuple[Service, TangoClient]) -> None:
    service, client = served
    for key, value in (
        ("streams.1.every_nth", 7),
        ("writers.1.file_name", "other"),
        ("pictures.1.binning", 2),
    ):
        with client.watch(key) as seen:
            client.write(key, value)
            assert service.read(key).value == client.read(key) == value
            until(lambda seen=seen, value=value: value in seen.queue, key)  # type: ignore[misc]
    service.execute("engine.start", None, ME).wait(30)
    with pytest.raises(Rejected, match="RUNNING"):
        client.write("source.mode", "SUB")
    service.execute("engine.stop", None, ME).wait(30)
