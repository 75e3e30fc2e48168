"""Keys of cameras and pipelines that change what leaves them, seen by their clients."""

import json
import time

import numpy as np
import pytest
import zmq

from repstream.errors import InvalidValue
from repstream.instances.local import LocalLauncher
from repstream.instances.registry import Instances
from repstream.messages import bsread
from tests.integration.test_instances import SIMULATION, Client
from tests.ports import free_port
from tests.waiting import until

BEAM = {"pipeline_type": "processing", "camera_name": "sim", "function": "transparent"}


@pytest.fixture(scope="module")
def servers():
    launcher = LocalLauncher("127.0.0.1")
    cameras = Instances("camera", launcher)

    def find(kind, name):
        return cameras.ensure(name, SIMULATION | {"no_client_timeout": 0}).stream_address

    pipelines = Instances("pipeline", launcher, find_stream=find)
    yield cameras, pipelines
    pipelines.close()
    cameras.close()
    launcher.close()


def packings(message):
    return {channel.name: channel.compression for channel in message.header.channels}


def test_a_camera_packs_what_it_is_told_to(servers):
    cameras, _ = servers
    packed = {"image_compression": True, "scalar_compression": "lz4", "data_header_compression": True}
    with Client(cameras.start("packed", SIMULATION | packed).stream_address) as client:
        parts = client.parts()
        message = bsread.decode(parts)
        assert json.loads(parts[0])["dh_compression"] == "bitshuffle_lz4"
        found = packings(message)
        assert found.pop("image") == "bitshuffle_lz4" and set(found.values()) == {"lz4"}
        assert message["image"].shape == (48, 64)
        cameras.reconfigure("packed", dict.fromkeys(packed, False))
        while set(packings(message).values()) != {"none"}:
            message = client.receive()
    cameras.stop("packed")


def test_a_pipeline_packs_what_it_is_told_to(servers):
    _, pipelines = servers
    packed = {"data_compression": True, "data_header_compression": True}
    with Client(pipelines.start("packed", BEAM | packed).stream_address) as client:
        parts = client.parts()
        assert json.loads(parts[0])["dh_compression"] == "bitshuffle_lz4"
        assert packings(bsread.decode(parts))["image"] == "bitshuffle_lz4"
    pipelines.stop("packed")


def test_simulated_pulse_ids_are_times_and_rise(servers):
    cameras, _ = servers
    simulation = SIMULATION | {"simulate_pulse_id": True, "frame_rate": 400}
    with Client(cameras.start("timed", simulation).stream_address) as client:
        ids = [client.receive().pulse_id for _ in range(8)]
    assert ids == sorted(set(ids))
    assert abs(ids[0] / 100 - time.time()) < 100
    cameras.stop("timed")


@pytest.mark.parametrize(("dtype", "most"), [("int16", 3276.7), ("uint8", 25.5), ("float32", 6553.5)])
def test_a_simulation_has_the_type_that_is_asked_for_and_does_not_wrap(servers, dtype, most):
    cameras, _ = servers
    with Client(
        cameras.start(dtype, SIMULATION | {"dtype": dtype, "image_type": "raw"}).stream_address
    ) as client:
        image = client.receive()["image"]
    assert image.dtype == dtype and image.min() >= 0
    assert image.max() == pytest.approx(most, rel=0.05)  # noise: a tenth of the scale
    cameras.stop(dtype)
    with pytest.raises(InvalidValue) as refused:
        cameras.start("wrong", SIMULATION | {"dtype": "complex64"})
    assert refused.value.subject == "dtype"


def test_what_came_before_the_client_is_pushed_from_the_buffer_and_the_oldest_makes_room(servers):
    _, pipelines = servers
    address = pipelines.start("late", BEAM | {"mode": "PUSH", "buffer_size": 5}).stream_address
    until(lambda: pipelines.get("late").statistics.lost, "the oldest to give way")
    pipelines.reconfigure("late", {"pause": True})
    with Client(address, zmq.PULL) as client:
        ids = [client.receive().pulse_id for _ in range(5)]
        assert not client.poll(0.3)
    assert ids == sorted(set(ids))
    pipelines.stop("late")


def test_a_push_output_that_is_not_to_block_goes_on_and_counts(servers):
    _, pipelines = servers
    pipelines.start("free", BEAM | {"mode": "PUSH", "block": False, "queue_size": 2})
    until(lambda: pipelines.get("free").statistics.lost, "the loss")
    before = pipelines.get("free").statistics.rx_count
    until(lambda: pipelines.get("free").statistics.rx_count > before + 3, "more images")
    pipelines.stop("free")


def test_a_silent_input_is_said_and_ends_a_pipeline_that_is_to_end_then(servers):
    _, pipelines = servers
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    silent = {"pipeline_type": "stream", "input_stream": nowhere, "stream_timeout": 0.3}
    pipelines.start("silent", silent)
    until(lambda: f"{nowhere} has sent nothing for" in pipelines.get("silent").message, "the reason")
    pipelines.reconfigure("silent", {"abort_on_timeout": True})
    until(lambda: not any(info.name == "silent" for info in pipelines.running()), "the end")
    assert pipelines.exit_code("silent") == 1
    assert "has sent nothing" in pipelines.message("silent")


def test_a_sender_that_comes_after_the_timeout_is_received(servers):
    _, pipelines = servers
    port = free_port()
    late = {"pipeline_type": "stream", "input_stream": f"tcp://127.0.0.1:{port}", "stream_timeout": 0.3}
    address = pipelines.start("later", late).stream_address
    until(lambda: pipelines.get("later").message, "the silence to be seen")
    image = np.ones((2, 3), np.uint16)
    with zmq.Context() as context, context.socket(zmq.PUB) as socket, Client(address) as client:
        socket.linger = 0
        socket.bind(f"tcp://127.0.0.1:{port}")
        number = 0
        while not client.poll():
            socket.send_multipart(bsread.encode(number := number + 1, [bsread.describe("a", image)], [image]))
        assert client.receive()["a"].shape == (2, 3)
    pipelines.stop("later")
