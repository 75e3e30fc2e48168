"""Cameras and pipelines in processes of their own, with clients that read their streams."""

import os
import signal
import socket
import time

import numpy as np
import pytest
import zmq

from repstream.errors import ChildError, InstanceEnded, InvalidValue, UnknownInstance
from repstream.instances import local
from repstream.instances.local import LocalLauncher
from repstream.instances.registry import Instances
from repstream.messages import bsread
from repstream.messages.array_1_0 import encode
from repstream.pipelines.configurations import complete
from tests.ports import free_ports
from tests.waiting import until

SIMULATION = {"source": "sim", "source_type": "simulation", "size_x": 64, "size_y": 48, "frame_rate": 50}
BEAM = SIMULATION | {"size_x": 320, "size_y": 240, "image_type": "static_beam"}


@pytest.fixture(scope="module")
def launcher():
    launcher = LocalLauncher("127.0.0.1")
    yield launcher
    launcher.close()


@pytest.fixture
def cameras(launcher):
    cameras = Instances("camera", launcher, ports=free_ports(30))
    yield cameras
    cameras.close()


@pytest.fixture
def pipelines(launcher, cameras):
    def find(kind, name):
        return cameras.ensure(name, BEAM if name == "beam" else SIMULATION).stream_address

    pipelines = Instances("pipeline", launcher, find_stream=find)
    yield pipelines
    pipelines.close()


class Client:
    """Reads a stream as a bsread client does."""

    def __init__(self, address, mode=zmq.SUB):
        self._context = zmq.Context()
        self._socket = self._context.socket(mode)
        if mode == zmq.SUB:
            self._socket.subscribe(b"")
        self._socket.connect(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close(0)
        self._context.term()

    def poll(self, seconds=0.1):
        return self._socket.poll(round(seconds * 1000))

    def parts(self, seconds=20):
        assert self._socket.poll(seconds * 1000), "no message came"
        return self._socket.recv_multipart()

    def receive(self):
        return bsread.decode(self.parts())

    def read(self):
        message = self.receive()
        return dict(zip((c.name for c in message.header.channels), message.values, strict=True))

    def until(self, condition):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if condition(found := self.read()):
                return found
        raise AssertionError("no such message came")


def is_gone(process_id):
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    return False


def is_free(address):
    host, port = address.removeprefix("tcp://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


def running(instances, name):
    until(lambda: instances.get(name).statistics.process_id, "a report")
    return instances.get(name)


def test_a_launcher_says_when_instances_start_at_once():
    launcher = LocalLauncher("127.0.0.1")
    try:
        assert launcher.wait_until_warm(60)
    finally:
        launcher.close()
    with pytest.raises(ChildError, match="the server is being stopped"):
        launcher.wait_until_warm(1)


def test_a_camera_sends_its_six_channels(cameras):
    with Client(cameras.start("sim", SIMULATION).stream_address) as client:
        first, second = client.receive(), client.receive()
    assert [(c.name, c.type, c.shape) for c in first.header.channels] == [
        ("image", "uint16", (48, 64)),
        ("timestamp", "float64", ()),
        ("width", "int64", ()),
        ("height", "int64", ()),
        ("x_axis", "float32", (64,)),
        ("y_axis", "float32", (48,)),
    ]
    assert second.pulse_id > first.pulse_id
    assert first["width"], first["height"] == (64, 48)
    assert first["timestamp"] == pytest.approx(first.timestamp[0] + first.timestamp[1] / 1e9)
    assert np.array_equal(first["x_axis"], np.arange(64))


def test_a_camera_takes_another_geometry_at_once(cameras):
    with Client(cameras.start("sim", SIMULATION).stream_address) as client:
        client.read()
        cameras.reconfigure("sim", {"rotate": 1, "roi": [0, 20, 0, 30]})
        assert client.until(lambda m: m["width"] == 20)["image"].shape == (30, 20)
        with pytest.raises(InvalidValue) as refused:
            cameras.reconfigure("sim", {"image_background": "nowhere"})
        assert refused.value.subject == "image_background"
    until(lambda: cameras.get("sim").camera_geometry == (20, 30), "the new geometry")


def test_a_camera_takes_another_source_at_once(cameras):
    with Client(cameras.start("sim", SIMULATION).stream_address) as client:
        client.read()
        cameras.reconfigure("sim", {"size_x": 32})
        client.until(lambda m: m["width"] == 32)


def test_a_pipeline_finds_the_beam_and_starts_its_camera(pipelines, cameras):
    with Client(pipelines.start("p", {"camera_name": "beam"}).stream_address) as client:
        found = client.read()
    assert cameras.get("beam").is_stream_active
    assert found["x_fit_mean"] == pytest.approx(159.5, abs=8)
    assert found["y_fit_mean"] == pytest.approx(119.5, abs=8)
    until(lambda: pipelines.get("p").statistics.tx_count, "a report")
    statistics = pipelines.get("p").statistics
    assert statistics.frame_shape == (320, 240, 2)
    assert statistics.rx_count >= statistics.tx_count > 0


def test_a_pipeline_is_reconfigured_while_it_runs(pipelines):
    with Client(pipelines.start("p", {"camera_name": "sim"}).stream_address) as client:
        client.read()
        pipelines.reconfigure("p", {"image_threshold": 60000})
        assert client.until(lambda m: m["max_value"] == 0)["intensity"] == 0
        pipelines.reconfigure("p", {"function": "transparent", "exclude": ["y_axis"]})
        assert list(client.until(lambda m: "intensity" not in m)) == [
            "x_axis",
            "width",
            "height",
            "image",
            "processing_parameters",
            "timestamp",
        ]
        with pytest.raises(InvalidValue, match="number_of_slices"):
            pipelines.reconfigure("p", {"image_slices": {"number_of_slices": "many"}})
        client.read()


def test_store_sends_the_image_alone_to_one_client(pipelines):
    address = pipelines.start("s", {"pipeline_type": "store", "camera_name": "sim"}).stream_address
    with Client(address, zmq.PULL) as client:
        first, second = client.receive(), client.receive()
    assert [channel.name for channel in first.header.channels] == ["sim:FPICTURE"]
    assert second.pulse_id > first.pulse_id


def test_an_instance_ends_after_its_records(pipelines):
    address = pipelines.start("p", {"camera_name": "sim", "records": 3, "mode": "PUSH"}).stream_address
    until(lambda: pipelines.get("p").statistics.rx_count >= 3, "all that it takes")
    with Client(address, zmq.PULL) as client:  # which comes late
        for _ in range(3):
            client.receive()
        until(lambda: not pipelines.running(), "the end")
    assert pipelines.exit_code("p") == 0
    with pytest.raises(UnknownInstance):
        pipelines.get("p")


def test_an_instance_ends_when_nobody_listens(cameras):
    info = cameras.start("sim", SIMULATION | {"no_client_timeout": 1})
    process_id = running(cameras, "sim").statistics.process_id
    with Client(info.stream_address) as client:
        client.read()
        until(lambda: cameras.get("sim").statistics.clients == 1, "the client")
    until(lambda: not cameras.running(), "the end")
    assert is_gone(process_id)
    assert is_free(info.stream_address)
    assert cameras.exit_code("sim") == 0
    assert any("nobody" in record.text for record in cameras.logs("sim"))


def test_a_killed_instance_is_gone_and_can_be_started_again(cameras):
    info = cameras.start("sim", SIMULATION)
    os.kill(running(cameras, "sim").statistics.process_id, signal.SIGKILL)
    until(lambda: not cameras.running(), "the end")
    assert cameras.exit_code("sim") == -signal.SIGKILL
    assert "SIGKILL" in cameras.message("sim")
    assert cameras.start("sim", SIMULATION).stream_address == info.stream_address


def test_stopping_a_pipeline_whose_client_takes_nothing_does_not_wait(pipelines):
    pipelines.start("p", {"camera_name": "sim", "mode": "PUSH"})
    until(lambda: pipelines.get("p").statistics.rx_count > 10, "a full queue")
    begin = time.monotonic()
    pipelines.stop("p")
    assert time.monotonic() - begin < 10
    assert pipelines.exit_code("p") == 0


def test_a_camera_that_is_not_there_says_so(pipelines, launcher):
    def find(kind, name):
        raise InstanceEnded(name, "Camera with prefix X is offline")

    lonely = Instances("pipeline", launcher, find_stream=find)
    with pytest.raises(InstanceEnded, match="Camera with prefix X is offline"):
        lonely.start("p", {"camera_name": "X"})
    assert lonely.exit_code("p") == 1


def test_a_camera_reads_array_1_0(cameras):
    context = zmq.Context()
    sender = context.socket(zmq.PUSH)
    port = sender.bind_to_random_port("tcp://127.0.0.1")
    source = f"tcp://127.0.0.1:{port}"
    info = cameras.start("a", {"source": source, "source_type": "array10", "mode": "PULL", "mirror_x": True})
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    with Client(info.stream_address) as client:
        until(lambda: cameras.get("a").statistics.clients, "the client")
        for number in (70, 71):
            sender.send_multipart(encode(number, image))
        message = client.receive()
        sender.send_multipart([b"{}", b""])
        until(lambda: sum(cameras.get("a").statistics.lost.values()), "the lost message")
    assert message.pulse_id == 1
    assert np.array_equal(message["image"], image[:, ::-1])
    context.destroy(0)


def test_the_original_client_reads_a_pipeline(pipelines):
    client = pytest.importorskip("bsread")
    address = pipelines.start(
        "p", {"camera_name": "sim", "data_compression": True, "image_good_region": {}, "image_slices": {}}
    ).stream_address
    host, port = address.removeprefix("tcp://").split(":")
    with client.Source(host=host, port=int(port), mode=client.SUB, receive_timeout=20000) as stream:
        message = stream.receive()
    values = {name: value.value for name, value in message.data.data.items()}
    assert values["image"].shape == (48, 64)
    assert values["x_fit_gauss_function"].shape == (64,)
    assert '"camera_name": "sim"' in values["processing_parameters"]


def test_instances_end_with_their_server(launcher):
    other = LocalLauncher("127.0.0.1")
    cameras = Instances("camera", other)
    cameras.start("sim", SIMULATION)
    process_id = running(cameras, "sim").statistics.process_id
    # What the death of the server looks like from the instance: its pipe ends.
    pipe = cameras._lives["sim"]._process._pipe
    with socket.socket(fileno=os.dup(pipe.fileno())) as ours:
        ours.shutdown(socket.SHUT_RDWR)
    until(lambda: is_gone(process_id), "the end of the instance")
    other.close()


def test_work_is_fanned_out_and_in_again(pipelines, cameras):
    """Two workers share the messages of a camera, and their results come in the order of the pulses."""
    pipelines.start("out", {"pipeline_type": "fanout", "camera_name": "sim"})
    address = pipelines.start("in", {"pipeline_type": "fanin", "pid_buffer": 5}).stream_address

    def find(kind, name):
        return pipelines.get(name).stream_address

    pipelines._find_stream = find
    links = {"input_pipeline": "out", "input_mode": "PULL", "output_pipeline": "in"}
    for worker in ("one", "two"):
        pipelines.start(worker, links | {"function": "transparent"})
    with Client(address) as client:
        ids = [client.receive().pulse_id for _ in range(20)]
    assert ids == sorted(ids)
    for worker in ("one", "two"):
        until(lambda worker=worker: pipelines.get(worker).statistics.tx_count, "a report of work")


def test_any_stream_goes_through_with_the_channels_that_are_chosen(pipelines, cameras):
    stream = cameras.start("sim", SIMULATION).stream_address
    configuration = {"pipeline_type": "stream", "input_stream": stream, "include": ["width", "timestamp"]}
    with Client(pipelines.start("p", configuration).stream_address) as client:
        assert list(client.read()) == ["timestamp", "width"]


def test_a_second_input_joins_by_pulse(pipelines):
    context = zmq.Context()
    senders = [context.socket(zmq.PUB) for _ in range(2)]
    addresses = [f"tcp://127.0.0.1:{each.bind_to_random_port('tcp://127.0.0.1')}" for each in senders]
    joined = {"bsread_address": addresses[1], "bsread_channels": ["charge"]}
    configuration = {"pipeline_type": "stream", "input_stream": addresses[0], **joined}
    number = 0
    with Client(pipelines.start("p", configuration).stream_address) as client:
        for _ in range(3):
            while not client.poll():
                number += 1
                send_scalars(senders[0], number, {"width": number})
                if number % 2 == 0:
                    send_scalars(senders[1], number, {"charge": number / 2, "other": 1.0})
            message = client.receive()
            assert [channel.name for channel in message.header.channels] == ["width", "charge"]
            assert message["width"] == 2 * message["charge"] == message.pulse_id
    until(lambda: pipelines.get("p").statistics.lost.get("without second input"), "the count of the others")
    context.destroy(0)


def send_scalars(sender, pulse_id, values):
    channels = [bsread.describe(name, value) for name, value in values.items()]
    sender.send_multipart(bsread.encode(pulse_id, channels, list(values.values()), timestamp=(1, pulse_id)))


@pytest.mark.parametrize(
    ("kind", "wrong", "subject"),
    [
        ("pipeline", {"camera_name": "c", "bsread_channels": ["a"]}, "bsread_channels"),
        ("pipeline", {"camera_name": "c", "function": "psss"}, "function"),
        ("pipeline", {"camera_name": "c", "pipeline_type": "script"}, "pipeline_type"),
        ("camera", {"source": "s", "source_type": "stddaq"}, "source_type"),
        ("camera", {"source": "s", "protocol": "ipc"}, "protocol"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(kind, wrong, subject):
    with pytest.raises(InvalidValue, match="not supported") as refused:
        complete(kind, wrong)
    assert refused.value.subject == subject


def test_threads_process_and_keep_the_order(pipelines):
    configuration = {"camera_name": "sim", "processing_threads": 2, "mode": "PUSH"}
    with Client(pipelines.start("p", configuration).stream_address, zmq.PULL) as client:
        ids = [client.receive().pulse_id for _ in range(20)]
        pipelines.reconfigure("p", {"function": "transparent"})
        client.until(lambda m: "intensity" not in m)
        with pytest.raises(InvalidValue):
            pipelines.reconfigure("p", {"binning_x": -1})
    assert ids == sorted(set(ids))  # a busy machine may leave some out
    pipelines.stop("p")
    assert pipelines.exit_code("p") == 0


def test_a_pipeline_has_a_camera_that_died_started_again(pipelines, cameras):
    address = pipelines.start("p", {"camera_name": "sim", "camera_timeout": 1}).stream_address
    with Client(address) as client:
        client.read()
        os.kill(running(cameras, "sim").statistics.process_id, signal.SIGKILL)
        until(lambda: not cameras.running(), "the end")
        until(cameras.running, "the camera")
        while client.poll(0.01):
            client.receive()
        client.receive()
    assert any("sent nothing" in record.text for record in pipelines.logs("p"))


def test_the_time_without_clients_is_changed_while_it_runs(cameras):
    cameras.start("sim", SIMULATION | {"no_client_timeout": 0})
    cameras.reconfigure("sim", {"no_client_timeout": 0.2})
    until(lambda: not cameras.running(), "the end")


def test_instances_get_compiled_code_from_the_process_that_they_are_forked_from(monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.setattr(local, "IMPROVE_AFTER", 0)
    launcher = LocalLauncher("127.0.0.1")
    cameras = Instances("camera", launcher)
    before = cameras.start("before", SIMULATION)
    until(lambda: launcher._replaced, "the other process", seconds=100)
    pipelines = Instances("pipeline", launcher)
    configuration = {"input_stream": before.stream_address}
    with Client(pipelines.start("p", configuration).stream_address) as client:
        client.read()
    assert cameras.get("before").is_stream_active
    pipelines.close()
    cameras.close()
    assert cameras.exit_code("before") == pipelines.exit_code("p") == 0
    launcher.close()
