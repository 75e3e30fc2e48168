"""Encrypted streams of cameras and pipelines, from and to plain pyzmq peers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np
import pytest
import zmq

from repstream.errors import InvalidValue, Refused
from repstream.instances.description import InstanceInfo
from repstream.instances.local import LocalLauncher
from repstream.instances.registry import Instances
from repstream.instances.stream_images import images, mean_image
from repstream.messages import array_1_0, bsread
from repstream.messages.bsread_header import Channel
from repstream.sockets.keys import Keys
from tests.integration.test_curve import keys
from tests.ports import free_port
from tests.sockets import keeping_context
from tests.waiting import until

__all__ = ["keys"]

SIMULATION = {"source": "sim", "source_type": "simulation", "size_x": 64, "size_y": 48, "frame_rate": 50}
FOR_VIEWERS = {"curve_key": "engine", "curve_peers": "viewer"}
IMAGE = np.arange(12, dtype="uint16").reshape(3, 4)


@pytest.fixture(scope="module")
def launcher(keys: Keys) -> Iterator[LocalLauncher]:
    launcher = LocalLauncher("127.0.0.1")
    yield launcher
    launcher.close()


@pytest.fixture
def cameras(launcher: LocalLauncher) -> Iterator[Instances]:
    cameras = Instances("camera", launcher)
    yield cameras
    cameras.close()


@pytest.fixture
def pipelines(launcher: LocalLauncher, cameras: Instances) -> Iterator[Instances]:
    pipelines = Instances("pipeline", launcher, find_stream=lambda _, name: cameras.get(name).stream_address)
    yield pipelines
    pipelines.close()


@contextmanager
def socket_of(
    keys: Keys, name: str, kind: int, address: str, *, binds: bool = False
) -> Iterator[zmq.Socket[bytes]]:
    """A socket with the key of this name; without any where that is empty. All who connect know `engine`."""
    with keeping_context() as context, context.socket(kind) as socket:
        socket.linger = 0
        if kind == zmq.SUB:
            socket.subscribe(b"")
        if name:
            pair = keys.pair(name)
            socket.curve_publickey, socket.curve_secretkey = pair.public, pair.secret
            socket.curve_server = binds
            if not binds:
                socket.curve_serverkey = keys.public("engine")
        (socket.bind if binds else socket.connect)(address)
        yield socket


def pulse_from(socket: zmq.Socket[bytes]) -> bsread.Message:
    assert socket.poll(20_000), "no message came"
    return bsread.decode(socket.recv_multipart())


def denied(cameras: Instances, name: str) -> int:
    return cameras.get(name).statistics.denied


def test_a_camera_sends_to_those_it_knows_and_counts_the_others(keys: Keys, cameras: Instances) -> None:
    info = cameras.start("c", SIMULATION | FOR_VIEWERS | {"forwarder_port": free_port()})
    forwarder = f"tcp://127.0.0.1:{info.config['forwarder_port']}"
    with (
        socket_of(keys, "", zmq.SUB, info.stream_address) as spy,
        socket_of(keys, "stranger", zmq.SUB, info.stream_address) as stranger,
        socket_of(keys, "", zmq.PULL, forwarder) as thief,
        socket_of(keys, "viewer", zmq.SUB, info.stream_address) as viewer,
        socket_of(keys, "viewer", zmq.PULL, forwarder) as reader,
    ):
        assert pulse_from(viewer)["image"].shape == (48, 64)
        assert pulse_from(reader).header.channels[0].name == "c:FPICTURE"
        until(lambda: denied(cameras, "c") >= 2, "both to be counted")
        pulse_from(viewer)
        assert not any(socket.poll(0) for socket in (spy, stranger, thief))


def test_pictures_and_backgrounds_of_an_encrypted_camera_are_taken_on_its_host(
    keys: Keys, cameras: Instances
) -> None:
    place = cameras.start("c", SIMULATION | FOR_VIEWERS).place
    taken = images(place, 10.0)
    assert next(taken).shape == (48, 64)
    assert mean_image(place, 2, 10.0).shape == (48, 64)
    with pytest.raises(Refused, match="there is no key pair 'elsewhere'"):
        next(images(place._replace(key="elsewhere"), 1.0))


def test_a_camera_takes_images_of_the_sender_whose_key_it_knows(keys: Keys, cameras: Instances) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    source = {"source": address, "source_type": "array10", "mode": "PULL"}
    known = {"input_curve_key": "engine", "input_curve_peers": "detector"}
    with socket_of(keys, "detector", zmq.PUSH, address, binds=True) as detector:
        encrypted = cameras.start("encrypted", source | known)
        plain = cameras.start("plain", source)
        with socket_of(keys, "", zmq.SUB, encrypted.stream_address) as viewer:
            numbers = count()

            def is_shown() -> bool:
                assert detector.poll(20_000, zmq.POLLOUT)
                detector.send_multipart(array_1_0.encode(next(numbers), IMAGE))
                return bool(viewer.poll(10))

            until(is_shown, "an image")
            assert np.array_equal(pulse_from(viewer)["image"], IMAGE)
        assert cameras.get(plain.name).statistics.rx_count == 0


def test_a_pipeline_receives_and_sends_encrypted(
    keys: Keys, cameras: Instances, pipelines: Instances
) -> None:
    cameras.start("c", SIMULATION | {"curve_key": "detector", "curve_peers": "engine"})
    both = {"input_curve_key": "engine", "input_curve_peers": "detector"} | FOR_VIEWERS
    asked = {"camera_name": "c", "pipeline_type": "stream", "camera_timeout": 1.0}
    sent = pipelines.start("p", asked | both)
    with socket_of(keys, "viewer", zmq.SUB, sent.stream_address) as viewer:
        assert pulse_from(viewer)["image"].shape == (48, 64)
    pipelines.start("plain", asked)
    until(lambda: "c has sent nothing for" in pipelines.get("plain").message, "what is wrong")


def test_several_senders_push_into_an_encrypted_fan_in(keys: Keys, pipelines: Instances) -> None:
    known = {"input_curve_key": "engine", "input_curve_peers": "detector, viewer"}
    info = pipelines.start("in", {"pipeline_type": "fanin", "no_client_timeout": 0} | known)
    message = [bytes(part) for part in bsread.encode(7, [Channel("x", "float64")], [1.5])]
    with (
        socket_of(keys, "stranger", zmq.PUSH, info.input_address) as stranger,
        socket_of(keys, "detector", zmq.PUSH, info.input_address) as detector,
    ):
        stranger.send_multipart(message)  # into its own queue, which nobody empties
        detector.send_multipart(message)
        until(lambda: received(pipelines.get("in")) == 1, "the message")


def received(info: InstanceInfo) -> int:
    return info.statistics.rx_count


@pytest.mark.parametrize(
    ("change", "subject", "reason"),
    [
        ({"curve_key": "gone", "curve_peers": "*"}, "curve_key", "there is no key pair 'gone'"),
        ({"curve_key": "engine"}, "curve_peers", "is empty"),
        ({"curve_key": "engine", "curve_peers": "nobody"}, "curve_peers", "there is no public key 'nobody'"),
        ({"input_curve_key": "engine", "input_curve_peers": "detector"}, "input_curve_key", "simulation"),
    ],
)
def test_an_instance_whose_key_is_missing_does_not_start_nor_change(
    cameras: Instances, change: dict[str, Any], subject: str, reason: str
) -> None:
    port = free_port()
    with pytest.raises(InvalidValue, match=reason) as refused:
        cameras.start("c", SIMULATION | change, port=port)
    assert refused.value.subject == subject
    running = cameras.start("c", SIMULATION, port=port)  # nothing of it is left
    with pytest.raises(InvalidValue, match=reason):
        cameras.reconfigure("c", change)
    assert cameras.get("c").config == running.config


def test_a_pipeline_whose_key_is_missing_changes_nothing(cameras: Instances, pipelines: Instances) -> None:
    cameras.start("c", SIMULATION)
    asked = {"camera_name": "c", "pipeline_type": "stream"}
    running = pipelines.start("p", asked)
    for socket in ("", "input_", "bsread_"):
        with pytest.raises(InvalidValue, match="there is no key pair 'gone'") as refused:
            pipelines.reconfigure("p", {f"{socket}curve_key": "gone", f"{socket}curve_peers": "engine"})
        assert refused.value.subject == f"{socket}curve_key"
    assert pipelines.get("p").config == running.config
