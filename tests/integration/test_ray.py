"""Engines that Ray places on hosts: what keeps an engine, a whole host, and the head die during a write."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import pytest

import repstream
from repstream.files.verify import verify
from tests.cli.processes import below, still_alive
from tests.integration.rig import Detector, assert_holds, free_port, until

pytestmark = pytest.mark.timeout(500)  # each host of Ray takes some 10 s to begin

PROGRAM = Path(__file__).parents[2] / ".venv-ray/bin/repstream"

PATIENCE = 15
"""Seconds that an engine goes on while nothing of Ray is left that keeps it."""

LOOK = """
import sys
import msgspec
from repstream.cluster.ray_launcher import RayLauncher
launcher = RayLauncher(sys.argv[1])
for _ in sys.stdin:
    print(msgspec.json.encode(launcher.engines(60)).decode(), flush=True)
"""
"""One that stays connected and says where the engines are: each command begins with seconds of Ray's own."""


def needed() -> Path:
    """The environment of `make ray`, which must be there in CI and need not be elsewhere."""
    if not PROGRAM.exists():
        reason = "Ray is not there: make ray"
        pytest.fail(reason) if os.environ.get("REPSTREAM_REQUIRE_ALL") == "1" else pytest.skip(reason)
    return PROGRAM


def own_address() -> str:
    """Under which other hosts would reach this one; Ray takes no loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return str(probe.getsockname()[0])


class Cluster:
    """Nodes of Ray on this machine, and the command line of each."""

    def __init__(self, folder: Path) -> None:
        # Ray makes sockets there, whose names may not be long.
        self._ray = Path(tempfile.mkdtemp(prefix="rs-", dir="/tmp"))
        self._watcher: subprocess.Popen[str] | None = None
        self._environment = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
            "RAY_gcs_rpc_server_reconnect_timeout_s": "5",  # until hosts give their head up
            "REPSTREAM_RAY_TOKEN": str(folder / "token"),
            "RAY_TMPDIR": str(self._ray),
        }
        self.host = own_address()
        self.address = f"{self.host}:{free_port()}"

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        command = [str(needed()), "cluster", "ray", *map(str, words)]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=120, check=False
        )

    def done(self, *words: object) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def placed(self, name: str = "north") -> dict[str, Any]:
        """Where an engine is, as soon as it has its place."""
        until(lambda: self._look()[name]["address"], f"the place of {name}", 90)
        return self._look()[name]

    def _look(self) -> dict[str, dict[str, Any]]:
        if self._watcher is None:
            command = [str(PROGRAM.with_name("python")), "-c", LOOK, self.address]
            pipe = subprocess.PIPE
            self._watcher = subprocess.Popen(
                command, env=self._environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
            )
        assert self._watcher.stdin and self._watcher.stdout
        with suppress(BrokenPipeError):
            print(file=self._watcher.stdin, flush=True)
        while line := self._watcher.stdout.readline():
            if line.startswith("["):  # Ray says things of its own beside it
                return {each["name"]: each for each in json.loads(line)}
        self._watcher.communicate()  # it has died with the host that it was connected by
        self._watcher = None
        return self._look()

    def kill_head(self) -> None:
        """The process that all of Ray depends on; that of no other cluster on this machine."""
        head = [pid for pid in self._own() if "gcs_server" in _text(Path(f"/proc/{pid}/cmdline"))]
        assert len(head) == 1
        kill(head[0])

    def hosts_have_ended(self) -> bool:
        """Whether each host has given its head up."""
        return not any("raylet/raylet" in _text(Path(f"/proc/{pid}/cmdline")) for pid in self._own())

    def close(self) -> None:
        """What Ray has started names its folder; `ray stop` would end that of others, too."""
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
        own = self._own()
        for process_id in own.union(*map(below, own)):
            kill(process_id)
        shutil.rmtree(self._ray, ignore_errors=True)

    def _own(self) -> set[int]:
        return {
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if str(self._ray) in _text(path)
        }


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def kill(process_id: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process_id, signal.SIGKILL)


def parent(process_id: int) -> int:
    return int(Path(f"/proc/{process_id}/stat").read_text().rpartition(") ")[2].split()[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ray")


@pytest.fixture(scope="module")
def detector() -> Iterator[Detector]:
    detector = Detector()
    yield detector
    detector.close()


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[Cluster]:
    needed()
    cluster = Cluster(folder)
    try:
        host, port = cluster.address.split(":")
        cluster.done("start", host, "--port", port, "--offers", "detector:eiger")
        cluster.done("join", cluster.address, cluster.host, "--offers", "disk:nvme")
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="module")
def engine(cluster: Cluster, folder: Path, detector: Detector) -> Iterator[repstream.Client]:
    """The engine ``north``, which has to be where the disk is; it runs."""
    config, port = folder / "config.json", free_port()
    source = {"address": detector.address}
    config.write_text(json.dumps({"source": source, "writers": {"main": {"folder": str(folder)}}}))
    options = ("--root", folder, "--config", config, "--settings", folder / "north.json", "--start")
    where = ("--address", cluster.address, "--port", port, "--patience", PATIENCE)
    said = cluster.done("place", "north", "--needs", "disk:nvme", *where, *options)
    assert f"north at tcp://{cluster.host}:{port} on " in said
    with repstream.Client(f"tcp://{cluster.host}:{port}", timeout=20) as client:
        yield client


def begin(engine: repstream.Client, path: Path, detector: Detector) -> None:
    """Have 10 of 20 images written."""
    until(lambda: engine.read("engine.state") == "RUNNING", "the engine", 60)
    engine.write({"writers.main.output_file": path, "writers.main.num_images": 20})
    engine.execute("writers.main.start")
    detector.send(range(10))
    engine.wait("writers.main.num_written", 10, timeout=30)


def test_the_token_is_for_its_owner_alone(cluster: Cluster, folder: Path) -> None:
    assert (folder / "token").stat().st_mode & 0o777 == 0o600


def test_what_no_host_offers_is_refused(cluster: Cluster) -> None:
    refused = cluster.run("place", "south", "--needs", "disk:tape", "--address", cluster.address)
    assert refused.returncode == 1
    assert "no host offers disk:tape; offered are detector:eiger, disk:nvme" in refused.stderr


def test_an_engine_that_is_removed_ends_with_all_that_it_had(cluster: Cluster) -> None:
    where = ("--address", cluster.address, "--port", free_port())
    cluster.done("place", "south", "--needs", "detector:eiger", *where)
    holder = cluster.placed("south")["holder"]
    everything = below(holder) | {holder}
    cluster.done("remove", "south", "--address", cluster.address)
    assert not still_alive(everything, 30)


def test_an_acquisition_does_not_notice_that_its_keeper_dies(
    cluster: Cluster, engine: repstream.Client, folder: Path, detector: Detector
) -> None:
    begin(engine, folder / "first.h5", detector)
    before = cluster.placed()
    (said,) = json.loads(cluster.done("status", "--json", "--timeout", 60, "--address", cluster.address))
    assert said == before
    kill(before["keeper"])
    detector.send(range(10, 20))
    engine.wait("writers.main.acq_state", "FINISHED", timeout=30)
    assert_holds(folder / "first.h5", range(20))
    after = cluster.placed()
    assert after["keeper"] != before["keeper"]
    assert {**after, "keeper": 0} == {**before, "keeper": 0}


def test_an_engine_whose_host_is_lost_goes_on_at_another(
    cluster: Cluster, engine: repstream.Client, folder: Path, detector: Detector
) -> None:
    begin(engine, folder / "second.h5", detector)
    cluster.done("join", cluster.address, cluster.host, "--offers", "disk:nvme")
    before = cluster.placed()
    raylet = parent(before["keeper"])
    for process_id in (raylet, *below(before["holder"]), before["holder"], before["keeper"]):
        kill(process_id)
    with h5py.File(folder / "second.h5") as file:
        assert len(file["/entry/data/data"]) == 10
    assert verify(folder / "second.h5").damaged == []
    until(lambda: engine.read("engine.state") == "UNKNOWN", "the loss")
    until(lambda: engine.read("engine.state") == "RUNNING", "the engine, elsewhere", 90)
    assert not engine.read("writers.main.num_written")
    after = cluster.placed()
    assert (after["holder"] != before["holder"], after["address"]) == (True, before["address"])
    begin(engine, folder / "third.h5", detector)
    detector.send(range(10, 20))
    engine.wait("writers.main.acq_state", "FINISHED", timeout=30)
    assert_holds(folder / "third.h5", range(20))


def test_an_acquisition_does_not_notice_that_the_head_dies_and_the_engine_ends_in_good_order(
    cluster: Cluster, engine: repstream.Client, folder: Path, detector: Detector
) -> None:
    """Nothing of Ray is left then."""
    begin(engine, folder / "fourth.h5", detector)
    holder = cluster.placed()["holder"]
    everything = below(holder) | {holder}
    cluster.kill_head()
    detector.send(range(10, 20))
    engine.wait("writers.main.acq_state", "FINISHED", timeout=30)
    assert_holds(folder / "fourth.h5", range(20))
    engine.write({"writers.main.output_file": folder / "fifth.h5"})
    engine.execute("writers.main.start")
    detector.send(range(5))
    engine.wait("writers.main.num_written", 5, timeout=30)
    assert not still_alive(everything, 120)
    with h5py.File(folder / "fifth.h5") as file:
        assert len(file["/entry/data/data"]) == 5
    assert verify(folder / "fifth.h5").damaged == []


def test_an_acquisition_does_not_notice_that_a_new_head_takes_its_engine_up(
    cluster: Cluster, folder: Path, detector: Detector
) -> None:
    """A new head knows nothing of the one before: host and engine are named to it again."""
    (host, port), own = cluster.address.split(":"), free_port()
    config = folder / "south.json"
    source = {"address": detector.address}
    config.write_text(json.dumps({"source": source, "writers": {"main": {"folder": str(folder)}}}))
    head = ("start", host, "--port", port, "--offers", "detector:eiger")
    where = ("--address", cluster.address, "--port", own, "--patience", 120)
    place = (
        "place",
        "south",
        "--needs",
        "detector:eiger",
        *where,
        "--root",
        folder,
        "--config",
        config,
        "--start",
    )
    until(cluster.hosts_have_ended, "the hosts to give their head up")
    cluster.done(*head)
    cluster.done(*place)
    with repstream.Client(f"tcp://{cluster.host}:{own}", timeout=20) as south:
        begin(south, folder / "sixth.h5", detector)
        before = cluster.placed("south")
        cluster.kill_head()
        until(cluster.hosts_have_ended, "the hosts to give their head up")
        cluster.done(*head)
        cluster.done(*place)
        after = cluster.placed("south")
        assert after["keeper"] != before["keeper"]
        assert {**after, "keeper": 0} == {**before, "keeper": 0}
        detector.send(range(10, 20))
        south.wait("writers.main.acq_state", "FINISHED", timeout=30)
    assert_holds(folder / "sixth.h5", range(20))
    cluster.done("remove", "south", "--address", cluster.address)
