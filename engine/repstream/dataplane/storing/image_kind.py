"""What all images of a file have in common, and what the file holds beside them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np

from repstream.dataplane.control import AcquisitionPlan
from repstream.dataplane.storing.columns import Members, members_of, with_masks
from repstream.files import channels, checksum
from repstream.files.columns import ARRIVAL_TIME
from repstream.files.detector import DetectorFacts
from repstream.files.placeholder import Placeholder
from repstream.files.plan import Compression, Scalar
from repstream.messages.frame import Frame

Describe = Callable[[], DetectorFacts | None]
"""What the detector said before the first frame."""


class Kind(msgspec.Struct, frozen=True):
    """What all images of a file have in common: fields as in `Frame` and `FilePlan`.

    `members`: the columns for what the headers bring, (name, numpy type) each, without masks.
    """

    shape: tuple[int, int]
    dtype: str
    big_endian: bool
    compression: Compression
    members: tuple[tuple[str, str], ...]
    channels: tuple[str, ...] = ()

    @property
    def pixel_type(self) -> np.dtype[Any]:
        """With its byte order."""
        return np.dtype(self.dtype).newbyteorder(">" if self.big_endian else "<")

    @property
    def columns(self) -> Members:
        """`members` with the types themselves."""
        return tuple((name, np.dtype(dtype)) for name, dtype in self.members)

    @property
    def row_members(self) -> Members:
        """All that a row has for headers, the masks too."""
        return with_masks(self.columns)


def kind_of(frame: Frame, plan: AcquisitionPlan) -> Kind:
    """What the first frame of an acquisition says of all."""
    taken = [name for name, _ in own_members(plan, frame.channels)]
    height, width = frame.shape
    members = tuple((name, dtype.str) for name, dtype in members_of(frame, taken, plan.header_columns))
    stored: Compression = frame.encoding or ("none" if plan.compression == "none" else "bitshuffle_lz4")
    return Kind((height, width), frame.dtype, frame.big_endian, stored, members, frame.channels)


def own_members(plan: AcquisitionPlan, names: Sequence[str]) -> Members:
    """What the rows of an acquisition with these channels hold beside what its headers bring."""
    own = ((ARRIVAL_TIME, np.dtype("<f8")), *checksum.members(plan.checksum))
    return (*own, *channels.members(names, plan.checksum))


def placeholder_of(plan: AcquisitionPlan) -> Placeholder:
    """The file of an acquisition before its first frame, with all facts. Raises StorageError."""
    return Placeholder.create(
        Path(plan.path),
        plan.detector_name,
        {**plan.attributes, "checksum": plan.checksum, "placement": plan.placement},
        overwrite=plan.overwrite,
        user_id=plan.user_id,
        user_metadata=plan.user_metadata,
        axis=plan.axis,
        experiment=plan.experiment,
        block_size=plan.block_size,
        start=plan.start,
    )


class Losses(Protocol):
    """What a store could not keep."""

    @property
    def values_lost(self) -> int: ...

    @property
    def holes(self) -> Counter[str]: ...


def further_results(store: Losses) -> dict[str, Scalar]:
    """The results that only the store knows."""
    return {"values_lost": store.values_lost, "missing_by_channel": json.dumps(store.holes)}
