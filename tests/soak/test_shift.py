"""A shift at the beamline: acquisition after acquisition at 50 Hz, watched from everywhere.

`REPSTREAM_SOAK_MINUTES` sets how long (10).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import pytest

from repstream import Client
from repstream.sources.images import Images
from tests.cli.running import free_port, started

MINUTES = float(os.environ.get("REPSTREAM_SOAK_MINUTES", "10"))
SHAPE, DTYPE, RATE, NUMBER = (1200, 2016), "uint16", 50, 500
GROWTH = 1.10
"""How much more memory the last third of the shift may take than the second."""


def resident(process_id: int) -> float:
    """Resident memory of a process in MB."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.soak
def test_a_shift_loses_nothing_and_memory_stays_flat(tmp_path: Path) -> None:
    ports = {
        name: free_port() for name in ("source", "all", "fifth", "tenth", "engine", "tango", "epics", "http")
    }
    images = Images(SHAPE, DTYPE, seed=3)
    with ExitStack() as stack:
        engine, consumers, pollers, service = _beamline(stack, tmp_path, ports)
        stack.enter_context(
            started("simulate", "-a", f"tcp://127.0.0.1:{ports['source']}", "-r", RATE, "-n", 0, "--seed", 3)
        )
        memory: list[tuple[float, float]] = []
        files, last, end = 0, -1, time.monotonic() + 60 * MINUTES
        while time.monotonic() < end:
            last = _acquire(engine, tmp_path / f"scan{files}.h5", images, after=last)
            files += 1
            assert all(poller.poll() is None for poller in pollers), "a polling client is gone"
            memory.append((resident(int(engine.engine.process_id)), resident(service.pid)))
            losses = _losses(engine)
            print(
                f"{time.strftime('%X')} {files} files, data plane {memory[-1][0]:.0f} MB, "
                f"service {memory[-1][1]:.0f} MB, lost {losses or 'nothing'}",
                flush=True,
            )
        assert not losses
        received = engine.read("source.received")
        engine.engine.stop().wait(30)
        for poller in pollers:
            poller.terminate()
            rounds = int(poller.communicate(timeout=30)[0])
            print(f"{rounds} rounds of a poller")
            assert rounds > 60 * MINUTES  # one a second at the very least
        assert received >= NUMBER * files
        for consumer in consumers:
            consumer.terminate()
            print(json.loads(consumer.communicate(timeout=30)[0]))
    third = max(1, len(memory) // 3)
    for which, name in enumerate(("data plane", "service")):
        before = float(np.median([m[which] for m in memory[third : 2 * third] or memory]))
        after = float(np.median([m[which] for m in memory[-third:]]))
        print(f"{name}: {before:.0f} MB, then {after:.0f} MB")
        assert after < before * GROWTH


def _losses(engine: Client) -> dict[str, object]:
    """What was lost until now: parameter to number, where it is not zero."""
    keys = [f"source.{name}" for name in ("missing", "malformed", "duplicates")]
    keys += [f"streams.{name}.dropped" for name in ("all", "fifth", "tenth")]
    return {key: lost for key in keys if (lost := engine.read(key))}


def _beamline(
    stack: ExitStack, folder: Path, ports: dict[str, int]
) -> tuple[Client, list[subprocess.Popen[str]], list[subprocess.Popen[str]], subprocess.Popen[str]]:
    def stream(name: str, mode: str, every: int) -> dict[str, object]:
        address = f"tcp://127.0.0.1:{ports[name]}"
        return {"address": address, "mode": mode, "policy": "send_every_nth", "every_nth": every}

    configuration = {
        "source": {"address": f"tcp://127.0.0.1:{ports['source']}"},
        "streams": {
            "all": stream("all", "PUSH", 1),
            "fifth": stream("fifth", "PUB", 5),
            "tenth": stream("tenth", "PUB", 10),
        },
        "writers": {"main": {"folder": str(folder), "num_images": NUMBER}},
    }
    (folder / "beamline.json").write_text(json.dumps(configuration))
    service = stack.enter_context(
        started(
            *("serve", "--config", folder / "beamline.json", "--root", folder),
            *("--engine-address", f"tcp://127.0.0.1:{ports['engine']}", "--tango-port", ports["tango"]),
            *("--epics-port", ports["epics"], "--http-port", ports["http"]),
        )
    )
    consumers = [
        stack.enter_context(
            started("consume", f"tcp://127.0.0.1:{ports[name]}", "-m", mode, "--json", "-q", "--strict")
        )
        for name, mode in (("all", "pull"), ("fifth", "sub"), ("tenth", "sub"))
    ]
    engine = stack.enter_context(Client(f"tcp://127.0.0.1:{ports['engine']}", timeout=30))
    engine.engine.start().wait(10)
    pollers = []
    for kind in ("tango", "epics", "http"):
        command = [sys.executable, "-m", "tests.soak.poll", kind, str(ports[kind])]
        pollers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(pollers[-1].kill)
    return engine, consumers, pollers, service


def _acquire(engine: Client, file: Path, images: Images, after: int) -> int:
    """One acquisition, verified by content and deleted; the id of its last frame."""
    writer = engine.writers.main
    writer.output_file = str(file)
    completion = writer.start().wait(60)
    assert completion.ok, completion.message
    with h5py.File(file, "r") as opened:
        ids = opened["/detector/metadata"]["image_id"]
        assert ids.tolist() == list(range(int(ids[0]), int(ids[0]) + NUMBER))
        assert int(ids[0]) > after
        data = opened["/detector/data"]
        for n, frame_id in enumerate(ids):
            assert np.array_equal(data[n], images(int(frame_id))), frame_id
    file.unlink()
    return int(ids[-1])
