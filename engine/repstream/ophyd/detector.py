"""`WriterDetector`: source and one writer as a detector of bluesky, in step scans and fly scans."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from bluesky.protocols import Reading
from event_model import DataKey
from ophyd_async.core import (
    DetectorAcquireLogic,
    DetectorDataLogic,
    DetectorTriggerLogic,
    PathProvider,
    SignalDict,
    StandardDetector,
    StreamableDataProvider,
    StreamResourceDataProvider,
    StreamResourceInfo,
    TriggerInfo,
    WatchableAsyncStatus,
    WatcherUpdate,
)

from repstream.errors import EndedEarly, Refused
from repstream.link.handles import PendingHandle
from repstream.ophyd.devices import Section
from repstream.ophyd.gate_sums import GateSums
from repstream.ophyd.link import Link, checked
from repstream.parameters.catalogue import Group, key_of
from repstream.states import is_writing

DATASET = "/entry/data/data"
TEMPLATE = "%s%s.h5"
ENDLESS = 2**31 - 1

_LAST_WORD = 1.0
"""Seconds for which images may still be announced after the gate has shut or the file is closed."""

_T = TypeVar("_T")


class _Gate:
    """The acquisition of this detector: its id, and the opening of its gate that goes on."""

    def __init__(self, link: Link, writer: str) -> None:
        self.link = link
        self.writer = writer
        self.frames = 1
        self.number = 0
        self.acquisition_id = ""
        self.handle: PendingHandle | None = None

    def key(self, field: str) -> str:
        return key_of(Group.WRITER, self.writer, field)

    def value(self, field: str) -> Any:
        return self.link.read(self.key(field)).value

    @property
    def is_ours(self) -> bool:
        """Whether the file that the writer has open is that of this detector."""
        return (
            bool(self.acquisition_id)
            and is_writing(self.value("state"))
            and self.value("acquisition_id") == self.acquisition_id
        )


class _Trigger(DetectorTriggerLogic):
    """The detector gets its commands elsewhere; what is prepared here is the number of images."""

    def __init__(self, gate: _Gate, deadtime: float) -> None:
        self._gate = gate
        self._deadtime = deadtime

    def get_deadtime(self, config_values: SignalDict) -> float:
        return self._deadtime

    async def prepare_internal(self, num: int, livetime: float, deadtime: float) -> None:
        self._gate.frames = num

    async def prepare_edge(self, num: int, livetime: float) -> None:
        self._gate.frames = num

    async def prepare_level(self, num: int) -> None:
        self._gate.frames = num

    async def default_trigger_info(self) -> TriggerInfo:
        return TriggerInfo()


class _Acquire(DetectorAcquireLogic):
    """Opens the gate for the images of a point, or of a flight."""

    def __init__(self, gate: _Gate) -> None:
        self._gate = gate

    async def start_acquiring(self) -> None:
        gate = self._gate
        gate.handle = await gate.link.give(gate.key("start"), gate.frames or ENDLESS)
        gate.number += 1

    async def wait_for_idle(self) -> None:
        if self._gate.handle is not None:
            checked(await self._gate.handle)

    async def ensure_stopped(self) -> None:
        if self._gate.is_ours:
            await self._gate.link.execute(self._gate.key("pause"))


class _File(DetectorDataLogic):
    """Has the file made before the first image, and closed in the end; never that of somebody else."""

    def __init__(self, gate: _Gate, paths: PathProvider) -> None:
        self._gate = gate
        self._paths = paths

    async def prepare_unbounded(self, datakey_name: str) -> StreamableDataProvider:
        gate, path = self._gate, self._paths(datakey_name)
        shape, dtype = self._image()
        wanted = {
            "folder": str(path.directory_path),
            "file_name": path.filename,
            "file_template": TEMPLATE,
            "create_directory": path.create_dir_depth,
            "num_images": 0,
        }
        await gate.link.write({gate.key(field): value for field, value in wanted.items()})
        gate.number, gate.handle = 0, None
        await gate.link.execute(gate.key("arm"))
        gate.acquisition_id = str(gate.value("acquisition_id"))
        return StreamResourceDataProvider(
            uri=f"{path.directory_uri}{path.filename}.h5",
            resources=[
                StreamResourceInfo(
                    data_key=datakey_name,
                    shape=shape,
                    chunk_shape=(1, *shape),
                    dtype_numpy=dtype,
                    parameters={"dataset": DATASET},
                )
            ],
            mimetype="application/x-hdf5",
            collections_written_signal=self.written,
        )

    written: Any
    """The signal of the number of images that can be read."""

    def get_hinted_fields(self, datakey_name: str) -> Sequence[str]:
        return [datakey_name]

    async def stop(self) -> None:
        if self._gate.is_ours:
            await self._gate.link.execute(self._gate.key("stop"))

    def _image(self) -> tuple[tuple[int, int], str]:
        """Shape and type of the images: as demanded, else as seen last."""
        read = self._gate.link.read
        height, width = (
            int(str(read(f"source.image_{axis}").value or read(f"source.seen_{axis}").value or 0))
            for axis in ("height", "width")
        )
        demanded = str(read("source.image_type").value)
        pixel = str(read("source.seen_type").value or "") if demanded == "any" else demanded
        if not (height and width and pixel):
            reason = "the documents need the size and type of the images, and none has come yet"
            raise Refused("source.image_height", f"{reason}: set image_height, image_width and image_type")
        return (height, width), np.dtype(pixel).str


class WriterDetector(StandardDetector):
    """The images of an engine in files, as bluesky wants them: step scans, fly scans, stream documents.

    `writer` is the name of the writer, a `Section` of which is the attribute of the same name. `paths`
    says where each file goes. `picture`: the slot of a picture whose ``gate_writer`` is this writer: its
    sums over the images of each point are read then, too, of `regions` (1 to 4) beside the whole.

    The detector hardware is not controlled. Whatever the engine refuses, and every acquisition that ends
    early, fails the status with the engine's reason. `stop` and `unstage` end only acquisitions that
    were begun here.
    """

    def __init__(
        self,
        link: Link,
        paths: PathProvider,
        writer: str = "main",
        *,
        picture: int | None = None,
        regions: Sequence[int] = (),
        deadtime: float = 0.0,
        name: str = "",
    ) -> None:
        self.writer = Section(link, Group.WRITER, writer)
        self._gate = _Gate(link, writer)
        self._sums = None if picture is None else GateSums(link, picture, regions)
        if self._sums is not None:
            self.picture = self._sums.section
        file = _File(self._gate, paths)
        file.written = self.writer.num_written
        self.add_detector_logics(_Trigger(self._gate, deadtime), _Acquire(self._gate), file)
        super().__init__(name=name)

    @WatchableAsyncStatus.wrap
    async def trigger(self) -> AsyncIterator[WatcherUpdate[int]]:
        """Take the images of one point; done when they can be read."""
        async for update in self._failing_early(_iterator(StandardDetector.trigger, self)):
            yield update

    @WatchableAsyncStatus.wrap
    async def complete(self) -> AsyncIterator[WatcherUpdate[int]]:
        """Wait for the images of a flight; done when they can be read."""
        async for update in self._failing_early(_iterator(StandardDetector.complete, self)):
            yield update

    async def describe(self) -> dict[str, DataKey]:
        described = await super().describe()
        return described if self._sums is None else {**described, **await self._sums.describe()}

    async def read(self) -> dict[str, Reading[Any]]:
        read: Mapping[str, Reading[Any]] = await super().read()
        if self._sums is None:
            return dict(read)
        return {**read, **await self._sums.read(self._gate.acquisition_id, self._gate.number)}

    async def _failing_early(self, updates: AsyncIterator[_T]) -> AsyncIterator[_T]:
        """Go on as long as images may come; raises `EndedEarly` where the acquisition has ended before."""
        while True:
            following = asyncio.ensure_future(anext(updates, None))
            try:
                await self._first_of(following)
                update = await following
            finally:
                following.cancel()
            if update is None:
                return
            yield update

    async def _first_of(self, following: asyncio.Future[Any]) -> None:
        """Wait for the next update; not for ever where the command that brings it has ended."""
        while not following.done():
            handle = self._gate.handle
            if handle is None or handle.completion is None:
                await asyncio.wait({following}, timeout=0.1)
                continue
            completion = checked(handle.completion)
            await asyncio.wait({following}, timeout=_LAST_WORD)
            if not following.done() and completion.acquisition_id:
                raise EndedEarly(completion.command, completion.message or "the file has been closed")
            await asyncio.wait({following}, timeout=0.1)


def _iterator(wrapped: Any, detector: StandardDetector) -> AsyncIterator[WatcherUpdate[int]]:
    """The iterator that a `WatchableAsyncStatus` of ophyd-async is made from."""
    updates: AsyncIterator[WatcherUpdate[int]] = wrapped.__wrapped__(detector)
    return updates
