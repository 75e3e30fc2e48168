"""gf_repstream's commands with the arguments of their README, run as programs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import entry_points
from pathlib import Path

import httpx
import numpy as np
import pytest

from repstream.messages import array_1_0
from repstream.parameters.configuration import Configuration
from repstream_cli import gf_repstream
from tests.integration.rig import until
from tests.ports import free_port


@contextmanager
def program(name: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """One of the programs that the package installs, ended with the block."""
    (point,) = entry_points(group="console_scripts", name=name)
    code = f"import sys; from {point.module} import {point.attr} as main; sys.argv[0] = {name!r}; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=20)


def three_ports() -> int:
    """The first of three free ports one after the other."""
    found = [free_port()]
    while len(found) < 3:
        found.append(free_port())
        if found[-1] != found[-2] + 1:
            found = found[-1:]
    return found[0]


def serving(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("serving"):
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return
    raise AssertionError(f"it does not serve: {said} {process.stderr and process.stderr.read()}")


def test_frames_go_from_the_fake_stream_to_three_consumers(tmp_path: Path) -> None:
    source, rest, first = free_port(), free_port(), three_ports()
    ports = ("--rest-port", rest, "--http-port", free_port())
    ours = (*ports, "--engine-address", f"tcp://127.0.0.1:{free_port()}", "--root", tmp_path)
    where = ("--in-address", f"tcp://127.0.0.1:{source}", "--out-init-port", first)
    with ExitStack() as stack:
        repeater = stack.enter_context(
            program("gf_repstream", *where, "--n-output", 3, "--send-every-nth", 1, 2, 5, *ours)
        )
        serving(repeater)
        consumers = [
            stack.enter_context(
                program("gf_consume_stream", "-a", f"tcp://127.0.0.1:{first + n}", "-m", "PULL", "-n", number)
            )
            for n, number in enumerate((10, 5, 2))
        ]
        with httpx.Client(base_url=f"http://127.0.0.1:{rest}") as http:
            until(lambda: http.get("/get_state").json()["state"] == ["RUNNING", 1], "the start")
            config = http.get("/get_status").json()["config"]
            assert config["stream_ports"] == [first, first + 1, first + 2]
            assert config["send_output_param"] == [1, 2, 5]
        stack.enter_context(
            program("gf_fake_stream", "-a", f"tcp://127.0.0.1:{source}", "-i", 10, "-s", "8x8", "-r", 0)
        )
        for consumer, ids in zip(consumers, (range(10), range(0, 10, 2), (0, 5)), strict=True):
            output, errors = consumer.communicate(timeout=60)
            assert consumer.returncode == 0, errors
            lines = [line.partition(" ") for line in output.splitlines() if line[0].isdigit()]
            assert [int(number) for number, *_ in lines] == list(range(1, len(ids) + 1))
            assert [json.loads(header)["frame"] for *_, header in lines] == list(ids)


def test_a_recording_is_repeated_to_every_subscriber(tmp_path: Path) -> None:
    """`-f` and `-m pub` of the fake stream, `-m sub` of the consumer: three messages again and again."""
    for number in range(3):
        header, data = array_1_0.encode(40 + number, np.full((4, 6), number, np.uint16))
        (tmp_path / f"{number:06}_000.raw").write_bytes(header)
        (tmp_path / f"{number:06}_001.raw").write_bytes(data)
    address = f"tcp://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        consumer = stack.enter_context(
            program("gf_consume_stream", "-a", address, "-m", "SUB", "-f", "TestMetadata", "-n", 7)
        )
        sending = ("-a", address, "-f", tmp_path, "-m", "PUB", "-i", 0, "-r", 50)
        stack.enter_context(program("gf_fake_stream", *sending))
        output, errors = consumer.communicate(timeout=60)
    assert consumer.returncode == 0, errors
    found = [json.loads(line.partition(" ")[2])["frame"] for line in output.splitlines() if line[0].isdigit()]
    assert found == list(range(found[0], found[0] + 7)), "numbered anew, on and on"


def test_every_argument_of_the_readme_stands_for_a_setting(tmp_path: Path) -> None:
    options = {
        "--in-address": "tcp://127.0.0.1:9",
        "--in-zmq-mode": "sub",
        "--out-init-port": "9700",
        "--io-threads": "3",
        "--buffer-size": "1234",
        "--n-output-streams": "2",
        "--mode-metadata": "file",
    }
    given = [text for pair in options.items() for text in pair]
    found = configured([*given, "--send-every-nth", "4", "5"])
    source = found.source
    assert (source.address, source.mode, source.io_threads) == ("tcp://127.0.0.1:9", "SUB", 3)
    assert source.buffer_size == 1234
    streams = list(found.streams.values())
    assert [stream.address for stream in streams] == ["tcp://*:9700", "tcp://*:9701"]
    assert [(stream.mode, stream.every_nth, stream.buffer_size) for stream in streams] == [
        ("PUSH", 4, 1234),
        ("PUSH", 5, 1234),
    ]
    nothing = configured([])
    assert (nothing.source.address, nothing.streams) == ("tcp://127.0.0.1:9990", {})
    file = {
        "in-stream": {"name": "in", "zmq_mode": "SUB", "address": "tcp://127.0.0.1:9"},
        "out-streams": {
            "gpu": {"zmq_mode": "PUB", "port": 9667, "send_output_mode": "strides", "send_output_param": 5}
        },
    }
    (tmp_path / "repstream_config.json").write_text(json.dumps(file))
    gpu = configured(["--config-file", str(tmp_path / "repstream_config.json")]).streams["gpu"]
    assert (gpu.address, gpu.mode, gpu.policy, gpu.stride) == ("tcp://*:9667", "PUB", "strides", 5)


def configured(arguments: list[str]) -> Configuration:
    return gf_repstream._configuration(gf_repstream._parser().parse_args(arguments))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--n-output-streams", "2", "--send-every-nth", "1"], "--send-every-nth has 1 numbers"),
        (["--config-file", "x.json", "--io-threads", "2"], "--config-file says all that --io-threads"),
        (["--config-file", "/nonexistent/x.json"], "x.json"),
        (["--in-address", "nonsense"], "source.address"),
        (["--in-zmq-mode", "PUB"], "invalid choice"),
        (["--send-every-nth", "0"], "every_nth"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        gf_repstream.main(arguments)
    assert end.value.code == 2
    assert says in capsys.readouterr().err
