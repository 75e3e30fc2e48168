"""Frames that reach a writer several at a time: each fares as it would alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (registers filter 32008 for reading)
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.engine.dataplane.bench import PATIENCE, Plane, image, message, plan, send, writer_alone
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_acquisitions import result_of, running, start, sums

from repstream.accounting import OutputSnapshot
from repstream.dataplane import control
from repstream.dataplane.repeater import GROUP_FRAMES, SMALL
from repstream.dataplane.storing.frame_store import FrameStore
from repstream.dataplane.storing.part_messages import Stored
from repstream.dataplane.writing import file_job
from repstream.messages import array_1_0
from repstream.messages.compression import compress
from repstream.messages.frame import Frame
from repstream.parameters.writer import WriterConfig

Address = Callable[[str], str]


class Scene:
    """A writer with its gate open (unless not `opened`), offered frames without a loop."""

    def __init__(self, config: WriterConfig, path: Path, opened: bool = True, **planned: Any) -> None:
        self._woken = threading.Event()
        self._path = path
        self.told: list[control.Notice] = []
        self.writer = writer_alone(config, self.told.append, self._woken.set)
        assert self.writer.arm(plan(path, **planned)) == ""
        assert not opened or self.writer.open_gate(0) == ""
        self.settle(lambda: self.writer.report().state == "WAITING_IMAGES")

    def settle(self, reached: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not reached():
            assert time.monotonic() < end
            self._woken.wait(0.01)
            self._woken.clear()
            self.writer.poll()

    def take_room(self) -> None:
        """What the loop does before it receives more."""
        self.settle(lambda: not self.writer.blocking)

    def outcome(self) -> dict[str, Any]:
        """End the acquisition; what became of every frame."""
        self.take_room()
        self.writer.end(discard=False)
        self.settle(lambda: not self.writer.busy)
        ledger = self.writer.report().ledger
        shut = ledger.skipped.get("gate", 0) + ledger.skipped.get("idle", 0)
        skipped = {why: n for why, n in ledger.skipped.items() if why not in {"gate", "idle"}}
        with h5py.File(self._path) as file:
            there = "detector/metadata" in file
            rows = file["/detector/metadata"][:].tolist() if there else []
            images = file["/detector/data"][:].tolist() if there else []
        told = ("written", "missing", "duplicates", "missing_ids")
        return {
            "sums": (ledger.offered, ledger.sent, ledger.queued, sums(ledger)),
            "lost": (skipped, shut, dict(ledger.dropped)),
            "file": (
                [row[0] for row in rows],
                str(rows),
                images,
                [result_of(self._path, name) for name in told],
            ),
        }


@contextmanager
def scene(config: WriterConfig, **planned: Any) -> Iterator[Scene]:
    with TemporaryDirectory() as name:
        yield Scene(config, Path(name) / "scan.h5", **planned)


def frames_of(steps: Sequence[tuple[int, tuple[int, int], int]]) -> list[Frame]:
    """Frames whose ids are so far apart, of these shapes and with so many images each."""
    found, frame_id = [], 100
    for step, shape, images in steps:
        frame_id = max(0, frame_id + step)
        pixels = [image(frame_id, shape)] * images
        parts = array_1_0.encode(frame_id, *pixels, image_attributes={"on": frame_id % 7})
        found.append(array_1_0.decode([bytes(part) for part in parts]))
    return found


STEPS = st.lists(
    st.tuples(
        st.sampled_from([1] * 30 + [0, 2, 9, -1, -3, -2000]),
        st.sampled_from([(4, 5)] * 40 + [(5, 4)]),
        st.sampled_from([1] * 40 + [2]),
    ),
    min_size=8,
    max_size=60,
)


EVERY_SECOND = {"policy": "send_every_nth", "every_nth": 2}
OPTIONS = st.sampled_from([{}, {}, {}, EVERY_SECOND, {"trigger_attribute": "on"}])
PLANNED = st.fixed_dictionaries(
    {"num_images": st.sampled_from([0, 5, 20]), "placement": st.sampled_from(["arrival", "arrival", "by_id"])}
)


@example([(1, (4, 5), 1)] * 8, [2], 100, EVERY_SECOND, {"num_images": 0, "placement": "by_id"})
@example([(1, (4, 5), 1)] * 20, [6], 100, {}, {"num_images": 5, "placement": "arrival"})
@example([(1, (4, 5), 1)] * 9 + [(3, (4, 5), 1)] * 9, [7], 100, {}, {"num_images": 0, "placement": "arrival"})
@settings(max_examples=60)
@given(
    STEPS,
    st.lists(st.integers(2, 12), min_size=1, max_size=5),
    st.sampled_from([100, 100, 5, 1]),
    OPTIONS,
    PLANNED,
)
def test_each_frame_of_a_burst_fares_as_it_would_alone(
    steps: list[Any], sizes: list[int], room: int, options: dict[str, Any], planned: dict[str, Any]
) -> None:
    config = WriterConfig.model_validate({"buffer_size": room, **options})
    frames = frames_of(steps)
    outcomes = []
    for together in (False, True):
        with scene(config, **planned) as tested:
            rest, turn = list(frames), 0
            while rest:
                count = sizes[turn % len(sizes)]
                burst, rest, turn = rest[:count], rest[count:], turn + 1
                if together:
                    tested.take_room()
                    tested.writer.admit(burst, float(turn))
                    continue
                for frame in burst:
                    tested.take_room()
                    tested.writer.admit([frame], float(turn))
            outcomes.append(tested.outcome())
    assert outcomes[0] == outcomes[1]


def test_what_finds_no_room_is_held_in_order() -> None:
    with scene(WriterConfig(buffer_size=2)) as tested:
        frames = frames_of([(1, (4, 5), 1)] * 50)
        tested.writer.admit(frames[:1], 0.0)
        assert tested.writer.admit(frames[1:], 0.0) is True
        waiting = tested.writer.report().ledger
        assert waiting.offered == 50
        assert sums(waiting) == 50
        ids = tested.outcome()["file"][0]
    assert ids == [frame.frame_id for frame in frames]


def test_an_abort_discards_what_is_held() -> None:
    with scene(WriterConfig(buffer_size=2)) as tested:
        tested.writer.admit(frames_of([(1, (4, 5), 1)] * 50), 0.0)
        tested.writer.end(discard=True)
        tested.settle(lambda: not tested.writer.busy)
        ledger: OutputSnapshot = tested.writer.report().ledger
    assert ledger.queued == 0
    assert ledger.sent + ledger.dropped.get("abort", 0) == 50


def test_a_flush_puts_on_the_disk_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[FrameStore] = []
    sync = FrameStore.sync

    def noted(store: FrameStore) -> list[Stored]:
        synced.append(store)
        return sync(store)

    monkeypatch.setattr(FrameStore, "sync", noted)
    with scene(WriterConfig()) as tested:
        tested.writer.admit(frames_of([(1, (4, 5), 1)] * 5), 0.0)
        tested.settle(lambda: tested.writer.report().ledger.sent == 5)
        assert synced == []
        tested.writer.flush()
        tested.settle(lambda: len(synced) > 0)
        tested.outcome()


def test_raw_and_packed_images_go_into_one_file_where_the_writer_packs() -> None:
    raw, packed = frames_of([(1, (4, 5), 1)] * 2)
    pixels = image(packed.frame_id, (4, 5))
    payload = bytes(compress(pixels.tobytes(), pixels.itemsize, "bitshuffle_lz4"))
    packed = msgspec.structs.replace(packed, encoding="bitshuffle_lz4", payloads=[payload])
    with scene(WriterConfig(), compression="bitshuffle_lz4") as tested:
        for frame in (raw, packed):
            tested.writer.admit([frame], 0.0)
        found = tested.outcome()
    assert found["lost"] == ({}, 0, {})
    assert found["file"][0] == [raw.frame_id, packed.frame_id]
    assert found["file"][2] == [image(frame_id, (4, 5)).tolist() for frame_id in found["file"][0]]


def test_the_first_id_of_an_acquisition_that_is_shared_is_said() -> None:
    with scene(WriterConfig(), shared_step=2) as tested:
        frames = frames_of([(1, (4, 5), 1)] * 3)
        tested.writer.admit(frames, 0.0)
        said = [notice for notice in tested.told if isinstance(notice, control.FirstNotice)]
        tested.outcome()
    assert [notice.first_id for notice in said] == [frames[0].frame_id]


@pytest.mark.parametrize("last", ["a series end", "nothing", "garbage", "a large image"])
def test_a_burst_is_written_whatever_comes_behind_it(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path, last: str
) -> None:
    source = running(plane, address, peer)
    start(plane, tmp_path / "scan.h5")
    count = 2 * GROUP_FRAMES + 7
    send(source, range(count))
    more = {
        "a series end": [[b'{"htype":"dseries_end-1.0","series":1}']],
        "garbage": [[b"{"]],
        "a large image": [message(count, (200, SMALL // 200))],
    }
    for parts in more.get(last, []):
        source.send_multipart(parts)
    written = plane.writer(1, lambda writer: writer.ledger.sent == count)
    assert written.ledger.dropped == ({"shape": 1} if last == "a large image" else {})
    assert plane.ask(control.End, slot=1, discard=False) == ""
    assert plane.acquisition("FINISHED").report.ledger.sent == count


def test_what_is_gathered_is_written_once_it_fills_half_the_queue_or_nothing_more_comes(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_job, "GATHER_TIME", 1e6)
    source = running(plane, address, peer, buffer_size=4)
    start(plane, tmp_path / "scan.h5")
    for first, stop in ((0, 1), (1, 3), (3, 5)):
        send(source, range(first, stop))
        plane.writer(1, lambda writer, count=stop: writer.ledger.sent == count)  # type: ignore[misc]
    send(source, [5])
    waiting = plane.writer(1, lambda writer: writer.ledger.offered == 6)
    assert waiting.ledger.queued == 1
    assert plane.ask(control.End, slot=1, discard=False) == ""
    assert plane.acquisition("FINISHED").report.ledger.sent == 6
