"""An acquisition in several files with the same number of images, and a master that shows them as one.

The master is a virtual dataset. It is made anew whenever a part begins, appears whole under its
name, and grows with the last part by itself, so it is right at every moment, also after a kill.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from repstream.errors import StorageError
from repstream.files.closed_parts import ClosedParts
from repstream.files.frame_file import NO_EXTRA, FrameFile, extra_between
from repstream.files.master_file import MasterFile
from repstream.files.nexus import trees
from repstream.files.plan import FilePlan, Scalar
from repstream.files.raw_io import Buffer
from repstream.files.results import as_failed
from repstream.states import is_fault


def part_path(path: Path, number: int) -> Path:
    """The name of a part, counted from 1: ``scan_part0001.h5`` beside ``scan.h5``."""
    return path.with_name(f"{path.stem}_part{number:04d}{path.suffix}")


def parts_there(path: Path) -> list[Path]:
    """Files that have the name of a part of `path`."""
    found = path.parent.glob(f"{glob.escape(path.stem)}_part[0-9][0-9][0-9][0-9]*")
    return sorted(part for part in found if part.suffix == path.suffix)


class FileSeries:
    """A master with its parts; to be used as a `FrameFile`.

    `replacing` is the state of the file that has the master's name until now. The part before
    the last one stays open for images that come late.
    """

    def __init__(self, plan: FilePlan, images_per_file: int, replacing: os.stat_result) -> None:
        self._plan = plan
        self._per_file = images_per_file
        self._master = MasterFile(plan, replacing)
        self._parts = 0
        self._open: list[FrameFile] = []
        self._closed = ClosedParts()
        self.path = plan.path
        try:
            self._begin_part()
        except BaseException:
            self.close()
            raise

    @property
    def blank(self) -> bytes:
        """As in `FrameFile`, as are all of the following."""
        return self._open[-1].blank

    @property
    def nbytes(self) -> int:
        return self._closed.nbytes + sum(part.nbytes for part in self._open)

    @property
    def places(self) -> int:
        return (self._parts - 1) * self._per_file + self._open[-1].places

    @property
    def count(self) -> int:
        before = self._parts - len(self._open)
        return before * self._per_file + sum(part.count for part in self._open)

    def append(
        self,
        payloads: Sequence[Buffer | None],
        rows: np.ndarray[Any, Any],
        extra: np.ndarray[Any, Any] = NO_EXTRA,
        *,
        announce: bool = True,
    ) -> int:
        at = 0
        while at < len(rows):
            if self._open[-1].places == self._per_file:
                self._begin_part()
            part = self._open[-1]
            stop, datasets = at + self._per_file - part.places, self._plan.datasets
            images = payloads[at * datasets : stop * datasets]
            part.append(images, rows[at:stop], extra_between(extra, at, stop), announce=announce)
            at = stop
        return self.count

    def announce(self) -> None:
        for part in self._open:
            part.announce()

    def fill(
        self,
        number: int,
        payloads: Sequence[Buffer | None],
        row: np.ndarray[Any, Any],
        extra: np.ndarray[Any, Any] = NO_EXTRA,
        *,
        durable: bool = False,
    ) -> None:
        part, place = divmod(number, self._per_file)
        at = part - (self._parts - len(self._open))
        if at < 0:
            raise ValueError(f"part {part + 1} of {self.path} is closed")
        self._open[at].fill(place, payloads, row, extra, durable=durable)

    def sync(self) -> None:
        for part in self._open:
            part.sync()

    def check_in_place(self) -> None:
        self._master.check_in_place()
        for part in self._open:
            part.check_in_place()
        self._closed.check()

    def finish(self, results: Mapping[str, Scalar]) -> None:
        self._master.check_results(results)
        places = self.places
        if not is_fault(results.get("outcome")):
            self._closed.check_all()
            self._master.check_in_place()
            for part in self._open:
                part.sync()
            if places:
                self._publish_master(places)
        # The master says how it ended, also where a part cannot any more.
        failure = self._finish_parts(results)
        self._master.finish(results if failure is None else as_failed(results, failure), places)
        if failure is not None:
            raise failure

    def close(self) -> None:
        for part in self._open:
            part.close()
        self._master.close()

    def _begin_part(self) -> None:
        if self._open:
            # The new master says that this part is full.
            self._open[-1].sync()
        if len(self._open) > 1:
            self._finish_part(self._open[0], {"outcome": "completed"})
        number = self._parts + 1
        facts = {**self._plan.attributes, "part": number, "master": self.path.name}
        self._open.append(
            FrameFile.create(
                replace(self._plan, path=part_path(self.path, number), attributes=facts, detector=None)
            )
        )
        self._parts = number
        self._publish_master()

    def _finish_part(self, part: FrameFile, results: Mapping[str, Scalar]) -> None:
        state, written = part.state, part.places - part.blanks
        part.finish({**results, "message": f"Part of {self.path.name}.", "written": written})
        self._open.remove(part)
        self._closed.add(part.path, state, part.nbytes)

    def _finish_parts(self, results: Mapping[str, Scalar]) -> StorageError | None:
        """Finish all that are open; the first that could not be says why."""
        failure = None
        for part in list(self._open):
            try:
                self._finish_part(part, results)
            except StorageError as error:
                failure = failure or error
        return failure

    def _publish_master(self, count: int | None = None) -> None:
        """Show the parts that there are; `count` images in all, None while the last part grows."""
        names = [part_path(self.path, number).name for number in range(1, self._parts + 1)]
        self._master.show(trees.master_tree(self._plan, names, self._per_file, count))
