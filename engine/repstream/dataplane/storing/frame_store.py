"""What the frames of one acquisition become in its file: images, metadata, checksums, places."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from repstream.dataplane.control import AcquisitionPlan
from repstream.dataplane.storing.image_kind import (
    Describe,
    Kind,
    further_results,
    kind_of,
    own_members,
    placeholder_of,
)
from repstream.dataplane.storing.metadata import HeaderRows
from repstream.dataplane.storing.packing import Packer, threads_for
from repstream.dataplane.storing.placement import Place, Placed
from repstream.dataplane.storing.unjudged import LOOK, Unjudged
from repstream.files import channels, checksum
from repstream.files.columns import ARRIVAL_TIME
from repstream.files.frame_file import FrameFile, extra_between
from repstream.files.plan import GOOD, MISSING, Scalar
from repstream.files.row_status import UNDEFINED, is_std_daq, put_std_daq
from repstream.files.series import FileSeries
from repstream.messages.header import size_of, sizes_of

MOST_BLANKS = 16_384
"""Blank places that are made at once, at most; more follow."""

SHOW_INTERVAL = 0.05
"""Seconds between announcements of new images to readers, at least.

An announcement changes pages that were written before. Where many images come, each batch doing so
costs more than writing small ones.
"""

AnyFile = FrameFile | FileSeries

Stored = tuple[int, int]
"""A frame that is in the file: its id, and its size there in bytes; 0 where its place is blank."""

JUDGE_PATIENCE = 2.0
"""Seconds within which it is known whether images of a ring were whole; else they count as lost."""


class FrameStore:
    """The file of one acquisition; made empty at once, used by one thread.

    `holes`: how many images of each channel did not come, though others did.
    `describe` gives, when the first frame comes, what the detector said before it. `on_rows`
    takes the metadata of each `write`. Raises StorageError when the storage fails, from every method.
    """

    def __init__(
        self,
        plan: AcquisitionPlan,
        describe: Describe = lambda: None,
        on_rows: Callable[[np.ndarray[Any, Any]], None] | None = None,
    ) -> None:
        self._plan = plan
        self._describe = describe
        self._on_rows = on_rows
        self._placeholder = placeholder_of(plan)
        self._file: AnyFile | None = None
        self._headers = HeaderRows(())
        self._is_std_daq = is_std_daq(plan.attributes)
        self._channels: tuple[str, ...] = ()
        self.holes: Counter[str] = Counter()
        self._sum = checksum.function(plan.checksum) if plan.checksum != "none" else None
        self._packer = Packer(threads_for(plan.number_of_parts)) if plan.compression != "none" else None
        self._in_work: deque[Placed] = deque()
        self._waiting: list[Stored] = []
        self._unjudged = Unjudged()
        self._judged_next = 0.0
        self._interval = plan.sync_interval or SHOW_INTERVAL
        self._shown = time.monotonic() - (0.0 if plan.sync_interval else SHOW_INTERVAL)

    @property
    def nbytes(self) -> int:
        """Size of the content of the file in bytes."""
        return self._file.nbytes if self._file is not None else 0

    @property
    def values_lost(self) -> int:
        """How many numbers of headers the file could not keep."""
        return self._headers.lost

    @property
    def due(self) -> float | None:
        """In how many seconds `announce` is wanted; None: not at all."""
        if self._in_work:
            return 0.0
        return self._wait if self._waiting else None

    def open(self) -> None:
        """As `PartsStore.open`; there is nothing more to make."""

    def write(self, placed: Sequence[Placed]) -> list[Stored]:
        """Take frames, in any order of places; which frames readers see now that they did not before.

        Those are at times only the frames of earlier calls: `announce` brings the others.
        """
        if self._file is None:
            self.begin(kind_of(placed[0].frame, self._plan))
        if self._packer is None:
            self._store(placed, self._payloads(placed))
        else:
            self._in_work += placed
            self._packer.put([item.frame for item in placed])
            self._store_packed(self._packer.take())
        return self._show()

    def announce(self) -> list[Stored]:
        """Do what is `due`; which frames readers see now that they did not before."""
        if self._packer is not None:
            self._store_packed(self._packer.take_next())
        return self._show()

    def sync(self) -> list[Stored]:
        """Put everything on the disk; which frames readers see now that they did not before."""
        if self._packer is not None:
            self._store_packed(self._packer.take_all())
        if self._file is not None:
            self._judge(JUDGE_PATIENCE)
            self._file.sync()
        return self._now_shown()

    def salvage(self) -> list[Stored]:
        """After a fault: show readers what was whole before it; which frames these are.

        With a `sync_interval` none: nobody knows then what is on the disk.
        """
        if self._file is None or self._plan.sync_interval:
            return []
        self._judge(JUDGE_PATIENCE)
        self._file.announce()
        return self._now_shown()

    def begin(self, kind: Kind) -> AnyFile:
        """Make the real file; the first `write` does it by itself."""
        own, self._channels = own_members(self._plan, kind.channels), kind.channels
        self._headers = HeaderRows(kind.columns, own)
        self._file = self._placeholder.become(
            kind.shape,
            kind.pixel_type,
            (*kind.row_members, *own),
            kind.compression,
            images_per_file=self._plan.images_per_file,
            detector=self._describe(),
            channels=kind.channels,
        )
        return self._file

    def check_in_place(self) -> None:
        """Make sure that the file is still to be found under its name."""
        (self._file or self._placeholder).check_in_place()

    def finish(self, results: Mapping[str, Scalar]) -> None:
        """Enter the results and close; see `FrameFile.finish`. What was not stored by then is given up."""
        if self._packer is not None:
            self._packer.close()
        (self._file or self._placeholder).finish({**results, **further_results(self)})

    @property
    def _wait(self) -> float:
        """Seconds until readers are to see what waits."""
        return max(0.0, max(self._shown + self._interval, self._judged_next) - time.monotonic())

    def _show(self) -> list[Stored]:
        """Let readers see what waits, if it is time."""
        if not self._waiting or self._wait > 0:
            return []
        if not self._judge(0.0):
            self._judged_next = time.monotonic() + LOOK
            return []
        assert self._file is not None
        if self._plan.sync_interval:
            self._file.sync()
        else:
            self._file.announce()
        return self._now_shown()

    def _now_shown(self) -> list[Stored]:
        self._shown = time.monotonic()
        stored, self._waiting = self._waiting, []
        return stored

    def _store_packed(self, ready: Iterable[list[Any]]) -> None:
        for payloads in ready:
            images = len(payloads) // self._datasets
            self._store([self._in_work.popleft() for _ in range(images)], payloads)

    def _store(self, placed: Sequence[Placed], payloads: list[Any]) -> None:
        """Put images into the file, where readers do not see them yet."""
        file = self._file
        assert file is not None
        frames = [item.frame for item in placed]
        rows, extra = self._headers.of(frames)
        rows[ARRIVAL_TIME] = [frame.arrived for frame in frames]
        for number, label in enumerate(channels.labels(self._channels)):
            absent = [payload is None for payload in payloads[number :: self._datasets]]
            rows[channels.status(label)] = np.where(absent, MISSING, GOOD)
            if any(absent):
                self.holes[self._channels[number]] += sum(absent)
        if self._sum is not None:
            for number, member in enumerate(self._sums):
                here = payloads[number :: self._datasets]
                rows[member] = [self._sum(file.blank if p is None else p) for p in here]
        has_gaps = bool(self._channels) or any(payload is None for payload in payloads)
        if has_gaps and not self._channels:
            rows["status"] = [MISSING if payload is None else GOOD for payload in payloads]
        if self._is_std_daq:
            put_std_daq(rows)
        begin = file.places
        if placed[0].place is None:
            file.append(payloads, rows, extra, announce=False)
        else:
            self._put(file, placed, payloads, rows, extra)
        # Behind the write: what a full disk refused was not stored.
        self._unjudged.rows(rows)
        if placed[0].place is None:
            self._unjudged.images(payloads, begin, len(self._waiting))
        sizes = self._sizes(payloads) if has_gaps else sizes_of(payloads)
        self._waiting += zip([frame.frame_id for frame in frames], sizes, strict=True)

    def _judge(self, patience: float) -> bool:
        """Leave blank what was written over in its ring before it was in the file; False: not known yet."""
        file = self._file
        lost = self._unjudged.lost(patience)
        if lost is None:
            return False
        for image in lost:
            assert isinstance(file, FrameFile)
            image.row["status"] = UNDEFINED if self._is_std_daq else MISSING
            file.withdraw(image.place, image.row)
            self._waiting[image.waiting] = (self._waiting[image.waiting][0], 0)
        for rows in self._unjudged.take_rows():
            if self._on_rows is not None:
                self._on_rows(rows)
        return True

    def _payloads(self, placed: Sequence[Placed]) -> list[Any]:
        """The images of frames as they came, of each frame all its channels."""
        if not self._channels:
            return [item.frame.payloads[0] for item in placed]
        return [payload for item in placed for payload in item.frame.payloads]

    def _sizes(self, payloads: list[Any]) -> list[int]:
        """Bytes of all channels of each image."""
        sizes = np.array([0 if payload is None else size_of(payload) for payload in payloads])
        return [int(total) for total in sizes.reshape(-1, self._datasets).sum(axis=1)]

    @property
    def _datasets(self) -> int:
        return len(self._channels) or 1

    @property
    def _sums(self) -> tuple[str, ...]:
        return channels.sums(self._channels)

    def _put(
        self,
        file: AnyFile,
        placed: Sequence[Placed],
        payloads: list[Any],
        rows: np.ndarray[Any, Any],
        extra: np.ndarray[Any, Any],
    ) -> None:
        """Write images to their places, blank ones in between; late ones fill theirs."""
        durable = self._plan.sync_interval > 0

        def values_of(number: int) -> np.ndarray[Any, Any]:
            return extra_between(extra, number, number + 1)

        def images_of(number: int) -> list[Any]:
            return payloads[number * self._datasets : (number + 1) * self._datasets]

        def append(run: list[int]) -> None:
            if run:
                values = [values_of(number) for number in run] if len(extra) else []
                for at, some in enumerate(values):
                    some["image"] = at
                joined = np.concatenate(values) if values else extra
                file.append([p for n in run for p in images_of(n)], rows[run], joined, announce=False)

        ahead = []
        for number, item in enumerate(placed):
            assert item.place is not None
            if item.place.number < file.places:
                row = rows[number : number + 1]
                file.fill(item.place.number, images_of(number), row, values_of(number), durable=durable)
            else:
                ahead.append((item.place, number))
        ahead.sort()
        run: list[int] = []
        for place, number in ahead:
            if place.number > file.places + len(run):
                append(run)
                run = []
                self._leave_blank(file, place, placed[number].frame.frame_id)
            run.append(number)
        append(run)

    def _leave_blank(self, file: AnyFile, until: Place, frame_id: int) -> None:
        while (count := min(until.number - file.places, MOST_BLANKS)) > 0:
            first = file.places
            ids = [until.id_at(index, frame_id) for index in range(first, first + count)]
            rows = self._headers.blank(ids)
            rows[ARRIVAL_TIME] = np.nan
            if self._sum is not None:
                for member in self._sums:
                    rows[member] = self._sum(file.blank)
            for label in channels.labels(self._channels):
                rows[channels.status(label)] = MISSING
            if self._is_std_daq:
                put_std_daq(rows)
            file.append([None] * (count * self._datasets), rows, announce=False)
