"""Where things lie in a file, and what has room for the results of an acquisition."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from repstream.files import channels
from repstream.files.experiment import DETECTOR
from repstream.files.gaps import TEXT_BYTES
from repstream.files.plan import FilePlan

ACQUISITION = "/entry/acquisition"
"""The group with what is known of the acquisition: facts from its start, results from its end."""


END_TIME = "/entry/end_time"
"""When the acquisition ended; absent before."""


END_TIME_ESTIMATED = "/entry/end_time_estimated"


NIMAGES = f"{DETECTOR}/detectorSpecific/nimages"
"""How many images there are; as many as were asked for, until the end."""


USER_METADATA = "/entry/user_metadata"


STORED_AS = "stored_as"
"""Name of the fact that says how images were stored when they were written (`FilePlan.compression`)."""


UNFINISHED = "unfinished"
"""The outcome of a file that has not come to its end."""


CHANNELS = "channels"
"""Name of the fact that says where the images of each channel lie (`channels.as_text`)."""


_ROW_CHUNK_BYTES = 16384


TIME = np.dtype("S32")


RESULTS: Mapping[str, np.dtype[Any]] = {
    "stop_time": np.dtype("<f8"),
    "outcome": np.dtype("S32"),
    "message": np.dtype("S1024"),
    "received": np.dtype("<u8"),
    "written": np.dtype("<u8"),
    "missing": np.dtype("<u8"),
    "dropped": np.dtype("<u8"),
    "skipped": np.dtype("<u8"),
    "duplicates": np.dtype("<u8"),
    "late": np.dtype("<u8"),
    "resets": np.dtype("<u8"),
    "malformed": np.dtype("<u8"),
    "dropped_by_reason": np.dtype("S2048"),
    "skipped_by_reason": np.dtype("S2048"),
    "missing_ids": np.dtype(f"S{TEXT_BYTES}"),
    "series": np.dtype("<u8"),
    "values_lost": np.dtype("<u8"),
    "missing_by_channel": np.dtype("S2048"),
}
"""Fields that have room from the start and get their values at the end. Times are Unix
seconds, counts are frames, the ``…_by_reason`` are JSON objects reason -> frames,
``missing_ids`` is ``"3,7-9"`` (see `gaps.as_text`), ``series`` how many times the numbering
began, ``values_lost`` how many numbers of headers the file could not keep, ``missing_by_channel`` is
a JSON object channel -> images of it that did not come, though others did.
Before the end ``outcome`` is ``"unfinished"`` and the others are zero or empty."""


PART_IMAGES, PART_ROWS = "/part/data", "/part/metadata"
"""Where a master finds images and metadata in its parts.

A master itself has nothing there: a library that takes it for its own part, as h5py does where
it is opened through a Python file object, finds no dataset that shows itself.
"""


def images_path(detector_name: str) -> str:
    """The path of the images that the standard DAQ uses."""
    return f"/{detector_name}/data"


def images_paths(plan: FilePlan) -> list[str]:
    """The paths of the images of each channel; that of the first is `images_path`."""
    first = images_path(plan.detector_name)
    return [first, *(f"{first}_{label}" for label in channels.labels(plan.channels)[1:])]


def in_part(path: str) -> str:
    """Where a master finds in its parts what they have at `path` for the standard DAQ."""
    return f"{PART_IMAGES.removesuffix('data')}{path.rpartition('/')[2]}"


def metadata_path(detector_name: str) -> str:
    """The path of the metadata, one row an image."""
    return f"/{detector_name}/metadata"


def extra_values_path(detector_name: str) -> str:
    """The path of the numbers that came with images and are in no column of the metadata."""
    return f"/{detector_name}/extra_values"


def rows_per_chunk(row: np.dtype[Any]) -> int:
    """How many metadata rows of this type share a chunk."""
    return max(1, _ROW_CHUNK_BYTES // row.itemsize)


def iso_time(seconds: float) -> str:
    """Unix seconds as NeXus writes a time: ISO 8601 with the offset from UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
