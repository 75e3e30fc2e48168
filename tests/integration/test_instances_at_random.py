"""Cameras and pipelines started, shared, changed, expired, stopped and killed at random: nothing is left.

No process, no port, no descriptor, no file that is not whole.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

import h5py
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from repstream.errors import InstanceEnded, InstanceRuns, Refused, UnknownInstance
from repstream.instances.description import Folders
from repstream.instances.local import LocalLauncher
from repstream.instances.registry import Instances
from tests.integration.test_instances import is_free, is_gone
from tests.ports import free_port
from tests.waiting import until

CAMERA = {"source": "s", "source_type": "simulation", "size_x": 16, "size_y": 12, "frame_rate": 20}
NAMES = st.sampled_from(["a", "b", "c/..", "🙂"])


class Life(RuleBasedStateMachine):
    """Whatever is done, each name that runs has a process and an address, and what ended has neither."""

    launcher: LocalLauncher
    ports: list[int]
    folder: Path
    files = 0

    def __init__(self):
        super().__init__()
        self.descriptors = descriptors()
        self.cameras = Instances("camera", self.launcher, ports=self.ports[:20])
        self.pipelines = Instances(
            "pipeline",
            self.launcher,
            ports=self.ports[20:],
            folders=Folders(data=self.folder),
            find_stream=lambda kind, name: self.cameras.ensure(name, CAMERA).stream_address,
        )
        self.seen = {}

    @rule(name=NAMES)
    def ask_for_a_camera(self, name):
        self._note(self.cameras.ensure(name, CAMERA))

    @rule(name=NAMES, timeout=st.sampled_from([0.5, 10]))
    def start_a_pipeline(self, name, timeout):
        runs = name in self._names(self.pipelines)
        try:
            self._note(self.pipelines.start(name, {"camera_name": name, "no_client_timeout": timeout}))
        except InstanceRuns:
            assert runs

    @rule(camera=NAMES, records=st.integers(1, 3))
    def write_a_file(self, camera, records):
        Life.files += 1
        configuration = {
            "camera_name": camera,
            "mode": "FILE",
            "file": f"{self.files}.h5",
            "records": records,
        }
        # It may have ended before this is asked.
        with suppress(InstanceEnded):
            self._note(self.pipelines.start(f"file {self.files}", configuration))

    @rule(camera=NAMES)
    def share_a_pipeline(self, camera):
        first = self.pipelines.share({"camera_name": camera})
        assert first.read_only
        self._note(first)

    @rule(name=NAMES, mirrored=st.booleans())
    def change_a_camera(self, name, mirrored):
        with suppress(UnknownInstance, InstanceEnded):
            assert self.cameras.reconfigure(name, {"mirror_x": mirrored})["mirror_x"] is mirrored

    @rule(name=NAMES)
    def refuse_a_change(self, name):
        with pytest.raises(Refused):
            self.cameras.reconfigure(name, {"binning_x": 0})

    @rule(name=NAMES)
    def stop_a_camera(self, name):
        self.cameras.stop(name)
        assert name not in self._names(self.cameras)

    @rule(name=NAMES)
    def forget_a_pipeline(self, name):
        self.pipelines.forget(name)
        with pytest.raises(UnknownInstance):
            self.pipelines.exit_code(name)

    @rule(number=st.integers(0, 30))
    def kill_one(self, number):
        if not (running := [*self.cameras.running(), *self.pipelines.running()]):
            return
        victim = running[number % len(running)]
        registry = self.cameras if victim.kind == "camera" else self.pipelines
        process_id = self.seen[victim.stream_address, victim.started]
        with suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)
        until(lambda: victim.name not in self._names(registry) and is_gone(process_id), "the end")

    def teardown(self):
        self.pipelines.close()
        self.cameras.close()
        for (address, _), process_id in self.seen.items():
            until(lambda pid=process_id: is_gone(pid), f"the end of {process_id}")
            assert is_free(address)
        assert not self.cameras.running() and not self.pipelines.running()
        until(lambda: descriptors() <= self.descriptors, "the end of what was open")
        for path in self.folder.iterdir():
            with h5py.File(path) as file:
                assert len(file["/header1/pulse_id"]) <= 3, path

    def _names(self, registry):
        return [info.name for info in registry.running()]

    def _note(self, info):
        assert info.is_stream_active
        registry = self.cameras if info.kind == "camera" else self.pipelines
        with suppress(KeyError):
            self.seen[info.stream_address, info.started] = registry._lives[info.name]._process.process_id
        for camera in self.cameras.running():
            self.seen[camera.stream_address, camera.started] = self.cameras._lives[
                camera.name
            ]._process.process_id


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def launcher(tmp_path):
    launcher = LocalLauncher("127.0.0.1")
    assert launcher.wait_until_warm(60)
    Life.folder = tmp_path
    Life.launcher = launcher
    Life.ports = [free_port() for _ in range(80)]
    yield launcher
    launcher.close()


def test_nothing_is_left_a_little(launcher):
    _run(examples=3, steps=10)


@pytest.mark.soak
def test_nothing_is_left(launcher):
    _run(examples=50, steps=30)


def _run(examples, steps):
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
