"""A queue that goes on in a file: what finds no room in memory waits there, and comes back in order."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from repstream.dataplane.storing.placement import Placed
from repstream.errors import StorageError
from repstream.files.raw_io import read_all, write_buffers
from repstream.messages.header import header_of, size_of
from repstream.policies.slow_consumer import Outcome, OutputQueue, SlowRule

log = logging.getLogger(__name__)


class _Record(NamedTuple):
    """A frame in the file: without its buffers, but with their sizes, and where they begin."""

    placed: Placed
    sizes: tuple[int, ...]
    offset: int


class SpillFile:
    """Frames in a file without a name, which vanishes with the process; first in, first out.

    At most `most` bytes from the time that it was empty. Keeps of each frame its header and its
    payloads. Used from one thread; raises OSError as the system gives it.
    """

    def __init__(self, folder: str, most: int) -> None:
        self.folder = folder
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  open for long
        self._most = most
        self._records: deque[_Record] = deque()
        self._end = 0

    def put(self, placed: Placed) -> bool:
        """Write a frame behind the others; whether there was room."""
        frame = placed.frame
        # A channel that did not come has no bytes, which no image has.
        buffers = [header_of(frame.parts), *(b"" if p is None else p for p in frame.payloads)]
        sizes = tuple(map(size_of, buffers))
        if self._end + sum(sizes) > self._most:
            return False
        write_buffers(self._file.fileno(), buffers, sizes, self._end)
        attributes = dict(frame.read_attributes()).copy  # the original may hold the message
        bare = msgspec.structs.replace(frame, parts=(), payloads=(), read_attributes=attributes)
        self._records.append(_Record(Placed(bare, placed.place), sizes, self._end))
        self._end += sum(sizes)
        return True

    def take_back(self) -> None:
        """Forget the frame that was written last."""
        self._end = self._records.pop().offset

    def get(self) -> Placed:
        """Take the oldest frame. Raises IndexError when there is none."""
        record = self._records[0]
        parts, offset = [], record.offset
        for size in record.sizes:
            data = read_all(self._file.fileno(), size, offset)
            if len(data) != size:
                raise OSError(f"{len(data)} bytes instead of {size}")
            parts.append(data)
            offset += size
        self._records.popleft()
        if not self._records:
            self.clear()
        payloads = [part or None for part in parts[1:]]
        whole = msgspec.structs.replace(record.placed.frame, parts=parts, payloads=payloads)
        return Placed(whole, record.placed.place)

    @property
    def next_nbytes(self) -> int:
        """Size of the oldest frame; 0 where there is none."""
        return self._records[0].placed.frame.nbytes if self._records else 0

    def clear(self) -> None:
        """Forget every frame, and give their space back where the storage takes it."""
        self._records.clear()
        self._end = 0
        try:
            os.ftruncate(self._file.fileno(), 0)
        except OSError as error:
            log.warning("the spill file in %s keeps its size: %s", self.folder, error.strerror or error)

    def close(self) -> None:
        with suppress(OSError):  # nothing in it is wanted any more
            self._file.close()


class SpillingQueue:
    """A `FrameQueue` of three places in a row: half its memory, a file, the other half of its memory.

    `take` empties the front half, `offer` fills it as long as nothing waits behind it, and the back
    half after that. A thread moves frames on, one at a time: from the back half into the file, or
    straight to the front while the file is empty, and from the file to the front, which goes before.
    The rule applies when the back half is full, because the file does not take frames as fast as they
    come, is full or fails.

    One lock guards all places, that of `attach`; the thread holds it only to take a frame and to put it
    down, never while it writes or reads. It waits for a condition of its own on that lock, `_work`,
    which `offer`, `take`, `clear` and `close` notify. Whoever waits for frames or for room is called
    through `on_ready` and `on_room`.
    """

    hands_on = False

    def __init__(self, rule: SlowRule, max_messages: int, max_bytes: int, file: SpillFile) -> None:
        halves = max(1, max_messages // 2), max(1, max_bytes // 2)
        self._front: OutputQueue[Placed] = OutputQueue(SlowRule.BLOCK, *halves)
        self._back: OutputQueue[Placed] = OutputQueue(rule, *halves)
        self._file = file
        self.spilled = 0
        self._failure = ""
        self._is_full = False
        self._is_closed = False
        self._times_cleared = 0

    def attach(self, lock: threading.Lock, on_ready: Callable[[], None], on_room: Callable[[], None]) -> None:
        """As in `FrameQueue`; begins the thread."""
        self._work = threading.Condition(lock)
        self._on_ready, self._on_room = on_ready, on_room
        threading.Thread(target=self._run, name="spill", daemon=True).start()

    def __len__(self) -> int:
        """How many can be taken now; one where the file failed, which `take` then says."""
        return 1 if self._failure else len(self._front)

    @property
    def backlog(self) -> int:
        """All that wait, in memory and in the file."""
        return len(self._front) + self.spilled + len(self._back)

    @property
    def nbytes(self) -> int:
        """Bytes of those that can be taken now."""
        return self._front.nbytes

    @property
    def use(self) -> float:
        """How full the memory is: 0 … 1."""
        return (self._front.use + self._back.use) / 2

    def has_room(self, nbytes: int) -> bool:
        return self._goes_to_front(nbytes) or self._back.has_room(nbytes)

    def offer(self, item: Placed, nbytes: int) -> Outcome[Placed]:
        if self._goes_to_front(nbytes):
            return self._front.offer(item, nbytes)
        self._work.notify()
        return self._back.offer(item, nbytes)

    def offer_all(self, items: Sequence[Placed], sizes: Sequence[int]) -> bool:
        return not self.spilled and not len(self._back) and self._front.offer_all(items, sizes)

    def take(self, most: int, most_bytes: int) -> list[Placed]:
        """As in `OutputQueue`; raises StorageError where the file has lost the next frame."""
        if self._failure:
            raise StorageError(self._failure)
        self._work.notify()
        return self._front.take(most, most_bytes)

    def clear(self) -> None:
        self._front.clear()
        self._back.clear()
        self.spilled = 0
        self._times_cleared += 1
        self._work.notify()

    def close(self) -> None:
        """End the work; what still waits is gone."""
        self._is_closed = True
        self._work.notify()

    def _goes_to_front(self, nbytes: int) -> bool:
        return not self.spilled and not len(self._back) and self._front.has_room(nbytes)

    def _run(self) -> None:
        """Move frames until the end."""
        times_cleared = 0
        while True:
            with self._work:
                self._work.wait_for(lambda: self._is_closed or self._can_return() or self._can_leave())
                if self._is_closed:
                    break
                if times_cleared != self._times_cleared:
                    times_cleared, self._is_full = self._times_cleared, False
                    self._file.clear()
                    continue
                leaving = None if self._can_return() else self._back.head()
                if leaving is None and not self.spilled:
                    self._move_up()
                    continue
            if leaving is None:
                self._bring_back(times_cleared)
            else:
                self._send_off(leaving, times_cleared)
        self._file.close()

    def _can_return(self) -> bool:
        """Whether the front takes the next frame, from the file or, while that is empty, from the back."""
        if self.spilled:
            return not self._failure and self._front.has_room(self._file.next_nbytes)
        return len(self._back) > 0 and self._front.has_room(self._back.head().frame.nbytes)

    def _can_leave(self) -> bool:
        """Whether a frame of the back may go into the file."""
        return len(self._back) > 0 and not self._is_full

    def _move_up(self) -> None:
        item = self._back.pop()
        self._front.offer(item, item.frame.nbytes)
        self._on_room()
        self._on_ready()

    def _bring_back(self, times_cleared: int) -> None:
        try:
            item = self._file.get()
        except OSError as error:
            with self._work:
                self._failure = (
                    f"the spill file in {self._file.folder} cannot be read: {error.strerror or error}"
                )
                self._on_ready()
            return
        with self._work:
            if times_cleared == self._times_cleared:
                self._front.offer(item, item.frame.nbytes)
                self.spilled -= 1
                self._is_full = self._is_full and self.spilled > 0
                self._on_ready()

    def _send_off(self, item: Placed, times_cleared: int) -> None:
        try:
            written = self._file.put(item)
        except OSError as error:
            log.warning(
                "the spill file in %s cannot be written: %s", self._file.folder, error.strerror or error
            )
            written = False
        with self._work:
            if not written:
                self._is_full = True
            elif times_cleared == self._times_cleared and len(self._back) and self._back.head() is item:
                self._back.pop()
                self.spilled += 1
                self._on_room()
            else:  # dropped by the rule meanwhile
                self._file.take_back()
