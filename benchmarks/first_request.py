"""How soon a pipeline server answers with the address of a stream, against the limits that are set for it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.pairs import compare, free_addresses
from benchmarks.report import Row

FIRST, SHARED = 1.5, 0.05
"""Seconds until the answer, at most: where pipeline and camera have to be started, and where they run."""

ASKED = 20
"""Requests for what runs, of which the median counts."""


def requests(rounds: int) -> Iterator[Row]:
    """The first request of a pipeline, whose camera does not run either, and those after it."""
    with _servers() as (camera, pipeline):
        stream = f"{pipeline}/api/v1/pipeline/instance/beam"

        def first() -> float:
            _ask("DELETE", f"{pipeline}/api/v1/pipeline")
            _ask("DELETE", f"{camera}/api/v1/cam")
            return _seconds(lambda: _ask("GET", stream))

        def shared() -> float:
            return statistics.median(_seconds(lambda: _ask("GET", stream)) for _ in range(ASKED))

        yield Row(
            "first request of a pipeline, its camera stopped",
            1.0,
            compare(first, {"limit": lambda: FIRST}, rounds),
            "s",
            most=True,
        )
        yield Row(
            "request of a pipeline that runs",
            1.0,
            compare(shared, {"limit": lambda: SHARED}, rounds),
            "s",
            most=True,
        )


@contextmanager
def _servers() -> Iterator[tuple[str, str]]:
    """A camera server with the simulation, and a pipeline server with one pipeline of it."""
    addresses = [each.removeprefix("tcp://") for each in free_addresses(2)]
    camera, pipeline = (f"http://{each}" for each in addresses)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        saved = folder / "configuration/pipeline_config"
        saved.mkdir(parents=True)
        (saved / "beam.json").write_text(json.dumps({"camera_name": "simulation"}))
        for name, address, more in (
            ("camera_server", addresses[0], []),
            ("pipeline_server", addresses[1], ["-c", camera]),
        ):
            host, _, port = address.rpartition(":")
            stack.enter_context(_program(name, folder, "-i", host, "-n", host, "-p", port, *more))
        yield camera, pipeline


@contextmanager
def _program(name: str, folder: Path, *arguments: str) -> Iterator[None]:
    code = f"from repstream_cli.cam_server.programs import {name}; {name}()"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code, *arguments], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            if not any("Ctrl-C" in line for line in process.stdout):
                raise RuntimeError(f"{name} did not start")
            yield
        finally:
            process.terminate()


def _ask(method: str, url: str) -> dict[str, Any]:
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
    if answer["state"] != "ok":
        raise RuntimeError(f"{method} {url}: {answer['status']}")
    return answer


def _seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin
