"""The examples of docs/explanations/joints.md: two in a data plane, a step and a front end in processes."""

from __future__ import annotations

import importlib
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BufferedRWPair
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from repstream.dataplane.repeater import Repeater
from repstream.errors import Refused
from repstream.link.server import EngineServer
from repstream.messages import array_1_0
from repstream.parameters.configuration import Configuration
from repstream.parameters.source import SOURCES
from repstream.parameters.stream import TRANSPORTS
from repstream.protocol import Requester
from repstream.service.service import Service
from tests.engine.dataplane.bench import PATIENCE, configuration, image, message
from tests.fakes import running_engine
from tests.ports import free_port
from tests.sockets import keeping_context
from tests.waiting import until

PAGE = Path(__file__).parents[2] / "docs/explanations/joints.md"
IMAGE = np.arange(20, dtype="uint16").reshape(4, 5)


def example(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both files, and their lines in the tables."""
    for name, scheme, table in (("source", "memory", SOURCES), ("transport", "unixgram", TRANSPORTS)):
        (tmp_path / f"joint_{name}.py").write_text(example(name))
        monkeypatch.setitem(table, scheme, f"joint_{name}")  # type: ignore[arg-type]
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(str(tmp_path / "log"))
        there.settimeout(PATIENCE)
        yield there


def ring_to(path: Path, **streams: dict[str, Any]) -> Configuration:
    """A ring as the source, a datagram stream named ``log``, and further streams."""
    base = configuration("tcp://127.0.0.1:9609", streams={"log": {}, **streams})
    log = base.streams["log"].model_copy(update={"address": f"unixgram://{path}"})
    source = base.source.model_copy(update={"address": "memory://camera"})
    return base.model_copy(update={"source": source, "streams": {**base.streams, "log": log}})


def put(repeater: Repeater, frame_id: int) -> bool:
    header, pixels = array_1_0.encode(frame_id, IMAGE + np.uint16(frame_id))
    ring: Any = repeater.source
    taken: bool = ring.put(header, pixels)
    return taken


def take(repeater: Repeater) -> None:
    while repeater.receive(time.monotonic() + PATIENCE, lambda: False):
        pass


def close(repeater: Repeater) -> None:
    repeater.close_source()
    repeater.close_streams(0)[0].join()


@pytest.mark.usefixtures("modules")
def test_frames_of_a_new_source_go_through_a_new_transport(logger: socket.socket, tmp_path: Path) -> None:
    repeater = Repeater(ring_to(tmp_path / "log"), lambda notice: None, lambda: None)
    for turn in range(3):
        assert [put(repeater, 4 * turn + i) for i in range(5)] == [True] * 4 + [False]
        take(repeater)
        for i in range(4):
            assert array_1_0.decode([logger.recv(4096), IMAGE.tobytes()]).frame_id == 4 * turn + i
    report = repeater.report()
    assert (report.source.ledger.frames, report.source.connected, report.losses) == (12, True, 0)
    assert report.streams[1].ledger.sent == 12
    close(repeater)


@pytest.mark.usefixtures("modules")
def test_memory_is_lent_until_the_last_output_has_let_go(logger: socket.socket, tmp_path: Path) -> None:
    waiting = {"address": f"ipc://{tmp_path}/live", "on_slow": "block"}
    repeater = Repeater(ring_to(tmp_path / "log", waiting=waiting), lambda notice: None, lambda: None)
    assert all(put(repeater, i) for i in range(4))
    take(repeater)
    assert not put(repeater, 4)  # they wait in the queue of a stream without a consumer
    with keeping_context() as context, context.socket(zmq.PULL) as sink:
        sink.rcvtimeo = round(PATIENCE * 1000)
        sink.connect(f"ipc://{tmp_path}/live")
        end = time.monotonic() + PATIENCE
        while repeater.waiting and time.monotonic() < end:
            repeater.streams[2].drain()
        images = [array_1_0.array(array_1_0.decode(sink.recv_multipart())) for _ in range(4)]
    for i, received in enumerate(images):
        np.testing.assert_array_equal(received, IMAGE + np.uint16(i))
    while not put(repeater, 4):
        assert time.monotonic() < end
        time.sleep(0.01)
    close(repeater)


@pytest.mark.usefixtures("modules")
def test_a_transport_that_has_no_room_leaves_the_message_with_the_queue(
    logger: socket.socket, tmp_path: Path
) -> None:
    repeater = Repeater(ring_to(tmp_path / "log"), lambda notice: None, lambda: None)
    sent = 0
    while not repeater.streams[1].ledger.queued:
        assert put(repeater, sent)
        sent += 1
        take(repeater)
    assert repeater.streams[1].transport.room is not None
    while repeater.waiting:
        logger.recv(4096)
        repeater.streams[1].drain()
    assert repeater.streams[1].ledger.sent == sent
    close(repeater)


@pytest.mark.usefixtures("modules")
def test_a_transport_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"streams\.log\.address.*cannot send"):
        Repeater(ring_to(tmp_path / "nowhere"), lambda notice: None, lambda: None)


def test_a_step_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    script = tmp_path / "mirror.py"
    script.write_text(example("step"))
    there, raw, made, live = (f"ipc://{tmp_path}/{name}" for name in ("there", "raw", "made", "live"))
    command = [sys.executable, str(script), raw, made]
    with subprocess.Popen(command) as process, keeping_context() as context:
        try:
            with context.socket(zmq.PUSH) as detector, context.socket(zmq.PULL) as sink:
                detector.bind(there)
                sink.connect(live)
                engines = [
                    Repeater(
                        configuration(source, streams={"out": {"address": out}}), lambda _: None, lambda: None
                    )
                    for source, out in ((there, raw), (made, live))
                ]
                for frame_id in range(5):
                    detector.send_multipart(message(frame_id))
                end = time.monotonic() + PATIENCE
                while engines[1].report().streams[1].ledger.sent < 5 and time.monotonic() < end:
                    for engine in engines:
                        take(engine)
                        engine.streams[1].drain()
                frames = [array_1_0.decode(sink.recv_multipart()) for _ in range(5) if sink.poll(1000)]
                for engine in engines:
                    close(engine)
        finally:
            process.kill()
    assert [frame.frame_id for frame in frames] == list(range(5))
    for frame in frames:
        np.testing.assert_array_equal(array_1_0.array(frame), np.fliplr(image(frame.frame_id)))


@pytest.mark.parametrize("scheme", SOURCES)
def test_every_scheme_of_a_source_has_its_module(scheme: str) -> None:
    assert callable(importlib.import_module(SOURCES[scheme]).open_source)


@pytest.mark.parametrize("scheme", TRANSPORTS)
def test_every_scheme_of_a_transport_has_its_module(scheme: str) -> None:
    assert callable(importlib.import_module(TRANSPORTS[scheme]).open_transport)


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[tuple[Service, BufferedRWPair[Any, Any]]]:
    """An engine, the front end of the page as a process attached to it, and a connection to that."""
    script, port = tmp_path / "lines.py", free_port()
    script.write_text(example("front end"))
    with (
        running_engine(tmp_path) as engine,
        EngineServer(engine, f"ipc://{tmp_path}/engine") as server,
        subprocess.Popen([sys.executable, str(script), server.address, str(port)]) as process,
    ):
        try:
            # As text, a write would drop what has been read ahead.
            with connected(port) as there, there.makefile("rwb") as stream:
                until(lambda: asked(stream, "engine.state") == 'engine.state "INITIALIZED"', "the engine")
                yield engine, stream
        finally:
            process.kill()


def connected(port: int) -> socket.socket:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        except ConnectionRefusedError:
            assert time.monotonic() < end, "nobody listens"
            time.sleep(0.05)


def asked(stream: BufferedRWPair[Any, Any], line: str) -> str:
    """The answer to a line, behind whatever changed meanwhile."""
    stream.write(f"{line}\n".encode())
    stream.flush()
    return next(line.decode().strip() for line in stream if not line.startswith(b"changed "))


def test_a_new_front_end_has_every_parameter(lines: tuple[Service, BufferedRWPair[Any, Any]]) -> None:
    engine, stream = lines
    assert len(engine.catalogue.parameters) > 300
    for key, parameter in engine.catalogue.parameters.items():
        shown, _, text = asked(stream, key).partition(" ")
        assert shown == key
        if parameter.writable:  # what the engine says about itself moves on
            assert json.loads(text) == engine.read(key).value


def test_a_new_front_end_writes_commands_and_is_refused_in_the_engines_words(
    lines: tuple[Service, BufferedRWPair[Any, Any]],
) -> None:
    engine, stream = lines
    assert asked(stream, "streams.live.every_nth 5") == "streams.live.every_nth 5"
    assert engine.read("streams.1.every_nth").value == 5
    assert "from 1 to 1000000000 frames; it stays 5" in asked(stream, "streams.live.every_nth 0")
    assert asked(stream, "streams.live.every_nth five").startswith("refused 'five' is not JSON")
    assert asked(stream, "!engine.start").startswith("done engine.start")
    assert asked(stream, "!engine.start").startswith("refused engine.start refused: not possible in RUNNING")
    assert str(engine.read("engine.last_command_by").value).startswith("lines ")


def test_a_new_front_end_shows_what_others_change(lines: tuple[Service, BufferedRWPair[Any, Any]]) -> None:
    engine, stream = lines
    engine.write({"streams.live.every_nth": 7}, Requester("test"))
    assert any(line.strip() == b"changed streams.1.every_nth 7" for line in stream)
