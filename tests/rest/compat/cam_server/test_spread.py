"""Cameras and pipelines of a manager on other servers, one of which may be gone, or silent."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from repstream.errors import EngineUnreachable, InstanceRuns, Refused, UnknownInstance
from repstream.instances.description import Folders, Kind
from repstream.instances.registry import Instances
from repstream.instances.saved.backgrounds import EARLIER, Backgrounds
from repstream.instances.spread.registry import Spread
from repstream.instances.spread.servers import Server, ServersFile
from repstream_http.compat.cam_server.build import Settings, camera_server, pipeline_server
from repstream_http.server import HttpServer
from tests.engine.instances.fakes import FakeLauncher
from tests.ports import free_port
from tests.waiting import until

CAMERA = {"source": "", "source_type": "simulation"}
PIPELINE = {"camera_name": "c"}
HERE = "http://manager:8888"
IMAGE = np.arange(12, dtype=np.uint16).reshape(3, 4)
NOW = datetime(2026, 1, 2, 3, 4, 5)
PATIENCE = 2.0


class Streams:
    """Cameras that are always there, for pipelines."""

    def names(self) -> list[str]:
        return ["c"]

    def stream(self, name: str) -> str:
        return "tcp://127.0.0.1:1"


class Worker:
    """A server of instances without processes, which can go away, be silent, and come back."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self._folder, self._kind = folder, kind
        folder.mkdir()
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.launcher = FakeLauncher()
        self._stack = ExitStack()
        self._mute: socket.socket | None = None
        self.start()

    def start(self) -> None:
        folder = self._folder
        settings = Settings(folder, folder, folder, folder)
        if self._kind == "camera":
            app, self.saved = self._stack.enter_context(camera_server(settings, self.launcher))
        else:
            app, self.saved = self._stack.enter_context(pipeline_server(settings, self.launcher, Streams()))
        self.app = app
        self.answer()

    def answer(self) -> None:
        self._server = HttpServer(self.app, port=self.port)
        self._server.__enter__()

    def leave(self) -> None:
        """Refuse connections from now on; its instances go on."""
        self._server.__exit__(None, None, None)

    def be_silent(self) -> None:
        """Take connections and never answer; its instances go on."""
        self.leave()
        self._mute = socket.create_server(("127.0.0.1", self.port))

    def speak(self) -> None:
        """Answer again."""
        if self._mute is not None:
            self._mute.close()
        self.answer()

    def running(self) -> list[str]:
        return [info.name for info in self.saved.instances.running()]

    def close(self) -> None:
        if self._mute is not None:
            self._mute.close()
        self.leave()
        self._stack.close()


class Rig:
    """Two workers, and what spreads instances over them."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.kind: Kind = kind
        self.folder = folder
        self.workers = [Worker(folder / name, kind) for name in "ab"]
        self.file = ServersFile(folder / "servers.json", {w.address: Server() for w in self.workers})
        self.spread = self.manager()

    def manager(self) -> Spread:
        own = Instances(self.kind, FakeLauncher(), folders=Folders(), ports=[free_port()])
        return Spread(own, HERE, self.file, find_stream=self.find, patience=PATIENCE)

    def find(self, kind: Kind, name: str) -> str:
        return "" if kind == "camera" else self.spread.ensure(name, PIPELINE).stream_address

    def at(self) -> list[list[str]]:
        return [worker.running() for worker in self.workers]

    def close(self) -> None:
        self.spread.close()
        for worker in self.workers:
            worker.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with closing(Rig(tmp_path, "camera")) as found:
        yield found


@pytest.fixture
def pipelines(tmp_path: Path) -> Iterator[Rig]:
    with closing(Rig(tmp_path, "pipeline")) as found:
        yield found


def test_they_are_shared_out_and_stay_where_they_run(rig: Rig) -> None:
    for name in "wxyz":
        assert rig.spread.ensure(name, CAMERA).stream_address.startswith("tcp://127.0.0.1:")
    assert sorted(map(len, rig.at())) == [2, 2]
    before = rig.at()
    rig.spread.stop(before[0][0])
    rig.spread.stop(before[0][1])
    assert [info.name for info in rig.spread.running()] == before[1]
    for name in before[1]:
        assert rig.spread.ensure(name, CAMERA).name == name
    assert rig.at() == [[], before[1]]
    with closing(rig.manager()) as another:  # which knows of nothing but what the servers say
        assert [info.name for info in another.running()] == before[1]
        assert another.ensure(before[1][0], CAMERA).name == before[1][0]
    assert rig.at() == [[], before[1]]


def test_at_once_they_are_shared_out_too_and_each_runs_once(rig: Rig) -> None:
    threads = [threading.Thread(target=rig.spread.ensure, args=(f"c{n % 6}", CAMERA)) for n in range(18)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    a, b = rig.at()
    assert sorted(a + b) == [f"c{n}" for n in range(6)] and abs(len(a) - len(b)) <= 1


def test_what_is_asked_of_one_goes_to_its_server(rig: Rig) -> None:
    rig.spread.ensure("x", CAMERA)
    (worker,) = [each for each in rig.workers if each.running()]
    assert rig.spread.where("x") == worker.address
    assert rig.spread.reconfigure("x", {"rotate": 1})["rotate"] == 1
    assert worker.launcher.processes["x"].configuration["rotate"] == 1
    assert rig.spread.get("x").config["rotate"] == 1
    worker.launcher.processes["x"].refusal = "it does not like that"
    with pytest.raises(Refused, match="does not like"):
        rig.spread.reconfigure("x", {"rotate": 2})
    with pytest.raises(InstanceRuns):
        rig.spread.start("x", CAMERA)
    assert rig.spread.logs("x") == []
    worker.launcher.processes["x"].end(1, "the camera broke")
    until(lambda: rig.spread.running() == [], "its end")
    with pytest.raises(UnknownInstance):
        rig.spread.get("x")
    until(lambda: "the camera broke" in rig.spread.message("x"), "the reason")
    rig.spread.forget("x")
    with pytest.raises(UnknownInstance):
        rig.spread.logs("x")


def test_one_that_does_not_start_says_why(rig: Rig) -> None:
    for worker in rig.workers:
        worker.launcher.dying["x"] = ("no such camera",)
    with pytest.raises(Exception, match="no such camera"):
        rig.spread.ensure("x", CAMERA)
    with pytest.raises(Refused):
        rig.spread.ensure("y", {"source_type": "nothing"})
    assert rig.at() == [[], []]


def test_changes_are_announced(rig: Rig) -> None:
    called = threading.Event()
    leave = rig.spread.follow("x", called.set)
    rig.spread.ensure("x", CAMERA)
    assert called.wait(5)
    leave()
    called.clear()
    rig.spread.stop("x")
    assert not called.is_set()


@pytest.mark.parametrize("how", ["leave", "be_silent"])
def test_a_server_that_is_gone_gets_nothing_new_and_holds_up_nobody(rig: Rig, how: str) -> None:
    for name in "wxyz":
        rig.spread.ensure(name, CAMERA)
    gone, left = rig.workers
    lost = gone.running()
    getattr(gone, how)()
    until(lambda: rig.spread.servers()[gone.address].problem, "the loss to be seen")
    look = rig.spread.servers()[gone.address]
    assert "does not answer" in look.problem and look.since > 0
    with pytest.raises(UnknownInstance, match="does not answer"):
        rig.spread.get(lost[0])
    assert gone.address in rig.spread.message(lost[0])

    begin = time.monotonic()
    for n in range(5):
        rig.spread.ensure(f"new{n}", CAMERA)
    assert len(rig.spread.running()) == 7
    assert time.monotonic() - begin < 5 * PATIENCE * 5  # each would wait, and all the others behind it
    assert all(f"new{n}" in left.running() for n in range(5))

    rig.spread.ensure(lost[0], CAMERA)  # on request, elsewhere
    assert lost[0] in left.running()
    with pytest.raises(EngineUnreachable, match="may go on"):
        rig.spread.stop(lost[1])

    getattr(gone, "answer" if how == "leave" else "speak")()
    until(lambda: not rig.spread.servers()[gone.address].problem, "it to be there again")
    until(lambda: gone.running() == [], "what runs elsewhere, or was stopped, to end there")
    assert lost[0] in left.running()
    rig.spread.ensure("newest", CAMERA)
    assert gone.running() == ["newest"]


def test_what_nobody_asked_for_meanwhile_is_there_again_with_its_server(rig: Rig) -> None:
    for name in "wxyz":
        rig.spread.ensure(name, CAMERA)
    before = rig.at()
    rig.workers[0].be_silent()
    until(lambda: rig.spread.servers()[rig.workers[0].address].problem, "the loss to be seen")
    rig.workers[0].speak()
    until(lambda: len(rig.spread.running()) == 4, "all to be there again")
    assert rig.at() == before


def test_without_any_server_it_is_refused_with_the_reasons(rig: Rig) -> None:
    for worker in rig.workers:
        worker.leave()
    until(lambda: all(look.problem for look in rig.spread.servers().values()), "the loss to be seen")
    with pytest.raises(Refused, match=r"no server can take it: .*does not answer.*does not answer"):
        rig.spread.ensure("x", CAMERA)
    for worker in rig.workers:
        worker.answer()


def test_the_file_counts_at_once(rig: Rig) -> None:
    a, b = (worker.address for worker in rig.workers)
    rig.file.write({a: {"expanding": False, "instances": ["mine:10123"]}, b: {}})
    for name in "xyz":
        rig.spread.ensure(name, CAMERA)
    rig.spread.ensure("mine", CAMERA)
    assert rig.at() == [["mine"], ["x", "y", "z"]]
    assert rig.spread.get("mine").stream_address.endswith(":10123")
    rig.file.write({b: {}})
    assert list(rig.spread.servers()) == [b]
    assert [info.name for info in rig.spread.running()] == ["x", "y", "z"]
    rig.file.write({HERE: {}, a: {"enabled": False}})
    rig.spread.ensure("here", CAMERA)
    assert rig.spread.where("here") == HERE and rig.at()[0] == ["mine"]


def test_a_file_that_is_wrong_changes_nothing(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.spread.ensure("x", CAMERA)
    (rig.folder / "servers.json").write_text("no JSON")
    until(lambda: "the servers stay as they are" in caplog.text or not rig.spread.running(), "the complaint")
    assert [info.name for info in rig.spread.running()] == ["x"]
    with pytest.raises(Refused):
        rig.manager()


def test_a_manager_is_no_server_of_another(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    folder = tmp_path / "m"
    settings = Settings(folder, folder, folder, folder, manager=HERE)
    with camera_server(settings, FakeLauncher()) as (app, _), HttpServer(app, port=0) as server:
        rig.file.write({server.url: {}})
        until(lambda: "is a manager" in rig.spread.servers()[server.url].problem, "the refusal")
        with pytest.raises(Refused, match="is a manager"):
            rig.spread.ensure("x", CAMERA)


def test_pipelines(pipelines: Rig) -> None:
    spread = pipelines.spread
    for name in "xy":
        spread.start(name, PIPELINE)
    assert sorted(map(len, pipelines.at())) == [1, 1]
    assert spread.reconfigure("x", {"image_threshold": 7})["image_threshold"] == 7
    first = spread.share(PIPELINE)
    assert first.read_only and spread.share(PIPELINE).name == first.name
    assert spread.share({**PIPELINE, "image_threshold": 1}).name != first.name
    with pytest.raises(Refused, match="shared"):
        spread.reconfigure(first.name, {"image_threshold": 2})
    spread.stop("x")
    assert spread.exit_code("x") == 0 and spread.exit_code("y") is None
    spread.stop_all()
    assert pipelines.at() == [[], []]


def test_a_pipeline_runs_beside_the_one_that_it_is_connected_to(pipelines: Rig) -> None:
    a, b = (worker.address for worker in pipelines.workers)
    pipelines.file.write({a: {"expanding": False, "instances": ["source"]}, b: {}})
    pipelines.spread.start("p", {"pipeline_type": "processing", "input_pipeline": "source"})
    assert pipelines.at() == [["p", "source"], []]
    pipelines.spread.start("q", PIPELINE)
    with pytest.raises(Refused, match="different servers"):
        pipelines.spread.start("r", {**PIPELINE, "input_pipeline": "source", "output_pipeline": "q"})


def test_a_background_is_given_to_the_server_that_subtracts_it(pipelines: Rig, tmp_path: Path) -> None:
    folder = tmp_path / "manager"
    folder.mkdir()
    addresses = tuple(worker.address for worker in pipelines.workers)
    settings = Settings(folder, folder, folder, folder, manager=HERE, servers=addresses)
    with pipeline_server(settings, FakeLauncher(), Streams()) as (_, saved):
        saved.backgrounds.put("dark", IMAGE, NOW)
        saved.create(None, {**PIPELINE, "image_background": "dark", "image_background_enable": True}, "x")
        (worker,) = [each for each in pipelines.workers if each.running()]
        there = worker.saved.backgrounds
        np.testing.assert_array_equal(there.load("dark"), IMAGE)
        saved.backgrounds.put("dark", IMAGE + 1, NOW)
        for _ in range(2):
            saved.update("x", {"image_background": "dark"})
            np.testing.assert_array_equal(there.load("dark"), IMAGE + 1)
        assert len(list((there.folder / EARLIER).iterdir())) == 1
        latest = saved.backgrounds.collected("c", IMAGE + 2, NOW)
        saved.update("x", {"image_background_enable": False, "image_background": None})
        assert saved.update("x", {"image_background_enable": True})["image_background"] == latest
        np.testing.assert_array_equal(there.load(latest), IMAGE + 2)


def test_cameras_get_their_backgrounds_too(rig: Rig, tmp_path: Path) -> None:
    folder = tmp_path / "manager"
    folder.mkdir()
    servers = (rig.workers[0].address,)
    settings = Settings(folder, folder, folder, folder, manager=HERE, servers=servers)
    with camera_server(settings, FakeLauncher()) as (_, saved):
        Backgrounds(folder).put("dark", IMAGE, NOW)
        saved.configure("c", {**CAMERA, "image_background": "dark"})
        saved.start("c")
        np.testing.assert_array_equal(Backgrounds(tmp_path / "a").load("dark"), IMAGE)


def test_the_file_is_as_it_was_given(rig: Rig) -> None:
    rig.file.write({rig.workers[0].address: {"enabled": True, "note": "theirs"}})
    assert json.loads((rig.folder / "servers.json").read_text())[rig.workers[0].address]["note"] == "theirs"
