"""A host is cut off in the middle of a write and comes back: losses are counted, nothing is there twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

from repstream.cluster.acquisition import Acquisition, Request
from repstream.cluster.cluster import Cluster
from repstream.cluster.member import Look, Progress
from repstream.errors import Unanswered
from repstream.files.host_files import Joined
from repstream.files.verify import verify
from repstream.link.remote import RemoteEngine
from repstream.parameters.configuration import Configuration
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from tests.integration.rig import IMAGES, SHAPE, Detector, assert_holds, until
from tests.networks import Namespace, Network, Proxies, can_have_namespaces, network

ME = Requester("test")
HOSTS = ("north", "south")
IMAGES_SENT = 480
"""Of 48 kB each: what is sent while north is cut off is more than a socket holds for it."""

QUIET = ("--no-tango", "--no-epics", "--no-http")
BLANK = np.iinfo(np.uint16).max

NAMESPACES = pytest.mark.skipif(not can_have_namespaces(), reason="network namespaces need root")
KINDS = [pytest.param(Namespace, marks=NAMESPACES), Proxies]


class Engine:
    """An engine in a process of its own; `network` is between it and this one."""

    def __init__(self, stack: ExitStack, between: Network, *options: object) -> None:
        inside, self.address = between.there()
        words = [sys.executable, "-m", "repstream_cli", "serve", "--engine-address", inside, *QUIET, *options]
        line = [*between.prefix, *map(str, words)]
        self.process = subprocess.Popen(line)
        stack.callback(self._end)
        self.remote = stack.enter_context(closing(RemoteEngine(self.address)))

    def value(self, key: str) -> object:
        return self.remote.read(key).value

    def _end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def settings(folder: Path, name: str, address: str, **writer: object) -> Path:
    """A file that has an engine receive from `address` and write to `folder`."""
    path = folder / f"{name}.json"
    source = {"id_step": writer.pop("id_step", 1), **({"address": address} if address else {})}
    writers = {"main": {"folder": str(folder), "overwrite": True, **writer}}
    path.write_text(json.dumps({"schema_version": 1, "source": source, "writers": writers}))
    return path


@dataclass
class Site:
    folder: Path
    detector: Detector
    between: Namespace | Proxies
    cluster: Cluster
    repeater: Service

    def stream(self, name: str, field: str) -> int:
        """A count of the stream to a host."""
        slot = HOSTS.index(name) + 1
        return int(str(self.repeater.read(f"streams.{slot}.{field}").value))

    def look(self, name: str) -> Look:
        return next(look for look in self.cluster.look() if look.name == name)

    def is_reachable(self, name: str) -> bool:
        return self.look(name).reachable


@pytest.fixture(params=KINDS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """North is behind a network of its own; south and the repeater are not."""
    with ExitStack() as stack:
        between = stack.enter_context(network(request.param))
        detector = Detector()
        stack.callback(detector.close)
        networks = {"north": between, "south": stack.enter_context(network(Proxies))}
        ways = {name: of.here() for name, of in networks.items()}
        share = {"policy": "send_every_nth", "every_nth": len(HOSTS), "buffer_size": 10}
        streams = {
            name: {"address": bound, "every_nth_offset": place, **share}
            for place, (name, (bound, _)) in enumerate(ways.items())
        }
        configuration = {"source": {"address": detector.address}, "streams": streams}
        options = ServiceOptions("rep", configuration=Configuration.model_validate(configuration))
        repeater = stack.enter_context(closing(Service(options)))
        repeater.start()
        with suppress(Unanswered):  # on a busy machine; it goes on
            repeater.execute("engine.start", None, ME)
        until(lambda: repeater.read("engine.state").value == "RUNNING", "the repeater", 120)
        engines = {}
        for name, of in networks.items():
            file = settings(tmp_path, name, ways[name][1], id_step=len(HOSTS))
            engines[name] = Engine(stack, of, "--name", name, "--root", tmp_path, "--config", file, "--start")
        cluster = stack.enter_context(Cluster({name: each.address for name, each in engines.items()}))
        until(lambda: all(look.engine.state == "RUNNING" for look in cluster.look()), "the engines", 120)
        yield Site(tmp_path, detector, between, cluster, repeater)
        between.heal()


def written(going: Acquisition) -> int:
    return sum(each.written for each in going.progress(60))


def check(made: Joined, ended: Sequence[Progress], request: Request) -> None:
    """Each image is there once and whole, or named as missing; each file opens and says the same."""
    lost = {i for first, last in made.missing_ids for i in range(first, last + 1)}
    assert made.written + len(lost) == request.images == made.count
    with h5py.File(request.file) as file:
        images, status = file["entry/data/data"], file["interleaved_metadata"]["status"]
        for i in range(request.images):
            # 1: its host's file has no image there, 2: nor a place.
            expected = IMAGES(i) if i not in lost else np.full(SHAPE, {1: 0, 2: BLANK}[status[i]])
            assert np.array_equal(images[i], expected), i
    there: Counter[int] = Counter()
    for each in ended:
        path = request.file_of(each.host)
        assert not verify(path).damaged
        with h5py.File(path) as file:
            rows = file["detector/metadata"][:]
        there.update(rows["image_id"][rows["status"] == 0].tolist())
    assert there == Counter(set(range(request.images)) - lost)
    assert not verify(request.file).damaged


def test_a_host_is_cut_off_in_the_middle_of_a_write_and_back(site: Site) -> None:
    request = Request(site.folder / "scan.h5", IMAGES_SENT)
    if isinstance(site.between, Namespace):
        site.between.lose(0.02)
    going = site.cluster.begin(request)
    site.detector.send(range(20))
    until(lambda: written(going) == 20, "the first images")
    site.between.cut()
    for first in range(20, IMAGES_SENT - 20, 20):
        site.detector.send(range(first, first + 20))
        share = (first + 20) // len(HOSTS)
        until(lambda share=share: site.stream("south", "sent") == share, "room for south")
    until(lambda: not site.is_reachable("north"), "the loss of north")
    until(lambda: written(going) >= IMAGES_SENT // 2, "the images of south")
    site.between.heal()
    until(lambda: site.is_reachable("north"), "north", 60)
    until(lambda: not site.stream("north", "queued"), "what waits for north", 60)
    site.detector.send(range(IMAGES_SENT - 20, IMAGES_SENT))
    until(lambda: site.look("north").source.last_frame_id == IMAGES_SENT - 2, "the last image")
    going.stop()  # north waits for what was lost
    ended = going.wait(60, patience=60)
    assert [each.result for each in ended if each.host == "south"] == ["completed"]
    made = going.join(ended)
    check(made, ended, request)
    dropped = site.stream("north", "dropped")
    assert dropped == sum(last - first + 1 for first, last in made.missing_ids)
    if isinstance(site.between, Namespace):
        assert dropped  # the queue and the kernel's buffers hold less


@pytest.fixture
def between() -> Iterator[Namespace | Proxies]:
    with network(Namespace if can_have_namespaces() else Proxies) as found:
        yield found


def test_who_was_cut_off_and_replaced_writes_on_nowhere(tmp_path: Path, between: Namespace | Proxies) -> None:
    """The file system gave up the lock of the host that it could not reach, as one of several hosts does."""
    with ExitStack() as stack:
        here = stack.enter_context(network(Proxies))
        detectors = Detector(host=between.host), Detector()
        for detector in detectors:
            stack.callback(detector.close)
        held = tmp_path / "settings.json"
        first = settings(tmp_path, "first", "", file_name="scan", images_per_file=4)

        def start(number: int, of: Network) -> Engine:
            options = ("--name", "e", "--root", tmp_path, "--settings", held, "--config", first)
            found = Engine(stack, of, *options)
            found.remote.wait_connected(120)
            source = of.reach(int(detectors[number].address.rpartition(":")[2]))
            found.remote.write({"source.address": source, "writers.main.num_images": 20}, ME)
            with suppress(Unanswered):  # on a busy machine; it goes on
                found.remote.execute("engine.start", None, ME)
            until(lambda: found.value("engine.state") == "RUNNING", "the engine", 120)
            return found

        old = start(0, between)
        begun = old.remote.execute("writers.main.start", None, ME)
        detectors[0].send(range(6))
        until(lambda: old.value("writers.main.num_written") == 6, "the first images")
        between.cut()
        until(lambda: not old.remote.connected, "the loss")
        lock = tmp_path / ".settings.json.lock"
        shutil.copy(lock, tmp_path / "given-up")
        (tmp_path / "given-up").replace(lock)

        new = start(1, here)
        assert (old.value("engine.starts"), new.value("engine.starts")) == (None, 2)
        handle = new.remote.execute("writers.main.start", None, ME)
        detectors[1].send(range(20))
        assert handle.wait(30).ok
        path = Path(str(new.value("writers.main.full_file_name")))
        files = {each: each.read_bytes() for each in tmp_path.glob(f"{path.stem}*")}
        assert len(files) == 6

        between.heal()
        until(lambda: old.remote.connected, "it to be back", 60)
        detectors[0].send(range(6, 20))
        until(lambda: old.value("writers.main.acq_state") == "FAILED", "its end")
        assert "this is its start 1, that one is 2" in str(old.value("writers.main.acq_message"))
        assert not begun.wait(30).ok
        refused = old.remote.execute("writers.main.start", None, ME)
        assert not refused.wait(30).ok
        assert {each: each.read_bytes() for each in tmp_path.glob(f"{path.stem}*")} == files
        assert_holds(path, range(20))
