"""A camera server and a pipeline server over instances without processes, whose cameras send all the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import zmq

from repstream.instances import registry
from repstream.instances.saved.backgrounds import Backgrounds
from repstream.messages import bsread
from repstream.pipelines.control import Report, Statistics
from repstream_http.compat.cam_server import camera, pipeline
from repstream_http.compat.cam_server.build import Settings, camera_server, pipeline_server
from repstream_http.server import HttpServer
from tests.engine.instances.fakes import FakeLauncher, FakeRunning
from tests.ports import free_ports

IMAGE = np.arange(12, dtype=np.uint16).reshape(3, 4)
MOST_INSTANCES = 50
CHANNELS = [bsread.describe("image", IMAGE)]


class Sender:
    """A thread that publishes `IMAGE` on a port, its first pixel counting, until it is stopped.

    Raises `zmq.ZMQError` where the port is taken.
    """

    def __init__(self, port: int) -> None:
        self._context, self._stop = zmq.Context(), threading.Event()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.linger = 0
        try:
            self._socket.bind(f"tcp://127.0.0.1:{port}")
        except zmq.ZMQError:
            self._close()
            raise
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(0.01):
            image = IMAGE.copy()
            image[0, 0] = number % 2 * 20
            self._socket.send_multipart(bsread.encode(number, CHANNELS, [image]))
            number += 1

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._close()

    def _close(self) -> None:
        self._socket.close()
        self._context.term()


class SendingLauncher(FakeLauncher):
    """Cameras send images unless their names begin with "dark"; "blocked" takes until `unblock` to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.unblock = threading.Event()

    def launch(self, specification, on_notice, on_end):
        name, kind = specification.name, specification.kind
        sender = None
        if kind == "camera" and not name.startswith("dark"):
            try:
                sender = Sender(specification.port)
            except zmq.ZMQError:  # by another program meanwhile
                self.taken.add(specification.port)

        def ended(exit_code: int | None) -> None:
            if sender is not None:
                sender.stop()
            on_end(exit_code)

        running: FakeRunning = super().launch(specification, on_notice, ended)
        if sender is not None:
            shape = (4, 3, 2)
            figures = Statistics(clients=1, rx_rate=11.58, rx_count=20, frame_shape=shape, process_id=4711)
            on_notice(Report(figures, camera_geometry=(4, 3)))
        elif kind == "camera":
            on_notice(Report(Statistics(), message="nobody answers"))
        if name == "blocked":
            running.send = lambda request: None
            running.stop = lambda patience: self.unblock.wait(30) and running.end(-9)
        return running


class Site:
    """Both servers of one site and clients of them; `folder` has the original's folders."""

    FOLDERS = ("camera_config", "pipeline_config", "background_config", "user_scripts")

    def __init__(self, folder: Path, managers: bool = False) -> None:
        self.folder = folder
        self.managers = managers
        for name in self.FOLDERS:
            (folder / name).mkdir()
        self.launcher = SendingLauncher()
        self.ended = threading.Event()
        self.backgrounds = Backgrounds(folder / "background_config")

    def clear(self) -> None:
        """As new: nothing runs, nothing is saved."""
        self.launcher.unblock.set()
        for instances in (self.cameras.instances, self.pipelines.instances):
            for name in list(self.launcher.processes):
                instances.forget(name)
        self.launcher.unblock.clear()
        self.launcher.processes.clear()
        self.launcher.dying.clear()
        self.ended.clear()
        for path in self.folder.rglob("*"):
            if path.is_file():
                path.unlink()

    def settings(self, kind: str, end: Callable[[], None] | None) -> Settings:
        return Settings(
            self.folder / f"{kind}_config",
            self.folder / "background_config",
            self.folder / "user_scripts",
            self.folder,
            allow_scripts=True,
            manager=f"http://manager-of-{kind}s" if self.managers else "",
            end=end,
        )

    @contextmanager
    def served(self) -> Iterator[Site]:
        with ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            for ports in ("CAMERA_PORTS", "PIPELINE_PORTS"):
                patch.setattr(registry, ports, free_ports(MOST_INSTANCES))
            camera_app, self.cameras = stack.enter_context(
                camera_server(self.settings("camera", self.ended.set), self.launcher)
            )
            pipeline_app, self.pipelines = stack.enter_context(
                pipeline_server(self.settings("pipeline", None), self.launcher, self.cameras)
            )
            stack.callback(self.launcher.unblock.set)
            self.apps = (camera_app, pipeline_app)
            self.client = stack.enter_context(httpx.Client(timeout=60))
            servers = [stack.enter_context(HttpServer(app, port=0)) for app in self.apps]
            self.camera_url, self.pipeline_url = (server.url for server in servers)
            self.cam, self.pipe = (
                stack.enter_context(httpx.Client(base_url=url, timeout=30))
                for url in (self.camera_url + camera.PREFIX, self.pipeline_url + pipeline.PREFIX)
            )
            yield self


def ok(response: httpx.Response) -> dict:
    """The answer to a request that was taken."""
    answer = response.json()
    assert response.status_code == 200 and answer["state"] == "ok", answer
    assert isinstance(answer["status"], str) and answer["status"]
    return answer


def error(response: httpx.Response) -> str:
    """The reason of a refusal, which has HTTP status 200 all the same."""
    answer = response.json()
    assert response.status_code == 200 and answer["state"] == "error", answer
    assert set(answer) == {"state", "status"}
    return answer["status"]
