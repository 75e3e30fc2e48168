"""The next acquisition is set up and begun from each control system while the last one is flushed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from repstream.protocol import Requester
from tests.conformance.client import Rejected
from tests.integration.rig import SERVING, Rig, assert_holds, running_rig, until
from tests.storage import Storage

ME = Requester("test")


@pytest.fixture
def rig(storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    for name, value in storage.environment.items():
        monkeypatch.setenv(name, value)
    with running_rig(tmp_path) as rig:
        yield rig
        storage.does("")


@pytest.mark.parametrize("front_end", SERVING)
def test_the_next_one_is_begun_while_the_last_one_is_flushed(
    rig: Rig, storage: Storage, front_end: str
) -> None:
    client = rig.client(front_end)
    handles = {}
    for name, first in (("first", 0), ("second", 30)):
        client.write("writers.1.output_file", f"{rig.folder}/{name}.h5")
        client.write("writers.1.num_images", 30)
        client.execute("writers.1.arm")
        if name == "first":
            storage.does("stall first.h5")
        handles[name] = rig.service.execute("writers.main.start", None, ME)
        with pytest.raises(Rejected, match="stop it first"):
            client.execute("writers.1.arm")
        until(lambda: client.read("writers.1.gate") == "open", "the writer to take frames")
        rig.detector.send(range(first, first + 30))
        until(lambda: client.read("writers.1.gate") == "shut", "all frames to have come")
    until(lambda: client.read("writers.1.acq_state") == "FINISHED", "the second file to be closed")
    assert handles["second"].wait(5).ok
    assert client.read("writers.1.previous_acq_state") == "FLUSHING_IMAGES"
    assert client.read("writers.1.state") == "WRITING"
    with pytest.raises(Rejected, match=r"first\.h5 is still being written"):
        client.execute("writers.1.arm")
    storage.does("")
    until(lambda: client.read("writers.1.state") == "READY", "the first file to be closed")
    assert handles["first"].wait(5).ok
    assert client.read("writers.1.previous_acq_result") == "completed"
    assert client.read("writers.1.previous_num_written") == client.read("writers.1.num_written") == 30
    assert_holds(rig.folder / "first.h5", range(30))
    assert_holds(rig.folder / "second.h5", range(30, 60))
