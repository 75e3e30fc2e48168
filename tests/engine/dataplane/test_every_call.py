"""One call to the storage fails: each that an acquisition makes, in turn, whatever the layout of its files.

The short form takes some of the calls, with the errors in turn; the long one each call with each error.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  registers the filters
import numpy as np
import pytest
import zmq
from tests.engine.dataplane.bench import Plane, configuration, image, plan, send
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_acquisitions import result_of, sums
from tests.engine.dataplane.test_process import process
from tests.storage import ERRORS, Storage, errors_of
from tests.waiting import until

from repstream.dataplane import control

Address = Callable[[str], str]

SHAPE, COUNT, TURNS = (60, 100), 12, 3
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
NEEDED = ("write", "fsync", "rename")
"""What must succeed for a file to be complete; without some of the other calls it still may be."""


@dataclass
class Layout:
    """What an acquisition is asked for, of the plan and of its writer."""

    plan: dict[str, Any] = field(default_factory=dict)
    writer: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    turn: int = COUNT // TURNS
    spread: int = 1
    """How many times fewer calls the short form fails, where acquisitions take longer."""


LAYOUTS = {
    "plain": Layout(),
    "compressed": Layout({"compression": "bitshuffle_lz4"}),
    "synced": Layout({"sync_interval": 0.01, "checksum": "xxh3"}),
    "master": Layout({"images_per_file": 5}, spread=2),
    "parts": Layout({"number_of_parts": 2}, spread=6),
    "spill": Layout({}, {"buffer_size": 2}, {"STORAGE_SHIM_SLOW": "5000"}, COUNT),
}


class Site:
    """A data plane on that storage that writes one acquisition after another."""

    def __init__(
        self, process_id: int, plane: Plane, source: zmq.Socket[bytes], storage: Storage, layout: Layout
    ) -> None:
        self._plane, self._source, self.storage, self._layout = plane, source, storage, layout
        self._number = self._sent = 0
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
        turn = self._layout.turn
        for first in range(0, COUNT, turn):
            if notice.state == "FAILED":
                break
            time.sleep(0.06 if first else 0.0)  # so that readers are shown each turn
            send(self._source, range(first, first + turn), shape=SHAPE)
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
        assert plane.open(configuration(address("in"), writers=writers)) == ""
        source = peer(zmq.PUSH, bind=address("in"))
        plane.report(lambda report: report.source.connected)
        yield Site(child.pid, plane, source, storage, layout)
        storage.does("")


Run = Callable[[str], AbstractContextManager[Site]]


@pytest.fixture
def run(storage: Storage, address: Address, peer: Opener, tmp_path: Path) -> Run:
    """Runs a data plane that writes in this layout, in the folder of the test."""
    return lambda layout: running(LAYOUTS[layout], storage, address, peer, tmp_path)


def images_in(path: Path) -> np.ndarray[Any, Any]:
    with h5py.File(path) as file:
        data = file.get("entry/data/data")  # which a file without images has not
        found: np.ndarray[Any, Any] = np.zeros((0, *SHAPE), np.uint16) if data is None else data[:]
    return found


def check(done: control.AcquisitionNotice, path: Path, hit: str, call: str, error: str) -> None:
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
        if len(found):  # before the first image nobody knows the shape
            np.testing.assert_array_equal(found, [image(i, SHAPE) for i in range(len(found))])
    else:
        assert ledger.sent == 0


def fail_each(
    site: Site, folder: Path, call: str, errors: Sequence[str], numbers: range
) -> tuple[int, list[str]]:
    """Fail these calls, each in an acquisition of its own, as far as there are so many.

    How many failed, and what was not as it must be then. The errors take turns.
    """
    failed, wrong = 0, []
    for number, error in zip(numbers, itertools.cycle(errors), strict=False):
        own = folder / f"run-{call}-{error}-{number}"
        own.mkdir()
        site.storage.fails(call, number, error, "/run-")
        done = site.acquire(own / "scan.h5")
        hit = site.storage.hit
        site.storage.does("")
        try:
            check(done, own / "scan.h5", hit, call, error)
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


@pytest.mark.soak
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("layout", LAYOUTS)
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
