"""Where the images of a file lie: the index of each dataset, and the places without an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from repstream.files.chunk_index import ChunkIndex
from repstream.files.gaps import Ranges
from repstream.files.growing import LARGE, Tail
from repstream.files.plan import FilePlan
from repstream.files.raw_io import Buffer


class Moved(NamedTuple):
    """An image for a blank place: the index that is to name it (`by`), and where it will lie."""

    by: ChunkIndex
    address: int
    nbytes: int


class ImagePlaces:
    """The images of a file by their places, in as many datasets as the file has.

    It decides where an image goes and what the indices say; it writes nothing. A place without an image
    shows the blank one, kept once for all of them.
    """

    def __init__(self, plan: FilePlan) -> None:
        self.indices = [ChunkIndex((1, *plan.shape)) for _ in range(plan.datasets)]
        self._plan = plan
        self._blank_address = 0
        self._blanks = Ranges()

    @cached_property
    def blank(self) -> bytes:
        """What is stored in the place of an image that is missing."""
        return self._plan.blank

    @property
    def blanks(self) -> int:
        """How many places are blank."""
        return sum(last - first + 1 for first, last in self._blanks)

    def add(self, tail: Tail, payloads: Sequence[Buffer | None], nbytes: list[int], first: int) -> None:
        """Put images into `tail` and into the indices, from place `first` on."""
        datasets = len(self.indices)
        size, at, total = nbytes[0], 0, len(payloads)
        alike = datasets == 1 and 0 < size < LARGE and nbytes.count(size) == total and not tail.block
        while at < total:
            index = self.indices[at % datasets]
            run = min(index.room, total - at) if alike else 0
            if run:
                address = tail.put_run(payloads[at : at + run], size)
                index.add_run(address, size, run)
            else:
                self._add(tail, index, payloads[at], nbytes[at])
            at += run or 1
        if 0 in nbytes:
            for row in range(total // datasets):
                if not any(nbytes[row * datasets : (row + 1) * datasets]):
                    self._blanks.add(first + row, first + row + 1)

    def occupy(self, number: int) -> bool:
        """Whether the place was blank; it is not any more."""
        return self._blanks.remove(number)

    def put(self, tail: Tail, payloads: Sequence[Buffer | None], nbytes: list[int]) -> list[Moved]:
        """Put the images of one blank place into `tail`; the indices do not name them yet."""
        found = zip(self.indices, payloads, nbytes, strict=True)
        return [Moved(index, tail.put_image(p, size), size) for index, p, size in found if p is not None]

    def move(self, number: int, moved: Sequence[Moved]) -> Iterator[list[tuple[int, bytes]]]:
        """Let the indices name these images: for each two writes, (offset, bytes), in this order."""
        for by, address, nbytes in moved:
            yield by.move(number, address, nbytes, len(self.blank))

    def put_blank(self, tail: Tail) -> None:
        """Put the blank image into `tail`, if it is nowhere yet."""
        if not self._blank_address:
            self._blank_address = tail.put_image(self.blank, len(self.blank))

    def withdraw(self, number: int) -> Iterator[tuple[int, bytes]]:
        """Let a place show the blank image, which is there: the writes. Of files with one dataset."""
        (index,) = self.indices
        yield from index.move(number, self._blank_address, len(self.blank), len(self.blank))
        self._blanks.add(number, number + 1)

    def _add(self, tail: Tail, index: ChunkIndex, payload: Buffer | None, nbytes: int) -> None:
        """Find room for one image, or let its place show the blank one."""
        if payload is not None:
            index.add(tail.put_image(payload, nbytes), nbytes, tail.put_node)
            return
        self.put_blank(tail)
        index.add(self._blank_address, len(self.blank), tail.put_node)
