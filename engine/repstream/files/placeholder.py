"""The file of an acquisition that does not know its images yet.

When the shape or type is to be learned from the first frame, arming makes a valid HDF5 file
without images; the first frame turns it into the real one in one step.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from repstream.errors import StorageError
from repstream.files import goniometer, hdf5
from repstream.files.detector import DetectorFacts
from repstream.files.failing import failing
from repstream.files.fence import Start
from repstream.files.frame_file import FrameFile
from repstream.files.intact import HEAD, check_intact
from repstream.files.nexus import trees
from repstream.files.plan import Axis, Compression, FilePlan, Scalar
from repstream.files.publish import check_unchanged, may_overwrite, publish
from repstream.files.results import ResultFields, close, discard, write_results
from repstream.files.series import FileSeries


class Placeholder:
    """A file with all groups and facts and no images; made with `create`.

    It ends with `become` (images came) or `finish` (none did).
    """

    def __init__(self, plan: FilePlan) -> None:
        self._plan = plan
        self.path = plan.path
        image = hdf5.build(trees.waiting_tree(plan))
        self._results = ResultFields(image.fields)
        self._head, self._size = image.data[:HEAD], len(image.data)
        self._fd = publish(
            plan.path,
            image.data,
            lambda: plan.overwrite and may_overwrite(plan.path),
            plan.user_id,
            plan.start,
        )

    @classmethod
    def create(
        cls,
        path: Path,
        detector_name: str,
        attributes: Mapping[str, Scalar],
        *,
        overwrite: bool = False,
        user_id: int = 0,
        user_metadata: str = "",
        axis: Axis = "image_id",
        experiment: Mapping[str, Scalar] | None = None,
        block_size: int = 0,
        start: Start | None = None,
    ) -> Self:
        """Make the file; arguments as in `FilePlan`. Raises StorageError as `FrameFile.create` does."""
        return cls(
            FilePlan(
                path=path,
                detector_name=detector_name,
                shape=(0, 0),
                dtype=np.dtype("<u2"),
                attributes=attributes,
                user_metadata=user_metadata,
                overwrite=overwrite,
                user_id=user_id,
                axis=axis,
                experiment=experiment or {},
                block_size=block_size,
                start=start,
            )
        )

    def become(
        self,
        shape: tuple[int, int],
        dtype: np.dtype[Any],
        members: tuple[tuple[str, np.dtype[Any]], ...] = (),
        compression: Compression = "none",
        images_per_file: int = 0,
        *,
        detector: DetectorFacts | None = None,
        channels: tuple[str, ...] = (),
    ) -> FrameFile | FileSeries:
        """Put the real file in this one's place; arguments as in `FilePlan`.

        With `images_per_file` it is the master of files with that number of images each.

        Raises StorageError where that fails or someone else's file has the name by now,
        which then stays; this one is still open then and may be finished.
        """
        plan = self.plan_of(shape, dtype, members, compression, detector=detector, channels=channels)
        file: FrameFile | FileSeries
        if images_per_file:
            file = FileSeries(plan, images_per_file, self.state)
        else:
            file = FrameFile.create(plan, replacing=self.state)
        self.discard()
        return file

    def plan_of(
        self,
        shape: tuple[int, int],
        dtype: np.dtype[Any],
        members: tuple[tuple[str, np.dtype[Any]], ...],
        compression: Compression,
        *,
        detector: DetectorFacts | None,
        channels: tuple[str, ...] = (),
    ) -> FilePlan:
        """The plan of the real file, with what is known from the start; arguments as in `FilePlan`."""
        reported = {} if detector is None else detector.reported
        return replace(
            self._plan,
            shape=shape,
            dtype=dtype,
            members=members,
            compression=compression,
            detector=detector,
            channels=channels,
            # What lies below a master follows that, which alone hears the detector.
            axes=() if self._plan.is_part else goniometer.axes(self._plan.experiment, reported),
        )

    @property
    def state(self) -> os.stat_result:
        """What distinguishes this file from others."""
        return os.fstat(self._fd)

    def check_in_place(self) -> None:
        """As `FrameFile.check_in_place`."""
        check_unchanged(self.path, self._fd, self._head, self._size)

    def finish(self, results: Mapping[str, Scalar]) -> None:
        """Enter the results and close, as `FrameFile.finish` does."""
        writes = self._results.encode(results)
        if self._fd < 0:  # the number may be another file's by now
            raise StorageError(f"{self.path} is closed")
        try:
            with failing(self.path, "cannot be finished"):
                check_intact(self._fd, self._head, self._size)
                write_results(self._fd, writes)
        finally:
            self.close()

    def close(self) -> None:
        """Give up the file as it is; a second time does nothing."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            close(fd, self.path)

    def discard(self) -> None:
        """Close the file, which another one has replaced."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            discard(fd)
