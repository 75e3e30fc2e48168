"""What cameras read from: each kind of source, sent as it came."""

import subprocess
import sys
from contextlib import contextmanager

import h5py
import numpy as np
import pytest
import zmq

from repstream.errors import InstanceEnded, InvalidValue
from repstream.instances.local import LocalLauncher
from repstream.instances.registry import Instances
from repstream.messages import bsread, packed_image
from repstream.sockets.monitor import PeerMonitor
from tests.integration.test_epics_sources import CA_CAMERA
from tests.integration.test_instances import Client
from tests.ports import free_port
from tests.sockets import keeping_context
from tests.waiting import until

IMAGE = np.arange(12, dtype=np.uint16).reshape(3, 4)


@pytest.fixture(scope="module")
def cameras():
    port = free_port()
    environment = {
        "EPICS_CA_SERVER_PORT": str(port),
        "EPICS_CAS_SERVER_PORT": str(port),
        "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        launcher = LocalLauncher("127.0.0.1")
        cameras = Instances("camera", launcher)
        yield cameras
        cameras.close()
        launcher.close()


@pytest.fixture
def sender():
    with keeping_context() as context:
        yield context


@contextmanager
def epics_camera():
    """A camera over Channel Access; what is called sends another image."""
    with subprocess.Popen([sys.executable, str(CA_CAMERA)], stdin=subprocess.PIPE, text=True) as worker:

        def send(number):
            worker.stdin.write(f"{number}\n")
            worker.stdin.flush()

        try:
            yield send
        finally:
            worker.kill()


def pulse(number, name="cam:FPICTURE"):
    channels = [bsread.describe(name, IMAGE), bsread.describe("temperature", 21.5)]
    return bsread.encode(number, channels, [IMAGE, 21.5], timestamp=(1000, number))


def first(cameras, name, configuration, send):
    """The first image that a camera sends, while `send` sends to it."""
    with Client(cameras.ensure(name, configuration).stream_address) as client:
        number = 0
        while not client.poll():
            send(number := number + 1)
        message = client.receive()
    cameras.stop(name)
    return message


@pytest.mark.parametrize("kind", ["bsread", "bschannel"])
def test_a_channel_of_bsread_is_a_camera(cameras, sender, kind):
    socket = sender.socket(zmq.PUSH if kind == "bsread" else zmq.PUB)
    address = f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}"
    source = (
        {"source": "cam", "url": address}
        if kind == "bsread"
        else {"source": address, "channel": "cam:FPICTURE"}
    )
    message = first(
        cameras, "cam", source | {"source_type": kind}, lambda n: socket.send_multipart(pulse(50 + n))
    )
    assert np.array_equal(message["image"], IMAGE)
    assert message.pulse_id > 50
    assert message.timestamp == (1000, message.pulse_id)


def test_images_of_several_connections_come_in_the_order_of_their_pulses(cameras, sender):
    socket = sender.socket(zmq.PUSH)
    peers = PeerMonitor(socket)
    address = f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}"
    source = {"source": "cam", "url": address, "source_type": "bsread", "connections": 3}
    with Client(cameras.start("cam", source).stream_address) as client:
        until(lambda: peers.update() or peers.peers == 3, "three connections")
        last = 99
        while not client.poll():  # a client that is connected may not have subscribed yet
            socket.send_multipart(pulse(last := last + 1))
        for _ in range(60):
            socket.send_multipart(pulse(last := last + 1))
        ids = [client.receive().pulse_id]
        while ids[-1] != last:
            ids.append(client.receive().pulse_id)
    assert ids == list(range(ids[0], last + 1))
    assert not cameras.get("cam").statistics.lost
    cameras.stop("cam")
    peers.close()


def test_a_forwarder_pushes_the_image_alone(cameras):
    port = free_port()
    simulation = {"source": "sim", "source_type": "simulation", "size_x": 16, "size_y": 12, "frame_rate": 50}
    cameras.start("sim", simulation | {"forwarder_port": port, "no_client_timeout": 1})
    with Client(f"tcp://127.0.0.1:{port}", zmq.PULL) as client:
        message = client.receive()
        assert [channel.name for channel in message.header.channels] == ["sim:FPICTURE"]
        assert message["sim:FPICTURE"].shape == (12, 16)
        until(lambda: cameras.get("sim").statistics.more_clients == 1, "the client in the figures")
        with pytest.raises(InvalidValue) as refused:
            cameras.start("other", simulation | {"forwarder_port": port})
        assert refused.value.subject == "forwarder_port"
        cameras.reconfigure("sim", {"forwarder_port": (other := free_port())})
        with Client(f"tcp://127.0.0.1:{other}", zmq.PULL) as moved:
            assert moved.receive()["sim:FPICTURE"].shape == (12, 16)
    until(lambda: not cameras.running(), "the end without any client")


def test_a_packed_stream_is_a_camera(cameras, sender):
    socket = sender.socket(zmq.PUB)
    address = f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}"
    message = first(
        cameras,
        "cam",
        {"source": address, "source_type": "stream"},
        lambda n: socket.send_multipart(packed_image.encode(n, 3, 4, 2, IMAGE.tobytes())),
    )
    assert np.array_equal(message["image"], IMAGE)


def test_a_file_is_replayed_in_a_loop(cameras, tmp_path):
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["/entry/data"] = np.stack([IMAGE, IMAGE + 100])
    source = f"{tmp_path}/images.h5:/entry/data"
    address = cameras.start(
        "file", {"source": source, "source_type": "hdf5", "frame_rate": 200}
    ).stream_address
    with Client(address) as client:
        seen = [client.receive() for _ in range(5)]
    ids = [message.pulse_id for message in seen]  # a busy machine may leave some out
    assert ids == sorted(set(ids)) and ids[-1] > 2
    assert [int(message["image"][0, 0]) for message in seen] == [100 * (each % 2) for each in ids]
    for wrong in (f"{tmp_path}/absent.h5:/entry/data", f"{tmp_path}/images.h5:/nowhere", "images"):
        with pytest.raises(InvalidValue) as refused:
            cameras.start("wrong", {"source": wrong, "source_type": "hdf5"})
        assert refused.value.subject == "source"


def test_a_camera_over_epics_vanishes_and_returns(cameras):
    with epics_camera() as send:
        number = sees_images(cameras, "epics", send, 0)
    until(lambda: "answers" in cameras.get("ca").message, "the loss")
    with epics_camera() as send:
        sees_images(cameras, "epics", send, number)
    cameras.stop("ca")


def test_a_camera_over_epics_follows_its_size_and_drops_what_is_too_short(cameras):
    with epics_camera() as send:
        number = sees_images(cameras, "epics", send, 0)
        with Client(cameras.get("ca").stream_address) as client:
            until(lambda: cameras.get("ca").statistics.clients == 1, "the client")
            image = IMAGE
            while image.shape != (4, 5):  # one from before may still be under way
                send(f"{(number := number + 1)} 5 4 30")
                image = client.read()["image"] if client.poll() else image
            assert np.array_equal(image - image[0, 0], np.arange(20).reshape(4, 5))
            send(f"{number + 1} 5 4 19")
            until(lambda: lost_as_malformed(cameras.get("ca").statistics), "the loss")
            send(f"{number + 100} 5 4 20")
            while client.read()["image"][0, 0] != number + 100:
                pass
    cameras.stop("ca")


def lost_as_malformed(statistics):
    return any(reason.startswith("malformed") for reason in statistics.lost)


def test_the_address_of_a_bsread_camera_is_read_from_its_pv(cameras, sender):
    socket = sender.socket(zmq.PUSH)
    address = f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}"
    configuration = {"source": "T:CAM", "source_type": "bsread"}
    with epics_camera() as send:
        send(f"bsread {address}")

        def started():
            try:
                return cameras.ensure("cam", configuration)
            except (InstanceEnded, InvalidValue):  # it does not answer yet, or has no address yet
                return None

        until(started, "the camera")
    message = first(cameras, "cam", configuration, lambda n: socket.send_multipart(pulse(50 + n)))
    assert np.array_equal(message["image"], IMAGE)


def test_area_detector_is_a_camera(cameras):
    with epics_camera() as send:
        sees_images(cameras, "area_detector", send, 0)
    cameras.stop("ca")


def test_area_detector_numbers_its_images_and_what_is_left_out_is_missing(cameras):
    with epics_camera() as send:
        number = sees_images(cameras, "area_detector", send, 1000, "T:NEW")
        with Client(cameras.get("ca").stream_address) as client:
            until(lambda: cameras.get("ca").statistics.clients == 1, "the client")
            for _ in range(8):
                send(number := number + 1)
            send(number := number + 3)
            ids = [client.receive().pulse_id]
            while ids[-1] != number:
                ids.append(client.receive().pulse_id)
    assert ids == [each for each in range(ids[0], number + 1) if each not in (number - 1, number - 2)]
    until(lambda: cameras.get("ca").statistics.lost.get("missing") == 2, "the count")
    cameras.stop("ca")


def sees_images(cameras, kind, send, number, prefix="T:CAM"):
    """Have images sent until one arrives; the number of the last."""
    configuration = {"source": prefix, "source_type": kind, "no_client_timeout": 0}
    # The camera's server may not answer yet: then the camera is offline, and asked again.
    until(lambda: started(cameras, configuration), "the camera")
    with Client(cameras.get("ca").stream_address) as client:
        while not client.poll():
            send(number := number + 1)
        image = client.read()["image"]
    assert np.array_equal(image - image[0, 0], np.arange(48).reshape(6, 8))
    return number


def started(cameras, configuration):
    try:
        return cameras.ensure("ca", configuration)
    except InstanceEnded as error:
        assert "is offline" in str(error)
        return None
