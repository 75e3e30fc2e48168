"""A start that was taken takes every frame that leaves the detector afterwards, in each control system."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repstream.protocol import Requester
from tests.integration.rig import assert_holds, running_rig, until

IMAGES = 3
RUNS = {"python": 25, "http": 5, "tango": 5}
START: dict[str, Callable[[Any], Any]] = {
    # None of them waits for more than that the start was taken.
    "python": lambda client: client._client.writers.main.start(),
    "http": lambda client: client._http.post("/commands/writers.main.start", json={}).raise_for_status(),
    "tango": lambda client: client._writers[1].Start(),
}


@pytest.mark.parametrize("front_end", RUNS)
def test_frames_sent_at_once_after_a_start_are_all_taken(front_end: str, tmp_path: Path) -> None:
    with running_rig(tmp_path) as rig:
        client = rig.client(front_end)
        client.write("writers.1.num_images", IMAGES)
        rig.service.execute("engine.start", None, Requester("test")).wait(20)
        until(lambda: rig.value("source.connected") is True, "the detector")
        for run in range(RUNS[front_end]):
            path = tmp_path / f"{run}.h5"
            client.write("writers.1.output_file", str(path))
            START[front_end](client)
            ids = range(run * IMAGES, (run + 1) * IMAGES)
            rig.detector.send(ids)
            until(lambda: rig.value("writers.main.state") == "READY", "the end of the acquisition")
            assert_holds(path, ids)
