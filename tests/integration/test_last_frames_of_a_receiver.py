"""What becomes of a frame that a receiver had got when it died, and had reported to nobody."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.rig import IMAGES, until
from tests.integration.test_receivers import N, site_with

FRAMES = 100


def waiting_from(address: str) -> int:
    """Bytes from this sender that the kernel holds for processes which do not read them."""
    port = f"{int(address.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(fields[4].split(":")[1], 16) for fields in lines if fields[2].endswith(f":{port}"))


def stands_still(process: int) -> bool:
    """Whether each of its threads is stopped, which takes a moment on a busy machine."""
    states = [
        path.read_text().rpartition(")")[2].split()[0]
        for path in Path(f"/proc/{process}/task").glob("*/stat")
    ]
    return set(states) == {"T"}


@pytest.mark.parametrize("goes_on", [False, True], ids=["at the end", "before a higher id"])
def test_the_last_of_all_is_missing_only_where_a_higher_id_comes(tmp_path: Path, goes_on: bool) -> None:
    with ExitStack() as stack:
        site = site_with(tmp_path, stack, N, streams={})
        site.start()
        site.send(range(FRAMES))
        site.received(FRAMES)
        victim, sender = site.receiver_pid(1), site.detectors[1]
        os.kill(victim, signal.SIGSTOP)
        until(lambda: stands_still(victim), "it to stand still")
        site.send(range(FRAMES, FRAMES + N))  # the last one comes to the victim
        site.received(FRAMES + 1)
        # One fits into any socket's buffer; more of them would wait at the sender, and come to the next one.
        until(lambda: waiting_from(sender.address) >= IMAGES(0).nbytes, "a frame that nobody reads")
        os.kill(victim, signal.SIGKILL)
        until(lambda: "receiver 2 died" in site.value("engine.last_error"), "its end")
        until(lambda: site.value("source.connected"), "another one in its place")
        if goes_on:
            site.detectors[0].send(range(FRAMES + N, FRAMES + N + 1))
            until(lambda: site.value("source.missing") == 1, "what the victim had")
        assert site.command("engine.stop").wait(60).ok
        assert site.value("source.missing") == goes_on
        assert site.value("source.received") == FRAMES + 1 + goes_on
        assert site.value("source.resets") == 0
