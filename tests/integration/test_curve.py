"""Encrypted inputs, streams, pictures and engine's address, from and to plain pyzmq peers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import zmq

import repstream
from repstream.errors import EngineUnreachable
from repstream.link.server import EngineServer
from repstream.messages import array_1_0
from repstream.parameters.configuration import Configuration
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream.sockets.keys import FOLDER_VARIABLE, Keys
from repstream.sockets.security import Server, security
from repstream_cli.exits import Exit
from tests.cli.running import repstream as run
from tests.cli.running import started
from tests.integration.rig import IMAGES, free_port, until
from tests.sockets import keeping_context

ME = Requester("test")
SHAPE, DTYPE = (120, 201), "uint16"
Socket = zmq.Socket[bytes]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    keys = Keys(tmp_path_factory.mktemp("keys"))
    for name in ("engine", "detector", "viewer", "stranger"):
        keys.create(name)
    before = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = str(keys.place)  # the data plane inherits it
    yield keys
    if before is None:
        del os.environ[FOLDER_VARIABLE]
    else:
        os.environ[FOLDER_VARIABLE] = before


class Site:
    """An engine whose input binds and whose stream publishes, both encrypted; sockets of plain pyzmq."""

    def __init__(self, folder: Path, keys: Keys, stack: ExitStack) -> None:
        self.source, self.live = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
        self._keys = keys
        self._stack = stack
        self._context = stack.enter_context(keeping_context())
        tree = {
            "source": {
                "address": self.source,
                "connection": "bind",
                "curve_key": "engine",
                "curve_peers": "detector",
            },
            "streams": {
                "live": {"address": self.live, "mode": "PUB", "curve_key": "engine", "curve_peers": "viewer"}
            },
            "writers": {"main": {"folder": str(folder)}},
            "pictures": {"1": {"stream": "live", "enable": True}},
        }
        configuration = Configuration.model_validate(tree)
        self.service = Service(ServiceOptions(name="t", roots=(folder,), configuration=configuration))
        self.service.start()
        stack.callback(self.service.close)
        self.service.execute("engine.start", None, ME)
        until(lambda: self.value("engine.state") == "RUNNING", "RUNNING")

    def value(self, key: str) -> object:
        return self.service.read(key).value

    def connected(self, kind: int, address: str, name: str) -> Socket:
        """A socket with the key of this name; none without."""
        socket = self._stack.enter_context(self._context.socket(kind))
        socket.linger = 0
        if kind == zmq.SUB:
            socket.subscribe(b"")
        if name:
            pair = self._keys.pair(name)
            socket.curve_publickey, socket.curve_secretkey = pair.public, pair.secret
            socket.curve_serverkey = self._keys.public("engine")
        socket.connect(address)
        return socket


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path_factory.mktemp("files"), keys, stack)


def send(detector: Socket, frame_id: int) -> None:
    assert detector.poll(10_000, zmq.POLLOUT)
    detector.send_multipart([array_1_0.gigafrost_header(frame_id, SHAPE, DTYPE), IMAGES(frame_id)])


def test_frames_go_encrypted_from_a_known_detector_to_a_known_viewer(site: Site) -> None:
    detector = site.connected(zmq.PUSH, site.source, "detector")
    viewer = site.connected(zmq.SUB, site.live, "viewer")
    until(lambda: site.value("streams.live.clients") == 2, "the viewer and the pictures")
    for frame_id in range(5):
        send(detector, frame_id)
    for frame_id in range(5):
        assert viewer.poll(10_000)
        frame = array_1_0.decode(viewer.recv_multipart())
        assert frame.frame_id == frame_id
        assert np.array_equal(array_1_0.array(frame), IMAGES(frame_id))
    until(lambda: site.value("pictures.1.image_id") == 4, "the last image among the pictures")
    assert site.value("source.missing") == 0


@pytest.mark.parametrize("name", ["", "stranger"])
def test_strangers_neither_see_nor_send_and_are_counted(site: Site, name: str) -> None:
    seen, sent = (int(str(site.value(f"{key}.denied"))) for key in ("streams.live", "source"))
    spy = site.connected(zmq.SUB, site.live, name)
    forger = site.connected(zmq.PUSH, site.source, name)
    send(forger, 1000)  # into its own queue, which nobody empties
    until(lambda: int(str(site.value("streams.live.denied"))) > seen, "the spy to be counted")
    until(lambda: int(str(site.value("source.denied"))) > sent, "the forger to be counted")
    detector = site.connected(zmq.PUSH, site.source, "detector")
    received = int(str(site.value("source.received")))
    send(detector, received + 100)
    until(lambda: int(str(site.value("source.received"))) == received + 1, "the frame")
    assert not spy.poll(100)
    assert site.value("source.last_frame_id") == received + 100


def test_an_input_whose_key_the_detector_does_not_know_says_so(tmp_path: Path, keys: Keys) -> None:
    with keeping_context() as context, context.socket(zmq.PUSH) as detector:
        detector.linger = 0
        Server("detector", "viewer", "detector").apply(context, detector)
        port = detector.bind_to_random_port("tcp://127.0.0.1")
        source = {"address": f"tcp://127.0.0.1:{port}", "curve_key": "engine", "curve_peers": "detector"}
        configuration = Configuration.model_validate({"source": source})
        service = Service(ServiceOptions(name="t", roots=(tmp_path,), configuration=configuration))
        service.start()
        try:
            service.execute("engine.start", None, ME)
            until(
                lambda: "does not know our key engine" in str(service.read("source.link_problem").value),
                "the reason",
            )
        finally:
            service.close()


def test_a_start_whose_key_is_missing_is_refused_and_nothing_is_open(tmp_path: Path, keys: Keys) -> None:
    live = f"tcp://127.0.0.1:{free_port()}"
    stream = {"address": live, "curve_key": "gone", "curve_peers": "*"}
    configuration = Configuration.model_validate({"streams": {"live": stream}})
    service = Service(ServiceOptions(name="t", roots=(tmp_path,), configuration=configuration))
    service.start()
    try:
        with pytest.raises(repstream.Refused, match="there is no key pair 'gone'"):
            service.execute("engine.start", None, ME)
        assert service.read("engine.state").value != "RUNNING"
    finally:
        service.close()


def test_the_engines_address_takes_those_it_knows_and_says_what_others_lack(
    site: Site, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    server = EngineServer(
        site.service, "tcp://127.0.0.1:*", security=security("engine", "viewer", "engine", binds=True)
    )
    server.start()
    try:
        with repstream.Client(server.address, curve_key="viewer", curve_server="engine") as client:
            assert client.read("engine.name") == "t"
            client.write("writers.main.num_images", 7)
            assert site.value("writers.main.num_images") == 7
        with pytest.raises(EngineUnreachable, match="does it know our CURVE key"):
            repstream.Client(server.address, curve_key="stranger", curve_server="engine")
        with pytest.raises(EngineUnreachable, match="it is encrypted: REPSTREAM_CURVE_SERVER"):
            repstream.Client(server.address)
        assert "refused somebody without a key" in caplog.text
    finally:
        server.close()


def test_the_command_line_makes_keys_serves_with_them_and_sees_the_stream(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    engine, live, source = (f"tcp://127.0.0.1:{free_port()}" for _ in range(3))
    environment = {**os.environ, FOLDER_VARIABLE: str(folder)}

    seen = run("keys", "create", "engine", "--keys", folder)
    assert seen.returncode == Exit.OK, seen.stderr
    assert seen.stdout.strip() == Keys(folder).public("engine").decode()
    for name in ("me", "detector"):
        Keys(folder).create(name)
    configuration = tmp_path / "c.json"
    encrypted = '"curve_key": "engine", "curve_peers": '
    configuration.write_text(
        f'{{"source": {{"address": "{source}", {encrypted} "detector"}},'
        f' "streams": {{"live": {{"address": "{live}", "mode": "PUB", {encrypted} "me"}}}}}}'
    )
    simulate = ("simulate", "-a", source, "--curve-key", "detector", "--curve-peers", "engine", "-q")
    serve = ("serve", "--config", configuration, "--root", tmp_path, "--engine-address", engine, "--start")
    options = ("--no-tango", "--no-epics", "--no-http", "--curve-key", "engine", "--curve-clients", "me")
    with (
        started(*simulate, "--size", "32x32", "-r", "50", "-n", "0", environment=environment),
        started(*serve, *options, environment=environment) as process,
    ):
        assert process.stdout
        next(line for line in process.stdout if "serving;" in line)
        os.environ[FOLDER_VARIABLE], before = str(folder), os.environ.get(FOLDER_VARIABLE, "")
        try:
            mine = ("--curve-key", "me", "--curve-peers", "engine")
            seen = run("consume", live, "--mode", "sub", "-n", "3", "--timeout", "20", "-q", *mine)
            assert seen.returncode == Exit.OK, seen
            seen = run("look", live, "--curve-key", "me", "--curve-peers", "engine", "--no-view")
            assert seen.returncode == Exit.OK, seen
            with repstream.Client(engine, curve_key="me", curve_server="engine") as client:
                assert client.read("source.connected") is True
        finally:
            os.environ[FOLDER_VARIABLE] = before
