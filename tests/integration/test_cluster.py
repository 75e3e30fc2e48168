"""Several hosts that write one acquisition: real engines in processes of their own behind one repeater."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from repstream.cluster.acquisition import Acquisition, Request
from repstream.cluster.cluster import Cluster
from repstream.cluster.member import Look, Progress
from repstream.errors import Refused
from repstream.files.verify import verify
from repstream.link.remote import RemoteEngine
from repstream.parameters.configuration import Configuration
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream_cli.cluster import cluster as command
from tests.cli.processes import below, still_alive
from tests.integration.rig import IMAGES, SHAPE, Detector, free_port, until

ME = Requester("test")
HOSTS = ("north", "south", "east")
LOST = np.iinfo(np.uint16).max


@dataclass
class Host:
    """A host: an engine in a process of its own, as `repstream serve` starts it there."""

    name: str
    folder: Path
    stream: str
    address: str = field(default_factory=lambda: f"tcp://127.0.0.1:{free_port()}")
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        settings = self.folder / f"{self.name}.json"
        source = {"address": self.stream, "id_step": len(HOSTS)}
        settings.write_text(json.dumps({"source": source, "writers": {"main": {"folder": str(self.folder)}}}))
        options = ["--no-tango", "--no-epics", "--no-http", "--start", "--name", self.name]
        options += ["--engine-address", self.address, "--root", self.folder, "--config", settings]
        line = [sys.executable, "-m", "repstream_cli", "serve", *map(str, options)]
        self.process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """As a host that loses its power: nothing of it goes on."""
        assert self.process is not None
        everything = below(self.process.pid) | {self.process.pid}
        for process_id in everything:
            os.kill(process_id, signal.SIGKILL)
        self.process.wait(10)
        assert not still_alive(everything)

    def terminate(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def close(self) -> None:
        if self.process is not None:
            self.process.wait(30)


@dataclass
class Site:
    """A detector, the repeater that shares its images by id, the hosts, and the cluster of them."""

    folder: Path
    detector: Detector
    repeater: Service
    hosts: dict[str, Host]
    cluster: Cluster
    number: int = 0

    def request(self, images: int, first_id: int = 0) -> Request:
        self.number += 1
        return Request(self.folder / f"scan{self.number}.h5", images, first_id, run_id="r1")

    def look(self, name: str) -> Look:
        return next(look for look in self.cluster.look() if look.name == name)

    @property
    def engines(self) -> list[str]:
        return [word for host in self.hosts.values() for word in ("-e", f"{host.name}={host.address}")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        detector = Detector()
        stack.callback(detector.close)
        streams = {name: f"tcp://127.0.0.1:{free_port()}" for name in HOSTS}
        share = {"policy": "send_every_nth", "every_nth": len(HOSTS)}
        configuration = {
            "source": {"address": detector.address},
            "streams": {
                name: {"address": address, "every_nth_offset": place, **share}
                for place, (name, address) in enumerate(streams.items())
            },
        }
        options = ServiceOptions("rep", configuration=Configuration.model_validate(configuration))
        repeater = Service(options)
        repeater.start()
        stack.callback(repeater.close)
        hosts = {name: Host(name, folder, address) for name, address in streams.items()}
        for host in hosts.values():
            host.start()
            stack.callback(host.close)
        stack.callback(lambda: [host.terminate() for host in hosts.values()])
        cluster = stack.enter_context(Cluster({host.name: host.address for host in hosts.values()}))
        until(lambda: all(look.engine.state == "RUNNING" for look in cluster.look()), "the engines", 30)
        repeater.execute("engine.start", None, ME).wait(20)
        yield Site(folder, detector, repeater, hosts, cluster)


def whole(ended: list[Progress]) -> bool:
    return [each.result for each in ended] == ["completed"] * len(HOSTS)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(word) for word in arguments])


def assert_shows(path: Path, ids: range, lost: set[int]) -> None:
    """Each image stands at the place of its id, equal to what the detector sent; the others are blank."""
    with h5py.File(path) as file:
        assert file["interleaved_metadata"]["image_id"].tolist() == list(ids)
        assert file["entry/data/data"].shape == (len(ids), *SHAPE)
        for place, i in enumerate(ids):
            image = file["entry/data/data"][place]
            assert (
                np.array_equal(image, np.full(SHAPE, LOST)) if i in lost else np.array_equal(image, IMAGES(i))
            ), i


def test_all_hosts_write_one_acquisition_image_by_image(site: Site) -> None:
    request = site.request(100, first_id=4)
    going = site.cluster.begin(request)
    site.detector.send(range(104))
    ended = going.wait(60)
    assert whole(ended), ended
    made = going.join(ended)
    assert (made.written, made.missing_ids) == (100, [])
    assert {share.host: share.written for share in made.shares} == {"north": 33, "south": 34, "east": 33}
    assert_shows(request.file, range(4, 104), set())
    assert verify(request.file).complete
    assert sum(site.look(name).source.missing for name in HOSTS) == 0


def test_an_image_that_is_lost_before_a_host_is_named_and_its_place_is_blank(site: Site) -> None:
    request = site.request(12, first_id=3)
    going = site.cluster.begin(request)
    for i in range(3, 15):
        if i not in (3, 7):  # the first of one host, and one in the middle of another's
            site.detector.send(range(i, i + 1))
    until(lambda: sum(each.written for each in going.progress()) == 10, "the images that came")
    going.stop()
    ended = going.wait(30)
    made = going.join(ended)
    assert made.missing_ids == [(3, 3), (7, 7)]
    assert {share.host: share.missing for share in made.shares} == {"north": 1, "south": 1, "east": 0}
    assert verify(request.file).missing == [(3, 3), (7, 7)]
    with h5py.File(request.file) as file:
        rows = file["interleaved_metadata"][:]
        came = [i for i in range(12) if rows["status"][i] == 0]
        assert came == [i for i in range(12) if i + 3 not in (3, 7)]
        assert all(np.array_equal(file["entry/data/data"][i], IMAGES(i + 3)) for i in came)


def test_one_host_that_cannot_begin_keeps_all_from_it(site: Site) -> None:
    request = site.request(30)
    other = Requester("test", "somebody", "elsewhere")
    with closing(RemoteEngine(site.hosts["south"].address)) as south:
        south.wait_connected(10)
        south.execute("engine.lock", None, other).wait(10)
        try:
            with pytest.raises(Refused, match=r"south \(tcp://.*lock.*the other hosts gave theirs up"):
                site.cluster.begin(request)
        finally:
            south.execute("engine.unlock", None, other).wait(10)
    looks = site.cluster.look()
    assert [look.writer.state for look in looks] == ["READY"] * 3
    assert [look.writer.gate for look in looks] == ["shut"] * 3
    assert not list(request.file.parent.glob(f"{request.file.stem}*"))
    going = site.cluster.begin(request)  # nothing is left that hinders the next one
    site.detector.send(range(30))
    assert whole(going.wait(30))


def test_a_file_that_exists_is_refused_before_anything_is_done(site: Site) -> None:
    request = site.request(30)
    request.file_of("south").write_text("somebody else's")
    before = [look.writer.start_count for look in site.cluster.look()]
    with pytest.raises(Refused, match=r"scan.*_south.h5 exists"):
        site.cluster.begin(request)
    assert [look.writer.start_count for look in site.cluster.look()] == before
    assert request.file_of("south").read_text() == "somebody else's"


def test_a_host_that_is_set_up_for_another_number_is_refused_before_anything_is_done(site: Site) -> None:
    two = {name: site.hosts[name].address for name in HOSTS[:2]}
    before = [look.writer.start_count for look in site.cluster.look()]
    with Cluster(two) as cluster:
        cluster.wait_reachable(10)
        with pytest.raises(Refused, match=r"north.*source.id_step is 3; set it to 2.*nothing was begun"):
            cluster.begin(site.request(10))
    assert [look.writer.start_count for look in site.cluster.look()] == before


def test_the_command_line_writes_one_and_shows_the_hosts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    request = site.request(9)
    line = [sys.executable, "-m", "repstream_cli", "cluster", "acquire", str(request.file), "-n", "9"]
    with subprocess.Popen([*line, *site.engines], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "all 3 hosts wait for the images 0 to 8\n"
        site.detector.send(range(9))
        text, _ = process.communicate(timeout=60)
    assert process.returncode == 0, text
    assert f"{request.file}: 9 of 9 images; completed" in text
    assert_shows(request.file, range(9), set())
    monkeypatch.setenv("REPSTREAM_ENGINES", " ".join(site.engines[1::2]))
    shown = run("status")
    assert shown.exit_code == 0
    assert all(f"{name} at {site.hosts[name].address}: RUNNING" in shown.stdout for name in HOSTS)
    request.file.unlink()
    again = run("join", request.file, "-n", "9", *site.engines)
    assert again.exit_code == 0, again.output
    assert_shows(request.file, range(9), set())


def test_of_two_clients_at_most_one_begins(site: Site) -> None:
    requests = [site.request(30), site.request(33)]
    addresses = {host.name: host.address for host in site.hosts.values()}

    def begin(request: Request) -> Acquisition | None:
        with Cluster(addresses) as cluster:
            cluster.wait_reachable(20)
            try:
                return cluster.begin(request)
            except Refused:
                return None

    with ThreadPoolExecutor(2) as pool:
        begun = [each for each in pool.map(begin, requests) if each is not None]
    assert len(begun) <= 1
    writing = {look.newest.full_file_name for look in site.cluster.look() if look.writer.state == "WRITING"}
    assert writing == {str(begun[0].request.file_of(name)) for name in HOSTS} if begun else not writing
    site.cluster.stop()
    until(lambda: all(look.writer.state == "READY" for look in site.cluster.look()), "the end")


def test_a_host_that_is_cut_off_for_a_while_is_found_where_it_is(site: Site) -> None:
    request = site.request(30)
    going = site.cluster.begin(request)
    with pytest.raises(Refused, match=r"north .*writer main is WRITING.*nothing was begun"):
        site.cluster.begin(site.request(30))
    site.detector.send(range(15))
    until(lambda: sum(each.written for each in going.progress()) == 15, "the first half")
    process = site.hosts["east"].process
    assert process is not None
    process.send_signal(signal.SIGSTOP)  # the service; its data plane writes on
    try:
        until(lambda: not site.look("east").reachable, "the loss of east")
        site.detector.send(range(15, 30))
        until(lambda: [e.result for e in going.progress(60)] == ["completed", "completed", ""], "the others")
    finally:
        process.send_signal(signal.SIGCONT)
    ended = going.wait(30, patience=60)
    assert whole(ended), ended
    assert going.join(ended).missing_ids == []
    assert_shows(request.file, range(30), set())


def test_a_host_that_dies_is_named_and_the_others_write_on(site: Site) -> None:
    """Last, since it takes a host away and brings it back."""
    request = site.request(60)
    going = site.cluster.begin(request)
    site.detector.send(range(30))
    until(lambda: sum(each.written for each in going.progress()) == 30, "the first half")
    site.hosts["south"].kill()
    until(lambda: not site.look("south").reachable, "the loss of south")
    site.detector.send(range(30, 60))
    ended = {each.host: each for each in going.wait(60, patience=1)}
    assert {host: each.result for host, each in ended.items()} == {
        "north": "completed",
        "south": "lost",
        "east": "completed",
    }
    made = going.join(list(ended.values()))
    lost = {i for i in range(30, 60) if i % 3 == 1}
    assert {i for first, last in made.missing_ids for i in range(first, last + 1)} == lost
    assert_shows(request.file, range(60), lost)
    assert any("failed: south lost: " in problem for problem in verify(request.file).problems)
    for name in ("north", "east"):
        assert verify(request.file_of(name)).images == 20
    with pytest.raises(Refused, match=r"south \(tcp://.*nothing was begun"):
        site.cluster.begin(site.request(30))
    shown = run("status", "--timeout", "1", *site.engines)
    assert shown.exit_code == 1
    assert f"south at {site.hosts['south'].address}: UNREACHABLE" in shown.stdout
    site.hosts["south"].start()
    until(lambda: site.look("south").is_well, "south", 30)
    site.detector.send(range(60, 63))
    until(lambda: site.look("south").source.last_frame_id == 61, "what waited for south")
    again = site.request(30)
    going = site.cluster.begin(again)
    site.detector.send(range(30))
    ended_again = going.wait(30)
    assert whole(ended_again), ended_again
    going.join(ended_again)
    assert_shows(again.file, range(30), set())
