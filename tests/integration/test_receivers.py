"""Several receivers for one detector: real processes, one source, one set of sums, one file."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zmq

from repstream.errors import Refused, Unanswered
from repstream.files.verify import verify
from repstream.link.server import EngineServer
from repstream.parameters.configuration import Configuration
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from tests.conformance.client import FrontEndClient
from tests.integration.rig import IMAGES, SERVING, SHAPE, Consumer, Detector, until
from tests.ports import ports_in_a_row

ME = Requester("test")
N = 2


@dataclass
class Site:
    """An engine with two receivers. Its detectors have an address each, or share one."""

    folder: Path
    detectors: Sequence[Detector]
    service: Service
    port: int

    def value(self, key: str) -> Any:
        return self.service.read(key).value

    def write(self, **settings: Any) -> None:
        self.service.write({f"writers.main.{name}": value for name, value in settings.items()}, ME)

    def command(self, name: str, argument: Any = None) -> Any:
        return self.service.execute(name, argument, ME)

    def start(self) -> None:
        """Start, and wait for the detectors; a busy machine takes long to begin as many interpreters."""
        with suppress(Unanswered):
            self.command("engine.start").wait(60)
        until(lambda: self.value("engine.state") == "RUNNING", "the start")
        until(lambda: self.value("source.connected"), "both receivers")

    def send(self, ids: Iterable[int]) -> None:
        """Send these frames; each detector those that are its turn."""
        for frame_id in ids:
            self.detectors[frame_id % len(self.detectors)].send(range(frame_id, frame_id + 1))

    def send_at_open_gate(self, ids: range) -> None:
        until(lambda: self.value("writers.main.gate") == "open", "the gate")
        self.send(ids)

    def receiver_pid(self, receiver: int) -> int:
        found = re.findall(r"process (\d+)", self.value("source.receivers_now"))
        return int(found[receiver])

    def received(self, count: int) -> None:
        until(
            lambda: self.value("source.received") >= count,
            f"{count} frames, not {self.value('source.received')}",
        )

    def sums(self) -> dict[str, int]:
        names = ("messages", "received", "malformed", "missing", "duplicates", "late", "resets")
        return {name: self.value(f"source.{name}") for name in names}


def site_with(
    folder: Path,
    stack: ExitStack,
    detectors: int,
    streams: dict[str, dict[str, Any]] | None = None,
    kind: int = zmq.PUSH,
    **source: Any,
) -> Site:
    """`streams`: others than one on consecutive ports. `kind`: the socket of the detectors."""
    made = [Detector(kind) for _ in range(detectors)]
    for detector in made:
        stack.callback(detector.close)
    if detectors > 1:
        source["receiver_addresses"] = ", ".join(detector.address for detector in made)
    port = ports_in_a_row(N)
    configuration = {
        "source": {"address": made[0].address, "receivers": N, **source},
        "streams": {"live": {"address": f"tcp://127.0.0.1:{port}"}} if streams is None else streams,
        "writers": {"main": {"folder": str(folder), "file_template": "%s%s.h5"}},
    }
    service = Service(
        ServiceOptions("shared", roots=(folder,), configuration=Configuration.model_validate(configuration))
    )
    service.start()
    stack.callback(service.close)
    return Site(folder, made, service, port)


@pytest.fixture(scope="module", params=[1, N], ids=["one address", "an address each"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        yield site_with(tmp_path_factory.mktemp("shared"), stack, request.param)


@pytest.fixture(scope="module")
def clients(site: Site) -> Iterator[dict[str, FrontEndClient]]:
    """A client of every control system on the engine."""
    with ExitStack() as stack:
        server = EngineServer(site.service, "tcp://127.0.0.1:*")
        server.start()
        stack.callback(server.close)
        yield {
            name: stack.enter_context(serving(site.service, server.address))
            for name, serving in SERVING.items()
        }


@pytest.fixture
def running(site: Site) -> Iterator[Site]:
    site.start()
    yield site
    site.command("engine.stop").wait(30)


def assert_shows(path: Path, ids: Sequence[int]) -> None:
    """The file shows exactly these images, each as the detector sent it, in order."""
    with h5py.File(path) as file:
        for name in ("/detector/data", "/entry/data/data", "/entry_0000/measurement/data"):
            assert file[name].shape == (len(ids), *SHAPE)
        assert file["/detector/metadata"]["image_id"].tolist() == list(ids)
        assert file["/entry/instrument/NDAttributes/NDArrayUniqueId"][:].tolist() == list(ids)
        for number, frame_id in enumerate(ids):
            assert np.array_equal(file["/entry/data/data"][number], IMAGES(frame_id)), frame_id


def test_streams_have_all_frames_between_them_and_sums_count_them_once(running: Site) -> None:
    consumers = [Consumer(f"tcp://127.0.0.1:{running.port + number}", zmq.PULL) for number in range(N)]
    try:
        running.send(range(100))
        running.detectors[0].send_parts([b"no header", b""])
        running.send(range(110, 200))
        until(lambda: sum(len(consumer.ids) for consumer in consumers) >= 190, "all frames")
        assert sorted(consumers[0].ids + consumers[1].ids) == [*range(100), *range(110, 200)]
        assert all(len(consumer.ids) > 50 for consumer in consumers)
        running.received(190)
        until(lambda: running.value("source.missing") == 10, "what is missing")
        assert running.sums() == {
            "messages": 191,
            "received": 190,
            "malformed": 1,
            "missing": 10,
            "duplicates": 0,
            "late": 0,
            "resets": 0,
        }
        until(lambda: running.value("streams.live.sent") == 190, "the counters")
        assert running.value("streams.live.offered") == 190
        assert running.value("streams.live.clients") == N
    finally:
        for consumer in consumers:
            consumer.close()


def test_a_file_shows_the_images_of_all_receivers_in_order(running: Site) -> None:
    running.write(file_name="whole", num_images=60)
    handle = running.command("writers.main.start")
    running.send(range(100, 165))
    done = handle.wait(30)
    assert (done.ok, done.result) == (True, "completed")
    assert_shows(running.folder / "whole.h5", range(100, 160))
    assert running.value("writers.main.num_written") == 60
    assert running.value("writers.main.num_missing") == 0
    findings = verify(running.folder / "whole.h5")
    assert findings.complete, findings.problems
    assert len(findings.files) == 1 + N


@pytest.mark.parametrize("site", [1], indirect=True)
def test_every_control_system_starts_one_acquisition_and_reads_the_same_sums(
    running: Site, clients: dict[str, FrontEndClient]
) -> None:
    for number, (name, client) in enumerate(clients.items(), 1):
        client.write("writers.1.file_name", f"by_{name}")
        client.write("writers.1.num_images", 30)
        first = 100 * number
        detector = threading.Thread(target=running.send_at_open_gate, args=(range(first, first + 30),))
        detector.start()
        client.execute("writers.1.start")
        detector.join(30)
        assert_shows(running.folder / f"by_{name}.h5", range(first, first + 30))
        running.received(30 * number)
        expected = {
            "source.received": 30 * number,
            # From the images of one acquisition to those of the next.
            "source.missing": 70 * (number - 1),
            "source.receivers": N,
            "writers.1.num_written": 30,
            "writers.1.acq_result": "completed",
        }
        for other in clients.values():
            for key, value in expected.items():
                until(partial(_reads, other, key, value), f"{key} = {value} over {other.name}")


def _reads(client: FrontEndClient, key: str, value: object) -> bool:
    return client.read(key) == value


def test_a_late_start_takes_what_comes_to_all_receivers_from_then_on(running: Site) -> None:
    running.write(file_name="late", num_images=0, placement="by_id")
    running.send(range(40))
    running.received(40)
    running.command("writers.main.start")
    running.send(range(40, 80))
    until(lambda: running.value("writers.main.num_written") == 40, "the images")
    done = running.command("writers.main.stop").wait(30)
    assert done.result == "completed"
    assert_shows(running.folder / "late.h5", range(40, 80))
    running.write(placement="arrival")


def test_images_that_never_came_are_missing_once_and_blank_by_id(running: Site) -> None:
    running.write(file_name="gaps", num_images=50, placement="by_id")
    handle = running.command("writers.main.start")
    running.send(range(20))
    running.send(range(23, 55))
    assert handle.wait(30).ok
    with h5py.File(running.folder / "gaps.h5") as file:
        status = file["/detector/metadata"]["status"]
        assert np.flatnonzero(status).tolist() == [20, 21, 22]
        assert len(file["/entry/data/data"]) == 50
        assert file["/entry/acquisition/missing_ids"][()] == b"20-22"
        assert np.array_equal(file["/entry/data/data"][49], IMAGES(49))
        assert (file["/entry/data/data"][21] == np.iinfo(np.uint16).max).all()
    assert running.value("writers.main.num_missing") == 3
    assert running.value("writers.main.num_written") == 47
    running.write(placement="arrival")


def test_every_nth_image_into_the_file(running: Site) -> None:
    running.write(file_name="fifth", num_images=10, policy="send_every_nth", every_nth=5)
    handle = running.command("writers.main.start")
    running.send(range(3, 60))
    assert handle.wait(30).ok
    assert_shows(running.folder / "fifth.h5", range(5, 55, 5))
    running.write(policy="forward", every_nth=1)


def test_a_stop_of_the_repeater_ends_the_acquisition_of_all_receivers(running: Site) -> None:
    running.write(file_name="stopped", num_images=0)
    handle = running.command("writers.main.start")
    running.send(range(30))
    running.received(30)
    running.command("engine.stop").wait(30)
    assert handle.wait(30).result == "completed"
    assert_shows(running.folder / "stopped.h5", range(30))


def test_the_end_of_the_service_finishes_the_file_over_all(tmp_path: Path) -> None:
    with ExitStack() as stack:
        site = site_with(tmp_path, stack, 1)
        site.write(file_name="last", num_images=100)
        site.command("writers.main.start")
        site.send(range(30))
        until(lambda: site.value("writers.main.num_written") == 30, "the images")
    assert_shows(tmp_path / "last.h5", range(30))
    with h5py.File(tmp_path / "last.h5") as file:
        assert file["/entry/acquisition/outcome"][()] == b"interrupted"
        assert file["/entry/acquisition/written"][()] == 30


def test_an_abort_and_a_stop_without_images(running: Site) -> None:
    running.write(file_name="aborted", num_images=0)
    handle = running.command("writers.main.start")
    assert running.command("writers.main.abort").wait(30).result == "aborted"
    assert not handle.wait(30).ok
    running.write(file_name="empty")
    running.command("writers.main.start")
    assert running.command("writers.main.stop").wait(30).ok
    assert (running.folder / "empty.h5").exists()


def test_the_first_images_of_a_gate_with_a_number(running: Site) -> None:
    running.write(file_name="gate", num_images=0)
    handle = running.command("writers.main.start", 12)
    running.send(range(20))
    assert handle.wait(30).ok
    assert running.value("writers.main.gate") == "shut"
    with pytest.raises(Refused, match="open the gate once"):
        running.command("writers.main.start")
    assert running.command("writers.main.stop").wait(30).ok
    assert_shows(running.folder / "gate.h5", range(12))


def test_what_one_receiver_cannot_open_none_opens(site: Site) -> None:
    with zmq.Context() as context, context.socket(zmq.PUSH) as taken:
        taken.bind(f"tcp://127.0.0.1:{site.port + 1}")
        with pytest.raises(Refused, match=r"receiver 2: streams.live.address refused: cannot bind"):
            site.command("engine.start").wait(30)
        with context.socket(zmq.PUSH) as free:
            free.bind(f"tcp://127.0.0.1:{site.port}")
    assert site.value("engine.state") == "INITIALIZED" or site.value("engine.state") == "STOPPED"


@pytest.mark.parametrize("site", [1], indirect=True)
def test_each_receiver_runs_with_all_its_threads_on_its_cores(site: Site) -> None:
    there = sorted(os.sched_getaffinity(0))
    cores = [there[0], there[-1]]
    site.service.write({"source.receiver_cpus": ", ".join(map(str, cores))}, ME)
    site.command("engine.start").wait(30)
    try:
        until(lambda: site.value("source.receivers_now"), "the receivers")
        for receiver, core in enumerate(cores):
            threads = Path(f"/proc/{site.receiver_pid(receiver)}/task").iterdir()
            assert {frozenset(os.sched_getaffinity(int(thread.name))) for thread in threads} == {
                frozenset({core})
            }
    finally:
        site.command("engine.stop").wait(30)
        site.service.write({"source.receiver_cpus": "4095, 4095"}, ME)
    with pytest.raises(Refused, match=r"receiver 1: source.receiver_cpus refused: the data plane cannot run"):
        site.command("engine.start")
    site.service.write({"source.receiver_cpus": ""}, ME)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"source.connection": "bind", "source.receiver_addresses": ""}, "one process can bind"),
        ({"source.address": "ring://name"}, "is read by one process"),
        ({"source.receiver_addresses": "tcp://127.0.0.1:1"}, "names 1 addresses; name 2"),
        ({"source.receiver_cpus": "0"}, "names cores for 1 receivers"),
        ({"streams.live.address": "ring://name"}, "cannot be had once for each"),
    ],
)
def test_what_several_receivers_cannot_have_is_refused(
    site: Site, settings: dict[str, Any], complaint: str
) -> None:
    before = {key: site.value(key) for key in settings}
    site.service.write(settings, ME)
    try:
        with pytest.raises(Refused, match=complaint):
            site.command("engine.start")
    finally:
        site.service.write(before, ME)


def test_a_publisher_is_shared_by_id(tmp_path: Path) -> None:
    with ExitStack() as stack:
        site = site_with(tmp_path, stack, 1, kind=zmq.XPUB, mode="SUB")
        site.start()
        site.detectors[0].await_subscribers(N)
        consumers = [Consumer(f"tcp://127.0.0.1:{site.port + number}", zmq.PULL) for number in range(N)]
        for consumer in consumers:
            stack.callback(consumer.close)
        site.write(file_name="published", num_images=60)
        handle = site.command("writers.main.start")
        site.send_at_open_gate(range(10, 50))
        site.detectors[0].send_parts([b"no header", b""])
        site.send(range(55, 80))
        assert handle.wait(60).ok
        assert_shows(tmp_path / "published.h5", [*range(10, 50), *range(55, 70)])
        until(lambda: sum(len(consumer.ids) for consumer in consumers) == 65, "all frames")
        ids = [*range(10, 50), *range(55, 80)]
        assert [consumer.ids for consumer in consumers] == [[i for i in ids if i % N == k] for k in range(N)]
        expected = {"messages": 66, "received": 65, "malformed": 1, "missing": 5}
        until(
            lambda: site.sums() == dict.fromkeys(site.sums(), 0) | expected, f"{expected}, not {site.sums()}"
        )
        site.command("engine.stop").wait(60)


def test_several_cannot_be_kept_for_the_next_start(tmp_path: Path) -> None:
    configuration = Configuration.model_validate({"source": {"receivers": N}})
    options = ServiceOptions(
        "kept",
        roots=(tmp_path,),
        settings=tmp_path / "settings.json",
        configuration=configuration,
        plane_patience=60.0,
    )
    with closing(Service(options)) as service:
        service.start()
        with pytest.raises(Refused, match="2 receivers are asked for: with --keep-data-plane there is one"):
            service.execute("engine.start", None, ME)
        assert service.read("engine.state").value in ("INITIALIZED", "STOPPED")
        service.write({"source.receivers": 1}, ME)
        with suppress(Unanswered):
            service.execute("engine.start", None, ME)
        until(lambda: service.read("engine.state").value == "RUNNING", "the start with one")


class Pushing:
    """A detector that goes on sending in a thread: one connection, whoever takes frames gets them."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.sent = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(0.002):
            self._site.send(range(self.sent, self.sent + 1))
            self.sent += 1

    def stop(self) -> int:
        self._end.set()
        self._thread.join(30)
        return self.sent


@pytest.fixture
def faulty(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    with ExitStack() as stack:
        site = site_with(tmp_path, stack, N, receiver_loss=request.param)
        site.service.write({"streams.live.enable": False}, ME)
        site.start()
        yield site


def all_received(site: Site) -> None:
    """Wait until nothing comes any more: the last frames are still in sockets when they have been sent."""
    before = -1

    def is_quiet() -> bool:
        nonlocal before
        time.sleep(0.5)
        last, before = before, site.value("source.received")
        return last == before

    until(is_quiet, "the last frames")


@pytest.mark.parametrize("faulty", ["go_on"], indirect=True)
def test_others_go_on_when_a_receiver_is_killed_and_it_comes_back(faulty: Site) -> None:
    faulty.write(file_name="killed", num_images=0)
    handle = faulty.command("writers.main.start")
    detector = Pushing(faulty)
    until(lambda: faulty.value("writers.main.num_written") > 50, "some images")
    victim = faulty.receiver_pid(1)
    os.kill(victim, signal.SIGKILL)
    until(lambda: "receiver 2 died: killed by SIGKILL" in faulty.value("engine.last_error"), "the death")
    until((faulty.folder / "killed_part2.h5").exists, "another part")
    at_death = faulty.value("writers.main.num_written")
    until(lambda: faulty.value("writers.main.num_written") > at_death + 300, "more images")
    sent = detector.stop()
    all_received(faulty)
    assert faulty.value("engine.state") == "RUNNING"
    assert faulty.command("writers.main.stop").wait(30).result == "completed"
    assert "Receiver 2 died" in handle.wait(30).message
    with h5py.File(faulty.folder / "killed.h5") as file:
        ids = file["/detector/metadata"]["image_id"].tolist()
        assert ids == sorted(set(ids))
        for number in (0, len(ids) // 2, len(ids) - 1):
            assert np.array_equal(file["/entry/data/data"][number], IMAGES(ids[number]))
        facts = {
            name: file[f"/entry/acquisition/{name}"][()]
            for name in ("written", "received", "dropped", "skipped", "missing")
        }
    assert facts["written"] == len(ids) == faulty.value("writers.main.num_written")
    assert facts["skipped"] == 0, "a receiver that came back was not armed when it got frames"
    assert facts["received"] == facts["written"] + facts["dropped"] + facts["skipped"]
    # Each frame that was sent is in the file, or counted once as lost with its receiver.
    assert facts["written"] + facts["dropped"] + facts["missing"] == sent
    lost = partial(faulty.value, "source.missing")
    until(lambda: faulty.value("source.received") + lost() == sent, "every frame in the sums")


@pytest.mark.parametrize("faulty", ["fail"], indirect=True)
def test_the_acquisition_fails_with_a_receiver_where_that_is_wanted(faulty: Site) -> None:
    faulty.write(file_name="failed", num_images=0)
    handle = faulty.command("writers.main.start")
    faulty.send(range(40))
    until(lambda: faulty.value("writers.main.num_written") == 40, "the images")
    os.kill(faulty.receiver_pid(0), signal.SIGKILL)
    done = handle.wait(30)
    assert (done.ok, done.result) == (False, "failed")
    assert "receiver 1 died: killed by SIGKILL" in done.message
    assert_shows(faulty.folder / "failed.h5", range(40))
    assert faulty.value("engine.state") == "RUNNING"
    faulty.write(file_name="next", num_images=20)
    until(lambda: faulty.value("source.connected"), "the receiver again")
    handle = faulty.command("writers.main.start")
    faulty.send(range(100, 125))
    assert handle.wait(30).ok
    assert_shows(faulty.folder / "next.h5", range(100, 120))


@pytest.mark.parametrize("faulty", ["go_on"], indirect=True)
def test_the_death_of_all_receivers_is_that_of_the_data_plane(faulty: Site) -> None:
    faulty.write(file_name="all", num_images=0)
    handle = faulty.command("writers.main.start")
    faulty.send(range(20))
    until(lambda: faulty.value("writers.main.num_written") == 20, "the images")
    victims = [faulty.receiver_pid(receiver) for receiver in range(N)]
    for word in (signal.SIGSTOP, signal.SIGKILL):
        for victim in victims:
            os.kill(victim, word)
    until(lambda: faulty.value("engine.state") == "ERROR", "the end")
    assert handle.wait(30).result == "failed"
    with suppress(Unanswered):
        faulty.command("engine.initialize").wait(30)
    faulty.start()
    faulty.write(file_name="after", num_images=10)
    handle = faulty.command("writers.main.start")
    faulty.send(range(10))
    assert handle.wait(30).ok
    assert_shows(faulty.folder / "after.h5", range(10))
