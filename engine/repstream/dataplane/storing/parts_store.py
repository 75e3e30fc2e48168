"""The files of one acquisition that several processes write: parts in turn, and a master over them."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path

import msgspec
import zmq

from repstream.dataplane.control import AcquisitionPlan
from repstream.dataplane.storing import part_messages as messages
from repstream.dataplane.storing.frame_store import Stored
from repstream.dataplane.storing.image_kind import (
    Describe,
    Kind,
    further_results,
    kind_of,
    own_members,
    placeholder_of,
)
from repstream.dataplane.storing.metadata_file import MetadataFile, OwnMetadataFile, ServedMetadataFile
from repstream.dataplane.storing.part_process import PartProcess
from repstream.dataplane.storing.partners import RunningService, partner_for
from repstream.dataplane.storing.placement import Placed
from repstream.errors import StorageError
from repstream.files.detector import DetectorFacts
from repstream.files.interleaved import InterleavedMaster, meta_path, turn_paths
from repstream.files.placeholder import Placeholder
from repstream.files.plan import Scalar
from repstream.states import is_fault

SHOW_INTERVAL = 0.25
"""Seconds between versions of the master. Making one takes 10 ms, in which the loop mostly waits."""

SHOW_SHARE = 20
"""Where making one takes longer (a detector's tables are in it), the next one comes later by this factor."""

PAUSE = 0.1
"""Seconds to wait for an answer before looking again."""


class PartsStore:
    """Takes the place of a `FrameStore`: image i of the acquisition goes to part i % N.

    An image is stored when the master shows it, which it does when it and all before it are
    complete in their parts. `open` makes the empty files of all parts and of the master; where that fails
    `finish` still is due. Used by one thread. `describe` as in `FrameStore`; what it gives is in the master.
    Raises StorageError when the storage fails or a part dies, from every method.
    """

    def __init__(self, plan: AcquisitionPlan, describe: Describe) -> None:
        self._plan = plan
        self._describe = describe
        self._kind: Kind | None = None
        self._detector: DetectorFacts | None = None
        self._master: InterleavedMaster | None = None
        self._waiting: deque[int] = deque()
        self._complete: list[Stored] = []
        self._rows: list[bytes] = []
        self._taken = self._seen = 0
        self.holes: Counter[str] = Counter()
        self._next_show = 0.0
        self._is_broken = False  # true where a version of the master could not be made: no other follows
        self._parts: list[PartProcess] = []
        self._waiting_master: Placeholder | None = None
        self._waiting_meta: MetadataFile | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="repstream-"))
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    @property
    def nbytes(self) -> int:
        """Size of all files in bytes."""
        own = self._master.nbytes if self._master is not None else 0
        return own + sum(part.nbytes for part in self._parts)

    @property
    def values_lost(self) -> int:
        """As in `FrameStore`, of all parts."""
        return sum(part.values_lost for part in self._parts)

    @property
    def due(self) -> float:
        """In how many seconds `announce` is wanted, which also notices a part that dies while none comes."""
        return max(0.0, self._next_show - time.monotonic())

    def open(self) -> None:
        """Make all files, and start the processes of the parts."""
        path, names = Path(self._plan.path), self._plan.part_names
        self._waiting_master = placeholder_of(self._plan_of(path, {}))
        of_metadata = self._plan_of(meta_path(path, names), {"metadata_of": path.name})
        self._waiting_meta = (
            ServedMetadataFile(of_metadata, RunningService(self._plan.part_services + "meta"))
            if self._plan.metadata_service
            else OwnMetadataFile(of_metadata)
        )
        paths = turn_paths(path, self._plan.number_of_parts, names)
        for number, part in enumerate(paths):
            share = len(range(number, self._plan.num_images, len(paths)))
            plan = self._plan_of(part, {"part": number, "master": path.name, "num_requested": share})
            partner = partner_for(plan, str(number))
            self._parts.append(PartProcess(plan, partner, self._context, f"ipc://{self._folder}/{number}"))
        self._await(lambda: all(part.opened for part in self._parts))

    def write(self, placed: Sequence[Placed]) -> list[Stored]:
        """Hand images on, in order, waiting for parts that are behind; stored are those of `announce`."""
        if self._kind is None:
            self._kind = kind_of(placed[0].frame, self._plan)
            self._detector = self._describe()
            for part in self._parts:
                part.order(messages.Begin(self._kind))
        for frame in (item.frame for item in placed):
            part = self._parts[self._taken % len(self._parts)]
            if part.full:
                self._flush()
                self._await(lambda part=part: not part.full)  # type: ignore[misc]
            part.send(frame)
            if frame.channels:
                absent = zip(frame.channels, frame.payloads, strict=True)
                self.holes.update(name for name, payload in absent if payload is None)
            self._waiting.append(frame.frame_id)
            self._taken += 1
        self._flush()
        self._take_answers(0.0)
        return self.announce() if self.due == 0.0 else []

    def announce(self) -> list[Stored]:
        """Have the master show what is complete; which frames readers see now that they did not before."""
        self._take_answers(0.0)
        return self.salvage()

    def salvage(self) -> list[Stored]:
        """Have the master show what is known to be complete, also after a fault; which frames these are."""
        if self._is_broken:
            return []
        begun = time.monotonic()
        if self._complete:
            self._is_broken = True
            self._show()
            self._is_broken = False
            if self._master is not None and self._plan.sync_interval:
                self._master.sync()
        now = time.monotonic()
        self._next_show = now + max(SHOW_INTERVAL, SHOW_SHARE * (now - begun))
        stored, self._complete = self._complete, []
        return stored

    def sync(self) -> list[Stored]:
        """Put everything on the disk; which frames readers see now that they did not before."""
        for part in self._parts:
            part.order(messages.Sync())
        self._await(lambda: all(part.synced for part in self._parts))
        stored = self.announce()
        if self._master is not None:
            self._master.sync()
        return stored

    def check_in_place(self) -> None:
        """Make sure that all parts live and their files and the master are still under their names."""
        self._take_answers(0.0)
        for file in self._files:
            file.check_in_place()

    def finish(self, results: Mapping[str, Scalar]) -> None:
        """Enter the results and close all; see `FrameFile.finish`.

        Where a part cannot be closed the master is not yet: it is to be finished again, as failed.
        """
        failure = self._finish_parts(results)
        if failure is not None and not is_fault(results["outcome"]):
            raise failure
        try:
            for file in self._files:
                file.finish({**results, **further_results(self)})
        finally:
            self._close()

    @property
    def _files(self) -> Sequence[InterleavedMaster | Placeholder | MetadataFile]:
        """The files that are not those of parts."""
        if self._master is not None:
            return [self._master]
        return [file for file in (self._waiting_master, self._waiting_meta) if file is not None]

    def _plan_of(self, path: Path, facts: Mapping[str, Scalar]) -> AcquisitionPlan:
        plan = self._plan
        attributes = {**plan.attributes, "number_of_parts": plan.number_of_parts, **facts}
        return msgspec.structs.replace(plan, path=str(path), attributes=attributes)

    def _show(self) -> None:
        rows, self._rows = b"".join(self._rows), []
        if self._master is not None:
            self._master.show(rows)
            return
        kind, waiting = self._kind, self._waiting_master
        assert kind is not None and waiting is not None and self._waiting_meta is not None
        members = (*kind.row_members, *own_members(self._plan, kind.channels))
        facts = (kind.shape, kind.pixel_type, members, kind.compression)
        plan = waiting.plan_of(*facts, detector=self._detector, channels=kind.channels)
        meta = self._waiting_meta.begin(kind, plan.axes)
        names = [part.path.name for part in self._parts]
        try:
            self._master = InterleavedMaster(plan, names, waiting.state, meta, rows)
        except BaseException:
            meta.close()
            raise
        waiting.discard()

    def _flush(self) -> None:
        for part in self._parts:
            part.flush()

    def _await(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self._take_answers(PAUSE)

    def _take_answers(self, patience: float) -> None:
        """Follow the parts, waiting at most this time (s) for a message from one."""
        pipes = {part.pipe: part for part in self._parts if not part.ended}
        for pipe in wait(list(pipes), patience):
            pipes[pipe].take_answers()  # type: ignore[index]
        parts = self._parts
        while self._waiting and (stored := parts[self._seen % len(parts)].stored):
            nbytes, row = stored.popleft()
            self._complete.append((self._waiting.popleft(), nbytes))
            self._rows.append(row)
            self._seen += 1

    def _finish_parts(self, results: Mapping[str, Scalar]) -> StorageError | None:
        """Close the parts that live; the first that could not do it says why."""
        failure: StorageError | None = None
        name = Path(self._plan.path).name
        order = messages.Finish({**results, "message": f"Part of {name}."})
        for part in self._parts:
            if not part.ended:
                part.order(order)
        while any(not part.ended for part in self._parts):
            try:
                self._take_answers(PAUSE)
            except StorageError as error:
                failure = failure or error
        return failure

    def _close(self) -> None:
        for part in self._parts:
            part.close()
        self._context.destroy(linger=0)
        shutil.rmtree(self._folder, ignore_errors=True)
