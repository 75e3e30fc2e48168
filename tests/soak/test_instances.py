"""Fifty cameras and pipelines at 1 Hz on one machine: what they take, and that nothing is lost."""

import os
import time

import pytest
import zmq

from repstream.instances.local import LocalLauncher
from repstream.instances.registry import Instances
from tests.waiting import until

NUMBER = 25
SECONDS = 60 * float(os.environ.get("REPSTREAM_SOAK_MINUTES", "0.33"))
CAMERA = {"source": "s", "source_type": "simulation", "size_x": 640, "size_y": 480, "frame_rate": 1}
MIB = 2**20


@pytest.mark.soak
@pytest.mark.timeout(0)  # as long as is asked for
def test_fifty_instances_take_little_and_lose_nothing():
    launcher = LocalLauncher("127.0.0.1")
    cameras = Instances("camera", launcher)
    pipelines = Instances(
        "pipeline", launcher, find_stream=lambda kind, name: cameras.ensure(name, CAMERA).stream_address
    )
    context = zmq.Context()
    clients = []
    try:
        for number in range(NUMBER):
            info = pipelines.start(f"p{number}", {"camera_name": f"c{number}"})
            client = context.socket(zmq.SUB)
            client.subscribe(b"")
            client.connect(info.stream_address)
            clients.append(client)
        until(lambda: all(info.statistics.tx_count > 1 for info in pipelines.running()), "messages")
        assert len(pipelines.running()) == len(cameras.running()) == NUMBER
        before, begin = os.times(), time.monotonic()
        time.sleep(SECONDS)
        after, passed = os.times(), time.monotonic() - begin
        infos = [*cameras.running(), *pipelines.running()]
        assert len(infos) == 2 * NUMBER
        assert not any(info.statistics.lost for info in infos)
        memory = sum(info.statistics.memory for info in infos) / MIB
        cpu = sum(info.statistics.cpu for info in infos)
        own = 100 * (after.user - before.user + after.system - before.system) / passed
        print(
            f"{memory / len(infos):.1f} MiB each, {cpu:.0f} % of a core for all, {own:.1f} % for the registry"
        )
        assert memory < 2000
    finally:
        context.destroy(0)
        pipelines.close()
        cameras.close()
        launcher.close()
