"""The service, its data plane and everything else killed at once while a file is written."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import repstream
from repstream.files.verify import verify
from repstream.sources.images import image
from tests.cli.processes import below, still_alive
from tests.cli.running import free_port, started

QUIET = ("--no-tango", "--no-epics", "--no-http")
SHAPE = (64, 48)
ROUNDS = int(os.environ.get("REPSTREAM_SOAK_KILLS", "2000")) // 20


def written_until_killed(folder: Path) -> tuple[Path, int]:
    """Let a whole site write a file and kill all of it; the file, and how many images were reported."""
    path, config = folder / "scan.h5", folder / "site.json"
    engine, source = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
    writer = {"output_file": str(path), "checksum": "xxh3"}
    config.write_text(
        json.dumps({"schema_version": 1, "source": {"address": source}, "writers": {"main": writer}})
    )
    detector = ("simulate", "-a", source, "--size", "64x48", "--rate", 2000, "-n", 0, "-q")
    site = ("--engine-address", engine, "--root", folder, "--config", config, *QUIET)
    with started(*detector), started("serve", *site) as serve:
        assert serve.stdout
        next(line for line in serve.stdout if "serving" in line)
        with repstream.Client(engine) as client:
            client.execute("writers.main.start")
            client.wait("writers.main.num_written", bool, timeout=30)
            time.sleep(random.uniform(0, 0.5))
            everything = {serve.pid, *below(serve.pid)}
            reported = int(str(client.read("writers.main.num_written")))
            for process_id in everything:
                os.kill(process_id, signal.SIGKILL)
        serve.wait(10)
        assert not still_alive(everything)
    return path, reported


def check(path: Path, reported: int) -> None:
    assert verify(path).damaged == []
    with h5py.File(path) as file:
        data, ids = file["/entry/data/data"], file["/entry/instrument/detector/metadata"]["image_id"]
        assert len(data) >= reported > 0
        for number in range(len(data)):
            assert np.array_equal(data[number], image(int(ids[number]), SHAPE, "uint16"))


def test_when_all_processes_are_killed_every_reported_image_is_there(tmp_path: Path) -> None:
    check(*written_until_killed(tmp_path))


@pytest.mark.soak
def test_again_and_again(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        check(*written_until_killed(folder))
