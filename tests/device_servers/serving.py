"""The Tango server as a process of its own, on a free port, ended with the test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from repstream.link.server import EngineServer
from repstream_tango.command_line import READY_LINE, command_line
from tests.fakes import FakePlane, running_service
from tests.ports import free_port as free_port
from tests.waiting import until as until

REPEATER = "repstream/repeater/1"
ANY_PORT = "tcp://127.0.0.1:*"

Trl = Callable[[str], str]
"""Device name -> what a DeviceProxy takes."""


def writer(slot: int) -> str:
    """Name of the device of the writer in `slot`."""
    return f"repstream/writer/{slot}"


def stream(slot: int) -> str:
    """As `writer`, of a stream."""
    return f"repstream/stream/{slot}"


def picture(slot: int) -> str:
    """As `writer`, of a picture."""
    return f"repstream/picture/{slot}"


@contextmanager
def engine_at(folder: Path, address: str = ANY_PORT) -> Iterator[tuple[str, FakePlane]]:
    """A real service on a fake data plane, reachable at the address that is given back."""
    with running_service(folder) as (service, plane):
        server = EngineServer(service, address)
        server.start()
        try:
            yield server.address, plane
        finally:
            server.close()


@contextmanager
def running(
    line: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """The server started by `line`, ready; SIGTERM must end it with status 0."""
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        try:
            for said in server.stdout:
                if said.strip() == READY_LINE:
                    break
            else:
                raise AssertionError(f"the server ended with {server.wait()} before it was ready")
            yield server
            server.terminate()
            ended = server.wait(20)
            assert ended == 0, f"the server ended with {ended}"
        finally:
            server.kill()


@contextmanager
def tango_server(engine: str, *, slots: int = 4, more: Sequence[str] = ()) -> Iterator[Trl]:
    """A server without a database on the engine at `engine`; `more` devices as ``--device`` takes them."""
    port = free_port()
    writers = [writer(slot) for slot in range(1, slots + 1)]
    with running(command_line(engine, port=port, writers=writers, more=more)):
        yield lambda device: f"tango://127.0.0.1:{port}/{device}#dbase=no"


@contextmanager
def tango_database(folder: Path, port: int = 0) -> Iterator[str]:
    """A Tango database of its own, kept in `folder`; gives its ``host:port``. It ends as by `kill -9`."""
    program = Path(sys.executable).with_name("PyDatabaseds")
    environment = os.environ | {"PYTANGO_DATABASE_NAME": str(folder / "tango.db")}
    said = folder / "database.txt"
    with (
        said.open("w") as log,
        subprocess.Popen(
            [program, "--host", "127.0.0.1", "--port", str(port), "--print-host-port", "2"],
            stdout=log,
            stderr=log,
            env=environment,
        ) as server,
    ):
        try:
            until(lambda: re.search(r"port=\d+", said.read_text()), "the Tango database")
            found = re.search(r"port=(\d+)", said.read_text())
            assert found is not None
            yield f"127.0.0.1:{found[1]}"
        finally:
            server.kill()
