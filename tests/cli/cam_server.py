"""cam_server's programs as processes, in a folder of their own, for tests with its published clients."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port


@dataclass(frozen=True)
class Servers:
    """Where the two servers are."""

    camera: str
    pipeline: str


@contextmanager
def program(
    name: str, folder: Path, *arguments: object, environment: Mapping[str, str] = os.environ
) -> Iterator[subprocess.Popen[str]]:
    """A program such as ``camera_server`` that serves; it ends with the test."""
    code = f"from repstream_cli.cam_server.programs import {name}; {name}()"
    command = [sys.executable, "-u", "-c", code, *map(str, arguments)]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def wait_until_ready(process: subprocess.Popen[str]) -> None:
    """Until it says where it serves; fails with what it said instead."""
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        if "Ctrl-C" in line:
            return
        said.append(line)
    raise AssertionError("".join(said))


@contextmanager
def servers(folder: Path, kind: str = "server", *pipeline_arguments: object) -> Iterator[Servers]:
    """A camera and a pipeline ``server`` or ``manager`` on free ports."""
    ports = free_port(), free_port()
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    here = ("-i", "127.0.0.1", "-n", "127.0.0.1", "-p")
    with ExitStack() as stack:
        started = [
            stack.enter_context(program(f"camera_{kind}", folder, *here, ports[0])),
            stack.enter_context(
                program(f"pipeline_{kind}", folder, *here, ports[1], "-c", urls[0], *pipeline_arguments)
            ),
        ]
        for process in started:
            wait_until_ready(process)
        yield Servers(*urls)
