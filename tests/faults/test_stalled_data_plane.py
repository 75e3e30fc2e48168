"""A data plane that is stopped and goes on (SIGSTOP, SIGCONT): seen at once, and nothing is lost by it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from repstream.errors import Unanswered
from repstream.protocol import Requester
from tests.integration.rig import Rig, assert_holds, running_rig, until

ME = Requester("test")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_rig(tmp_path) as rig:
        try:
            yield rig
        finally:
            signalled(rig, signal.SIGCONT)


def signalled(rig: Rig, number: signal.Signals) -> None:
    if process_id := int(str(rig.value("engine.process_id"))):
        os.kill(process_id, number)


def test_an_acquisition_and_a_command_survive_it(rig: Rig, tmp_path: Path) -> None:
    rig.service.write({"writers.main.num_images": 20, "writers.main.output_file": f"{tmp_path}/a.h5"}, ME)
    handle = rig.service.execute("writers.main.start", None, ME)
    rig.detector.send(range(10))
    until(lambda: rig.value("writers.main.num_written") == 10, "the first images")
    signalled(rig, signal.SIGSTOP)
    until(lambda: rig.value("engine.state") == "UNKNOWN", "the stall to be seen")
    until(lambda: "has not answered since" in str(rig.value("engine.status")), "the status, which follows")
    assert rig.value("source.rate") is None and rig.value("writers.main.rate") is None
    with pytest.raises(Unanswered, match="not known yet"):
        rig.service.write({"streams.fifth.every_nth": 2}, ME)
    signalled(rig, signal.SIGCONT)
    until(lambda: rig.value("engine.state") == "RUNNING", "the state as it was")
    until(lambda: rig.value("streams.fifth.every_nth") == 2, "what was asked for meanwhile")
    rig.detector.send(range(10, 20))
    assert handle.wait(30).ok
    assert_holds(tmp_path / "a.h5", range(20))


def test_a_stop_that_is_given_meanwhile_is_done_afterwards(rig: Rig) -> None:
    rig.service.execute("engine.start", None, ME).wait(20)
    signalled(rig, signal.SIGSTOP)
    until(lambda: rig.value("engine.state") == "UNKNOWN", "the stall to be seen")
    with pytest.raises(Unanswered):
        rig.service.execute("engine.stop", None, ME)
    signalled(rig, signal.SIGCONT)
    until(lambda: rig.value("engine.state") == "STOPPED", "the stop")


def test_reset_ends_it_at_once(rig: Rig) -> None:
    rig.service.execute("engine.start", None, ME).wait(20)
    signalled(rig, signal.SIGSTOP)
    until(lambda: rig.value("engine.state") == "UNKNOWN", "the stall to be seen")
    rig.service.execute("engine.reset", None, ME)
    assert rig.value("engine.state") == "INITIALIZED"
    assert rig.service.execute("engine.start", None, ME).wait(20).ok
