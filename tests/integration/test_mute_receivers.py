"""A receiver that is stopped and goes on (SIGSTOP, SIGCONT), or is replaced: the others go on meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import h5py
import pytest

from tests.integration.rig import IMAGES, until
from tests.integration.test_receivers import ME, N, Pushing, Site, all_received, assert_shows, site_with


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        site = site_with(tmp_path, stack, 1, streams={})
        site.start()
        victim = site.receiver_pid(1)
        stack.callback(lambda: signalled(victim, signal.SIGCONT))
        yield site


def signalled(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def mute(site: Site, detector: Pushing) -> int:
    """Stop the second receiver, and see the others go on; its process."""
    until(lambda: site.value("writers.main.num_written") > 50, "some images")
    victim = site.receiver_pid(1)
    signalled(victim, signal.SIGSTOP)
    until(lambda: f"process {victim} does not answer" in site.value("source.receivers_now"), "the silence")
    assert "receiver 2 does not answer" in site.value("engine.last_error")
    assert site.value("engine.state") == "RUNNING"
    before = site.value("source.received")
    until(lambda: site.value("source.received") > before + 50, "frames at the other one")
    assert site.value("source.missing") == 0
    return victim


def test_one_that_goes_on_has_lost_nothing(site: Site) -> None:
    site.service.write({"engine.stall_patience": 0.0}, ME)
    site.write(file_name="stopped", num_images=0)
    handle = site.command("writers.main.start")
    detector = Pushing(site)
    victim = mute(site, detector)
    signalled(victim, signal.SIGCONT)
    until(lambda: "does not answer" not in site.value("source.receivers_now"), "its answer")
    sent = detector.stop()
    site.received(sent)
    assert site.command("writers.main.stop").wait(30).result == "completed"
    assert handle.wait(30).ok
    assert_shows(site.folder / "stopped.h5", range(sent))
    until(lambda: site.sums()["received"] == sent, "the last report")
    assert site.sums() == {
        "messages": sent,
        "received": sent,
        **dict.fromkeys(("malformed", "missing", "duplicates", "late", "resets"), 0),
    }


def test_one_that_does_not_is_replaced_after_the_patience(site: Site) -> None:
    site.service.write({"engine.stall_patience": 4.0}, ME)
    site.write(file_name="replaced", num_images=0)
    handle = site.command("writers.main.start")
    detector = Pushing(site)
    victim = mute(site, detector)
    until(lambda: "receiver 2 died: it had not answered for" in site.value("engine.last_error"), "its end")
    until((site.folder / f"replaced_part{N}.h5").exists, "another part")
    assert site.receiver_pid(0) != victim
    at_death = site.value("writers.main.num_written")
    until(lambda: site.value("writers.main.num_written") > at_death + 100, "more images")
    sent = detector.stop()
    all_received(site)
    assert site.command("writers.main.stop").wait(30).result == "completed"
    assert "Receiver 2 died (it had not answered for" in handle.wait(30).message
    with h5py.File(site.folder / "replaced.h5") as file:
        ids = file["/detector/metadata"]["image_id"].tolist()
        facts = {name: file[f"/entry/acquisition/{name}"][()] for name in ("written", "dropped", "missing")}
        assert (file["/entry/data/data"][-1] == IMAGES(ids[-1])).all()
    assert ids == sorted(set(ids))
    assert facts["written"] == len(ids)
    # Each frame that was sent is in the file, or counted once as lost with its receiver.
    assert sum(facts.values()) == sent
