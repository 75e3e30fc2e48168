"""Images that clients of Lima read and save: of the newest file or, without one, those in memory."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.files.one_image import write_image
from repstream.files.reader import FileReader
from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Role
from repstream.parameters.writer import WriterConfig
from repstream.pictures.link import PictureLink
from repstream.protocol import Engine, Requester
from repstream.version import __version__
from repstream_tango.lima.conversions import WRITER
from repstream_tango.lima.course import NUMBER, Course
from repstream_tango.lima.memory import Memory

MOST_BYTES = 1 << 30
"""Bytes of images that are read at once at most."""


class Images:
    """The images of the newest acquisition, numbered from 0; `close` after use."""

    def __init__(self, engine: Engine, course: Course, link: PictureLink) -> None:
        self._engine, self._course = engine, course
        self._memory = Memory(link, lambda key: engine.read(key).value)

    def begin(self, saves: bool) -> None:
        """An acquisition begins; one without a file is kept in memory."""
        if saves:
            self._memory.end()
        else:
            self._memory.begin()

    def close(self) -> None:
        """Keep nothing more."""
        self._memory.end()

    def read(self, numbers: Sequence[int]) -> list[NDArray[Any]]:
        """The images of these numbers, -1 the last.

        Raises `ValueError` and `StorageError` with the reason.
        """
        last = self._course.last_ready
        if last < 0:
            raise ValueError("no image was taken yet: last_image_ready is -1")
        if wrong := [number for number in numbers if not -1 <= number <= last]:
            raise ValueError(f"there is no image {wrong[0]}, only 0 to {last}")
        if self._course.saves:
            return self._in_file([last if number == -1 else number for number in numbers])
        return [self._memory.image(self._id(number, last)) for number in numbers]

    def write(self, number: int, requester: Requester) -> Path:
        """Write an image, -1 the last, to the next file; where it is.

        Raises `Refused`, `ValueError` and `StorageError` with the reason.
        """
        last = self._course.last_ready
        image = self.read([number])[0]
        image_id = self._id(number, last)
        values, catalogue = self._engine.snapshot().values, self._engine.catalogue
        writer = WriterConfig.of(catalogue.fields(values, Group.WRITER, 1))
        roots = str(values[catalogue.key(Role.ROOTS, Group.ENGINE)] or "")
        now = time.time()
        path = write_image(
            writer,
            [Path(root) for root in roots.split(os.pathsep)],
            image,
            image_id=image_id,
            attributes={
                "acquisition_id": f"{int(now * 1000)}-0",  # the engine's own end with numbers from 1 on
                "run_id": writer.run_id or str(int(now * 1e9)),
                "start_time": now,
                "requested_by": str(requester),
                "host": platform.node(),
                "software": f"repstream {__version__}",
            },
            stop_time=now,
        )
        self._engine.write({NUMBER: writer.file_number + 1}, requester)
        self._course.saved_by_hand(last if number == -1 else number)
        return path

    def _in_file(self, numbers: Sequence[int]) -> list[NDArray[Any]]:
        with FileReader(str(self._engine.read(f"{WRITER}full_file_name").value)) as reader:
            size = len(numbers) * int(np.prod(reader.shape)) * reader.dtype.itemsize
            if size > MOST_BYTES:
                raise ValueError(f"{len(numbers)} images are {size} bytes, at most {MOST_BYTES} are returned")
            return [reader.image(number) for number in numbers]

    def _id(self, number: int, last: int) -> int:
        """Id of an image in memory; for -1 the newest that is there, the stream may leave out the last."""
        first, image_id = self._course.id_of(0), self._course.id_of(last if number == -1 else number)
        newest = self._memory.newest(first, image_id) if number == -1 else None
        return image_id if newest is None else newest
