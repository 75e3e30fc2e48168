"""An image that lies in a ring buffer still, and may be written over at any moment.

It is handed out as a view of the shared memory. Who reads it does so in one of two ways: takes a copy that is
known to be whole (`settled`), or reads it in place and asks afterwards whether it still was (`is_whole`).
The latter needs no copy, and suits a file: an image is not announced there before it has been judged.

Of a mapping that its owner has cut, system calls (`pwritev`) give an error, while reading it in this process
would end it (SIGBUS). So a view goes to system calls only; copies are made by reading the file.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from repstream.errors import StorageError
from repstream.messages.frame import Frame

WORDS = 3
"""Numbering, newest image id and monotonic time (ns) of the last look, in this order."""


class RingPlace(msgspec.Struct, frozen=True, array_like=True):
    """Where an image lies, so that another process of this host finds it.

    `ring`: (device, inode) of the shared memory at `path`. `numbering`: how often the numbering had begun.
    `safe`: images that may follow before its slot is in danger. `progress`: path and inode of the `Progress`.
    """

    path: str
    ring: tuple[int, int]
    offset: int
    nbytes: int
    image_id: int
    numbering: int
    safe: int
    progress: tuple[str, int]


class Progress:
    """How far the producer of a ring is, for who judges images in other threads and processes.

    Written by the one who follows the metadata; `place` is where others of the same user open it: a path,
    which the next one may have again, and its inode.
    """

    def __init__(self) -> None:
        self._fd = os.memfd_create("repstream-ring")
        os.ftruncate(self._fd, WORDS * 8)
        self.words: Any = np.frombuffer(mmap.mmap(self._fd, WORDS * 8), np.uint64)
        self.place = f"/proc/{os.getpid()}/fd/{self._fd}", os.fstat(self._fd).st_ino

    def note(self, numbering: int, newest: int) -> None:
        """All metadata up to now have been looked at."""
        self.words[0], self.words[1] = numbering, newest
        self.words[2] = time.monotonic_ns()

    def close(self) -> None:
        """Note no more; who has it open keeps it."""
        self.words = None
        os.close(self._fd)


class Rings:
    """What another process follows of rings: their memory and their progress, opened as images name them."""

    def __init__(self) -> None:
        self._memory: tuple[tuple[int, int], mmap.mmap] | None = None
        self._progress: tuple[tuple[str, int], Any] | None = None

    def image(self, place: RingPlace) -> RingImage | None:
        """The image at a place; None where that ring is gone.

        Raises StorageError where it is there and cannot be read: that is no fault of its producer.
        """
        try:
            if self._memory is not None and len(self._memory[1]) < place.offset + place.nbytes:
                self._memory = None  # it has grown since
            return view(self._mapped(place), place, self._words_of(place.progress))
        except (FileNotFoundError, ValueError):
            return None
        except OSError as error:
            where = place.path if error.filename is None else error.filename
            raise StorageError(f"the ring at {where} cannot be read: {error.strerror or error}") from error

    def _words_of(self, progress: tuple[str, int]) -> Any:
        if self._progress is None or self._progress[0] != progress:
            fd = os.open(progress[0], os.O_RDONLY)
            try:
                if os.fstat(fd).st_ino != progress[1]:
                    raise FileNotFoundError(progress[0])
                words = np.frombuffer(mmap.mmap(fd, WORDS * 8, prot=mmap.PROT_READ), np.uint64)
            finally:
                os.close(fd)
            self._progress = progress, words
        return self._progress[1]

    def _mapped(self, place: RingPlace) -> mmap.mmap:
        if self._memory is None or self._memory[0] != place.ring:
            self._memory = None
            fd = os.open(place.path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                found = os.fstat(fd)
                if (found.st_dev, found.st_ino) != place.ring:
                    raise FileNotFoundError(place.path)
                self._memory = place.ring, mmap.mmap(fd, 0, prot=mmap.PROT_READ)
            finally:
                os.close(fd)
        return self._memory[1]


class RingImage(np.ndarray[Any, np.dtype[np.uint8]]):
    """The bytes of an image in the ring, as `view` makes it; see above.

    `copy_of` gives a copy that is whole, None where that is too late; it is None in other processes. `kept`:
    the copy that was made.
    """

    place: RingPlace
    words: Any
    copy_of: Callable[[RingImage], memoryview | None] | None = None
    kept: memoryview | None = None

    def settle(self) -> memoryview | None:
        """A copy that stays as it is; None where the image may be written over. In the source's thread."""
        if self.kept is None and self.copy_of is not None:
            self.kept = self.copy_of(self)
        return self.kept

    def is_whole(self, read: int) -> bool | None:
        """Whether what was read until `read` (monotonic time in ns) was this image; None: not known yet."""
        if int(self.words[2]) <= read:
            return None
        numbering, newest = int(self.words[0]), int(self.words[1])
        place = self.place
        return numbering == place.numbering and 0 <= newest - place.image_id < place.safe


def view(memory: mmap.mmap, place: RingPlace, words: Any) -> RingImage:
    """An image in mapped memory. Raises ValueError where the memory ends before it."""
    image = np.frombuffer(memory, np.uint8, place.nbytes, place.offset).view(RingImage)
    image.place, image.words = place, words
    return image


def settled(frame: Frame) -> Frame | None:
    """The same frame with pixels that stay as they are; None where they may have been written over."""
    image = frame.payloads[0] if len(frame.payloads) == 1 else None
    if not isinstance(image, RingImage):
        return frame
    data = image.settle()
    if data is None:
        return None
    return msgspec.structs.replace(frame, parts=[*frame.parts[:-1], data], payloads=[data])
