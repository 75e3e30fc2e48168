"""A folder that hangs, as one of a dead file server does: it holds up whoever needs it, and nobody else."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import repstream
from repstream.client import Client
from tests.cli.running import free_port, started
from tests.integration.rig import until
from tests.storage import Storage

QUIET = ("--no-tango", "--no-epics", "--no-http")
PATIENCE = 1.0
"""Seconds within which a read answers on a busy machine; one that waits for a folder takes for ever."""


@pytest.fixture
def engine(storage: Storage, tmp_path: Path) -> Iterator[Client]:
    """A whole engine that repeats frames; its writer's folder is called dead."""
    (tmp_path / "dead").mkdir()
    config = tmp_path / "site.json"
    address, source, live = (f"tcp://127.0.0.1:{free_port()}" for _ in range(3))
    tree = {
        "schema_version": 1,
        "source": {"address": source},
        "streams": {"live": {"address": live, "mode": "PUB"}},
        "writers": {"main": {"folder": f"{tmp_path}/dead", "file_name": "scan"}},
    }
    config.write_text(json.dumps(tree))
    environment = {**os.environ, **storage.environment}
    detector = ("simulate", "-a", source, "--size", "16x16", "--rate", 100, "-n", 0, "-q")
    site = ("--engine-address", address, "--root", tmp_path, "--config", config, *QUIET)
    with started(*detector), started("serve", *site, environment=environment) as serve:
        assert serve.stdout
        next(line for line in serve.stdout if "serving" in line)
        with repstream.Client(address) as client:
            client.execute("engine.start").wait(20)
            client.wait("streams.live.sent", bool, timeout=30)
            try:
                yield client
            finally:
                storage.does("")


def assert_alive(engine: Client) -> None:
    """Reads answer and the stream goes on."""
    sent = int(str(engine.read("streams.live.sent")))
    begun = time.monotonic()
    for _ in range(20):
        engine.read("engine.status")
    engine.write("streams.live.every_nth", 1)
    assert time.monotonic() - begun < PATIENCE
    engine.wait("streams.live.sent", lambda now: int(str(now)) > sent + 10, timeout=30)


def test_a_folder_that_cannot_be_looked_at_is_reported(engine: Client, storage: Storage) -> None:
    storage.does("statvfs /dead")
    engine.wait("writers.main.folder_status", lambda text: "does not answer since" in str(text), timeout=30)
    assert engine.read("writers.main.free_space") is None
    engine.wait("writers.main.waiting", lambda text: "does not answer since" in str(text), timeout=30)
    assert_alive(engine)
    storage.does("")
    engine.wait("writers.main.folder_status", "", timeout=30)


def test_a_start_into_it_is_refused_and_nothing_else_waits(engine: Client, storage: Storage) -> None:
    storage.does("stat /dead")
    with pytest.raises(repstream.Refused, match="does not answer"):
        engine.execute("writers.main.start")
    assert engine.read("writers.main.start_result") == "refused"
    assert_alive(engine)
    assert engine.execute("engine.stop").wait(20).ok
    storage.does("")
    until(lambda: _starts(engine), "a start once it answers")


def _starts(engine: Client) -> bool:
    try:
        engine.execute("writers.main.start")
    except repstream.Refused:
        return False
    return True


@pytest.mark.parametrize("call", ["open", "fsync"])
def test_what_a_writer_waits_for_is_said_and_streams_go_on(
    engine: Client, storage: Storage, call: str
) -> None:
    if call == "open":
        storage.does("open /dead")
    engine.execute("writers.main.start")
    if call == "fsync":
        engine.wait("writers.main.num_written", bool, timeout=30)
        storage.does("fsync /dead")
        engine.execute("writers.main.flush")
    engine.wait("writers.main.waiting", lambda text: "has not answered for" in str(text), timeout=30)
    assert engine.read("writers.main.waiting_for") == "disk"
    assert_alive(engine)
    storage.does("")
    engine.wait("writers.main.waiting_for", "nothing", timeout=30)
    written = int(str(engine.read("writers.main.num_written")))
    engine.wait("writers.main.num_written", lambda now: int(str(now)) > written, timeout=30)
    assert engine.execute("writers.main.stop").wait(20).ok
    assert engine.read("writers.main.dropped") == 0


def test_reset_gives_up_a_stop_that_waits_for_it(engine: Client, storage: Storage) -> None:
    handle = engine.execute("writers.main.start")
    engine.wait("writers.main.num_written", bool, timeout=30)
    storage.does("fsync /dead")
    stop = engine.execute("engine.stop")
    assert engine.read("engine.state") == "STOPPED"
    engine.wait("engine.status", lambda text: "has not answered for" in str(text), timeout=30)
    assert stop.completion is None
    engine.execute("engine.reset")
    assert not handle.wait(20).ok and not stop.wait(20).ok
    storage.does("")
    assert engine.execute("engine.start").wait(20).ok


@pytest.mark.parametrize("call", ["fsync", "stat"])
def test_a_stop_gives_it_up_by_itself_at_last(engine: Client, storage: Storage, call: str) -> None:
    engine.write("engine.stall_patience", 3.0)
    handle = engine.execute("writers.main.start")
    engine.wait("writers.main.num_written", bool, timeout=30)
    storage.does(f"{call} /dead")
    engine.wait("writers.main.disk_wait", bool, timeout=30) if call == "stat" else None
    assert engine.execute("engine.stop").wait(60).ok
    completion = handle.wait(20)
    assert not completion.ok and "the file was given up" in completion.message
    assert engine.read("writers.main.acq_state") == "FAILED"
    storage.does("")
    assert engine.execute("engine.start").wait(20).ok
