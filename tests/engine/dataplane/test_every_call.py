"""One call to the storage fails: each that an acquisition makes, in turn, whatever the layout of its files.

The short form takes some of the calls, with the errors in turn. The longer ones take each call: once, with
the errors in turn, or with each error.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import h5py
import hdf5plugin  # noqa: F401  registers the filters
import numpy as np
import pytest
import zmq
from tests.engine.dataplane.bench import Plane, configuration, image, message, plan
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_acquisitions import result_of, sums
from tests.engine.dataplane.test_channels import HIGH, LOW
from tests.engine.dataplane.test_process import process
from tests.engine.ring.peers import Producer, tidy, unique_name
from tests.storage import ERRORS, Storage, errors_of
from tests.waiting import until

from repstream.dataplane import control
from repstream.messages import dectris_v2
from repstream.messages.pixels import packed
from repstream.parameters.configuration import Configuration

Address = Callable[[str], str]

SHAPE, COUNT, TURNS = (60, 100), 12, 3
SLOTS = 64
MOST = 400
"""Calls of a kind that an acquisition makes, at most; beyond it the loop would never end."""

CALLS = {
    "write": 23,
    "open": 5,
    "fsync": 7,
    "rename": 3,
    "truncate": 4,
    "close": 5,
    "unlink": 4,
    "stat": 5,
    "read": 9,
}
"""The kinds of calls, and of how many the short form fails one."""
NUMBERS = itertools.count()
NEEDED = ("write", "fsync", "rename")
"""What must succeed for a file to be complete; without some of the other calls it still may be."""


@dataclass
class Layout:
    """What an acquisition is asked for, of the plan and of its writer."""

    plan: dict[str, Any] = field(default_factory=dict)
    writer: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    feed: Literal["frames", "late", "thresholds", "ring"] = "frames"
    turn: int = COUNT // TURNS
    spread: int = 1
    """How many times fewer calls the short form fails, where acquisitions take longer."""


LAYOUTS = {
    "plain": Layout(),
    "by id": Layout({"placement": "by_id"}, feed="late", spread=2),
    "compressed": Layout({"compression": "bitshuffle_lz4"}),
    "synced": Layout({"sync_interval": 0.01, "checksum": "xxh3"}),
    "master": Layout({"images_per_file": 5}, spread=2),
    "parts": Layout({"number_of_parts": 2}, spread=6),
    "spill": Layout({}, {"buffer_size": 2}, {"STORAGE_SHIM_SLOW": "5000"}, turn=COUNT),
    "thresholds": Layout(feed="thresholds", spread=2),
    "ring": Layout({"number_of_parts": 2}, feed="ring", spread=8),
}

TOGETHER = {
    "compressed parts": Layout({"number_of_parts": 2, "compression": "bitshuffle_lz4"}),
    "synced parts": Layout({"number_of_parts": 2, "sync_interval": 0.01, "checksum": "xxh3"}),
    "synced master": Layout({"images_per_file": 5, "sync_interval": 0.01}),
    "compressed by id": Layout({"placement": "by_id", "compression": "bitshuffle_lz4"}, feed="late"),
}
"""What the long form has beside these."""
ALL = {**LAYOUTS, **TOGETHER}


class Site:
    """A data plane on that storage that writes one acquisition after another.

    `feed` sends images of these ids. `first` is the id of the first image of the last acquisition, `ring` the
    name of the shared memory that images come from. `late`: some come after the next ones, and places stay
    blank until they do.
    """

    def __init__(
        self, process_id: int, plane: Plane, feed: Callable[[range], object], storage: Storage, layout: Layout
    ) -> None:
        self._plane, self._feed, self.storage, self._layout = plane, feed, storage, layout
        self._number = self._sent = self.first = 0
        self.ring = ""
        self.late = layout.feed == "late"
        self._open = Path(f"/proc/{process_id}/fd")

    @property
    def open_files(self) -> int:
        """Descriptors of the data plane."""
        return len(list(self._open.iterdir()))

    def acquire(self, path: Path) -> control.AcquisitionNotice:
        """An acquisition of `COUNT` images, which come in turns; how it ended."""
        self._number += 1
        fields = {"acquisition_id": f"1700000000000-{self._number}", **self._layout.plan}
        arm = plan(path, COUNT, **fields)
        assert self._plane.ask(control.Arm, slot=1, plan=arm, frames=0) == ""
        notice = self._next("WAITING_IMAGES", "FAILED")
        turn, self.first = self._layout.turn, self._sent
        for first in range(self._sent, self._sent + COUNT, turn):
            if notice.state == "FAILED":
                break
            time.sleep(0.06 if first > self.first else 0.0)  # so that readers are shown each turn
            self._feed(range(first, first + turn))
            self._sent += turn
        done = notice if notice.state == "FAILED" else self._next("FINISHED", "FAILED")
        if done.state == "FAILED":  # or what is on its way would be the next acquisition's
            self._plane.report(lambda report: report.source.ledger.messages == self._sent)
        return done

    def _next(self, *states: str) -> control.AcquisitionNotice:
        notice = self._plane.next(control.AcquisitionNotice, lambda notice: notice.state in states)
        self._plane.notices.clear()
        return notice


@contextmanager
def running(layout: Layout, storage: Storage, address: Address, peer: Opener, folder: Path) -> Iterator[Site]:
    spills = {"spill_folder": str(folder / "run-spill")} if layout.writer else {}
    (folder / "run-spill").mkdir()
    with process(**storage.environment, **layout.environment) as (child, plane):
        writers = {"file": {**layout.writer, **spills}}
        if layout.feed == "ring":
            with fed_by_ring(plane, writers) as (name, feed):
                site = Site(child.pid, plane, feed, storage, layout)
                site.ring = name
                yield site
        else:
            whole = configuration(address("in"), writers=writers)
            if layout.feed == "thresholds":
                source = whole.source.changed({"threshold": f"{LOW}, {HIGH}"})
                whole = whole.model_copy(update={"source": source})
            assert plane.open(whole) == ""
            socket = peer(zmq.PUSH, bind=address("in"))
            plane.report(lambda report: report.source.connected)
            yield Site(child.pid, plane, partial(send_all, socket, layout.feed), storage, layout)
        storage.does("")


def send_all(socket: zmq.Socket[bytes], feed: str, ids: range) -> None:
    for i in swapped(ids) if feed == "late" else ids:
        socket.send_multipart(thresholds(i) if feed == "thresholds" else message(i, SHAPE))


def swapped(ids: range) -> list[int]:
    """Each second one comes before the one that it follows, but the first."""
    order = list(ids)
    for at in range(1, len(order) - 1, 2):
        order[at], order[at + 1] = order[at + 1], order[at]
    return order


def thresholds(number: int) -> list[bytes]:
    """An image of two thresholds; the first of them is the image of this number."""
    data = {name: packed(image(number + add, SHAPE), "") for name, add in ((LOW, 0), (HIGH, 1))}
    return [bytes(part) for part in dectris_v2.encode_image(dectris_v2.Image(number, 1, data))]


@contextmanager
def fed_by_ring(plane: Plane, writers: dict[str, Any]) -> Iterator[tuple[str, Callable[[range], None]]]:
    """Images come from a ring buffer, where the writing processes read them in place."""
    name = unique_name()
    producer = Producer(name, SHAPE, "uint16", SLOTS)
    try:
        source = {"address": f"ring://{name}", "ring_slots": SLOTS}
        tree = {"source": source, "writers": writers, "slots": {"writers.file": 1}}
        assert plane.open(Configuration.model_validate(tree)) == ""
        producer.wait_for_consumer()

        def feed(ids: range) -> None:
            for i in ids:
                producer.put(i, image(i, SHAPE).tobytes())

        yield name, feed
    finally:
        producer.vanish()
        tidy(name)


Run = Callable[[str], AbstractContextManager[Site]]


@pytest.fixture
def run(storage: Storage, address: Address, peer: Opener, tmp_path: Path) -> Run:
    """Runs a data plane that writes in this layout, in the folder of the test."""
    return lambda layout: running(ALL[layout], storage, address, peer, tmp_path)


def images_in(path: Path) -> dict[int, np.ndarray[Any, Any]]:
    """The images by place, but for places that are blank."""
    with h5py.File(path) as file:
        data = file.get("entry/data/data")  # which a file without images has not
        if data is None:
            return {}
        came = file["detector/metadata"]["status"][: len(data)] == 0
        return {place: data[place] for place in np.flatnonzero(came).tolist()}


def check(
    done: control.AcquisitionNotice,
    path: Path,
    hit: str,
    call: str,
    error: str,
    *,
    first_id: int,
    late: bool = False,
) -> None:
    """What must be so after this call failed with this error for the path `hit`."""
    ledger = done.report.ledger
    assert ledger.queued == 0
    assert sums(ledger) == ledger.offered
    if done.state == "FINISHED":
        assert not hit or call not in NEEDED or error == "short" or "run-spill" in hit
        assert done.message == "Completed."
        assert (ledger.sent, ledger.dropped) == (COUNT, {})
        assert result_of(path, "outcome") == "completed"
    else:
        assert hit, f"failed without a fault: {done.message}"
        assert done.message.startswith("ERROR:"), done.message
        assert ERRORS[error] in done.message, done.message
        named = [str(path.parent), path.name, "run-spill" if "run-spill" in hit else path.name]
        # Memory that only processes share has no name for people.
        named.append("the ring at" if "repstream-ring" in hit else Path(hit).name)
        assert any(name in done.message for name in named), done.message
        assert set(ledger.dropped) <= {"storage"}
        assert call == "close" or not path.exists() or result_of(path, "outcome") != "completed"
    if call != "unlink":
        assert [left for left in path.parent.iterdir() if left.suffix == ".tmp"] == []
    if path.exists():
        found = images_in(path)
        assert len(found) >= ledger.sent
        if done.state == "FINISHED":
            assert len(found) == COUNT
        assert late or list(found) == list(range(len(found))), "a blank place"
        for place, pixels in found.items():
            np.testing.assert_array_equal(pixels, image(first_id + place, SHAPE))
    else:
        assert ledger.sent == 0


def fail_each(
    site: Site, folder: Path, call: str, errors: Sequence[str], numbers: range, *, part: str = "/run-"
) -> tuple[int, list[str]]:
    """Fail these calls, each in an acquisition of its own, as far as there are so many.

    How many failed, and what was not as it must be then. The errors take turns.
    """
    failed, wrong = 0, []
    for number, error in zip(numbers, itertools.cycle(errors), strict=False):
        own = folder / f"run-{next(NUMBERS)}"
        own.mkdir()
        site.storage.fails(call, number, error, part)
        done = site.acquire(own / "scan.h5")
        hit = site.storage.hit
        site.storage.does("")
        try:
            check(done, own / "scan.h5", hit, call, error, first_id=site.first, late=site.late)
        except (AssertionError, OSError) as problem:
            wrong.append(f"{call} {number} {error} at {hit}: {done.state} {done.message}\n{problem}")
        if not hit:
            break
        failed += 1
    return failed, wrong


@pytest.mark.timeout(300)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_some_calls_that_fail(layout: str, run: Run, tmp_path: Path) -> None:
    place, wrong = list(LAYOUTS).index(layout), []
    with run(layout) as site:
        for call, every in CALLS.items():
            step = every * LAYOUTS[layout].spread
            first = 1 + place % every
            wrong += fail_each(site, tmp_path, call, errors_of(call), range(first, MOST, step))[1]
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.timeout(300)
def test_memory_of_a_ring_that_cannot_be_reached(run: Run, tmp_path: Path) -> None:
    """The writing processes map the ring, and what says how far its producer is; each may fail, once."""
    wrong, failed = [], []
    with run("ring") as site:
        for call, part in (("open", site.ring), ("mmap", site.ring), ("mmap", "repstream-ring")):
            count, more = fail_each(site, tmp_path, call, ["EACCES"], range(1, MOST), part=part)
            failed.append((call, part, count))
            wrong += more
    assert not wrong, "\n\n".join(wrong)
    assert all(count for *_, count in failed), failed


@pytest.mark.soak
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("layout", ALL)
def test_each_call_fails_once(layout: str, call: str, run: Run, tmp_path: Path) -> None:
    with run(layout) as site:
        count, wrong = fail_each(site, tmp_path, call, errors_of(call), range(1, MOST))
    print(f"{layout}: {call} failed {count} times, the errors in turn")
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.soak
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("layout", ALL)
def test_whichever_call_fails_with_whatever_error(layout: str, call: str, run: Run, tmp_path: Path) -> None:
    with run(layout) as site:
        wrong: list[str] = []
        (tmp_path / "undisturbed").mkdir()
        assert site.acquire(tmp_path / "undisturbed" / "scan.h5").state == "FINISHED"
        before = site.open_files
        for error in errors_of(call):
            count, more = fail_each(site, tmp_path, call, [error], range(1, MOST))
            print(f"{layout}: {call} failed {count} times with {error}")
            wrong += more
        until(lambda: site.open_files <= before, "the descriptors of failed acquisitions to be closed")
        assert not wrong, "\n\n".join(wrong)
