"""The groups, fields and links of a file, as data.

The images are one dataset with several names, so that clients of the standard DAQ, of
areaDetector and of Lima each find it where they look, and viewers that follow NeXus
(``default`` and ``signal`` attributes, https://manual.nexusformat.org/datarules.html) plot
it when the file is opened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from repstream.files import user_metadata
from repstream.files.detector import FIELDS, TABLES, DetectorFacts
from repstream.files.gaps import TEXT_BYTES
from repstream.files.plan import EXTRA_VALUE, Compression, FilePlan, Scalar, lost, lost_row

ACQUISITION = "/entry/acquisition"
"""The group with what is known of the acquisition: facts from its start, results from its end."""

DETECTOR = "/entry/instrument/detector"

END_TIME = "/entry/end_time"

USER_METADATA = "/entry/user_metadata"

STORED_AS = "stored_as"
"""Name of the fact that says how images were stored when they were written (`FilePlan.compression`)."""

UNFINISHED = "unfinished"
"""The outcome of a file that has not come to its end."""

_ROW_CHUNK_BYTES = 16384
_TIME = np.dtype("S32")
_NO_NAME = re.compile(r"[^A-Za-z0-9_]")

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
}
"""Fields that have room from the start and get their values at the end. Times are Unix
seconds, counts are frames, the ``…_by_reason`` are JSON objects reason -> frames,
``missing_ids`` is ``"3,7-9"`` (see `gaps.as_text`), ``series`` how many times the numbering
began, ``values_lost`` how many numbers of headers the file could not keep.
Before the end ``outcome`` is ``"unfinished"`` and the others are zero or empty."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group with its attributes."""

    attributes: Mapping[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class Stack:
    """A chunked dataset that begins empty and grows along its first dimension."""

    item_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    rows_per_chunk: int
    compression: Compression = "none"
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Virtual:
    """A dataset that shows those at `path` in other files one behind the other.

    `files`: their names, in the same folder. Each but the last holds `items` items; `count` is how
    many all hold, None while the last may grow. `lost` is shown for what is in a file that is gone.
    """

    item_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    files: Sequence[str]
    path: str
    items: int
    count: int | None
    lost: Any
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Interleaved:
    """A dataset that shows `count` items of those at `path` in other files, one of each in turn.

    `files`: their names, in the same folder; item i is number i // len(files) of file
    i % len(files). `count` is 1 or more. `final`: no further ones come. `lost` as in `Virtual`.
    """

    item_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    files: Sequence[str]
    path: str
    count: int
    final: bool
    lost: Any
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Field:
    """A scalar, stored in one piece so that it can be written again in its place.

    Text is UTF-8 of a fixed size in bytes (numpy kind ``"S"``), padded with zeros.
    """

    dtype: np.dtype[Any]
    value: Scalar
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """An array that is complete from the start."""

    data: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A second name, as good as the first, of what was made before at `target`."""

    target: str


@dataclass(frozen=True, slots=True)
class External:
    """A name for what lies at `target` in the file `name` of the same folder."""

    name: str
    target: str


Node = Group | Stack | Virtual | Interleaved | Field | Table | Link | External

PART_IMAGES, PART_ROWS = "/part/data", "/part/metadata"
"""Where a master finds images and metadata in its parts.

A master itself has nothing there: a library that takes it for its own part, as h5py does where
it is opened through a Python file object, finds no dataset that shows itself.
"""


def images_path(detector_name: str) -> str:
    """The path of the images that the standard DAQ uses."""
    return f"/{detector_name}/data"


def metadata_path(detector_name: str) -> str:
    """The path of the metadata, one row an image."""
    return f"/{detector_name}/metadata"


def extra_values_path(detector_name: str) -> str:
    """The path of the numbers that came with images and are in no column of the metadata."""
    return f"/{detector_name}/extra_values"


def rows_per_chunk(row: np.dtype[Any]) -> int:
    """How many metadata rows of this type share a chunk."""
    return max(1, _ROW_CHUNK_BYTES // row.itemsize)


def empty_tree(detector_name: str, attributes: Mapping[str, Scalar], metadata: str = "") -> dict[str, Node]:
    """Path -> node of a file without images, each group before its members.

    `metadata` is the JSON object of `FilePlan.user_metadata`.
    """
    tree: dict[str, Node] = {
        "/": Group({"NX_class": "NXroot", "default": "entry", "creator": "repstream"}),
        # Not the NXdetector itself: NeXus has none at the root of a file.
        f"/{detector_name}": Group({}),
        "/entry": Group({"NX_class": "NXentry", "default": "data"}),
        "/entry/instrument": Group({"NX_class": "NXinstrument"}),
        DETECTOR: Group({"NX_class": "NXdetector"}),
        END_TIME: Field(_TIME, ""),
        ACQUISITION: Group({"NX_class": "NXcollection"}),
    }
    start = attributes.get("start_time")
    if isinstance(start, int | float):
        tree["/entry/start_time"] = Field(_TIME, iso_time(start))
    for name, value in attributes.items():
        tree[f"{ACQUISITION}/{name}"] = Field(field_dtype(value), value)
    for name, dtype in RESULTS.items():
        empty: Scalar = "" if dtype.kind == "S" else 0
        tree[f"{ACQUISITION}/{name}"] = Field(dtype, UNFINISHED if name == "outcome" else empty)
    return tree | (_user_tree(metadata) if metadata else {})


def _user_tree(metadata: str) -> dict[str, Node]:
    """The user's own group: the text as it came, and its single values as fields."""
    group = {"NX_class": "NXcollection"}
    tree: dict[str, Node] = {USER_METADATA: Group(group)}
    for path, value in user_metadata.fields(metadata):
        for length in range(1, len(path)):
            tree.setdefault(f"{USER_METADATA}/{'/'.join(path[:length])}", Group(group))
        tree[f"{USER_METADATA}/{'/'.join(path)}"] = Field(field_dtype(value), value)
    return tree | {f"{USER_METADATA}/{user_metadata.JSON}": Field(field_dtype(metadata), metadata)}


def _detector_tree(detector: DetectorFacts) -> dict[str, Node]:
    """What the detector told: all of it as JSON, what NeXus has names for also under these."""
    facts: dict[str, Scalar] = {"series_id": detector.series, "series_unique_id": detector.unique_id}
    facts |= {"series_appendix": detector.appendix} if detector.appendix else {}
    told = detector.configuration
    tree: dict[str, Node] = {f"{ACQUISITION}/{k}": Field(field_dtype(v), v) for k, v in facts.items()}
    tree[f"{DETECTOR}/configuration"] = Field(field_dtype(told), told, {"media_type": "application/json"})
    configuration = msgspec.json.decode(told, type=dict[str, Any])
    for name, (sources, unit) in FIELDS.items():
        value = next((configuration[source] for source in sources if source in configuration), None)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            tree[f"{DETECTOR}/{name}"] = Field(field_dtype(value), value, {"units": unit} if unit else {})
    return tree | _tables_tree(detector)


def _tables_tree(detector: DetectorFacts) -> dict[str, Node]:
    """Each threshold's tables in a group of its own, those of the images also in the detector's."""
    tree: dict[str, Node] = {}
    thresholds = {name.partition("/")[2] for name in detector.tables} - {""}
    shown = detector.threshold or (next(iter(thresholds)) if len(thresholds) == 1 else "")
    for path, data in detector.tables.items():
        name, _, threshold = path.partition("/")
        name = TABLES.get(name, f"table_{_NO_NAME.sub('_', name)}")
        if not threshold:
            tree[f"{DETECTOR}/{name}"] = Table(data)
            continue
        group = f"{DETECTOR}/{_NO_NAME.sub('_', threshold)}_channel"
        tree[group] = Group({"NX_class": "NXcollection"})
        tree[f"{group}/{name}"] = Table(data)
        if threshold == shown:
            tree[f"{DETECTOR}/{name}"] = Link(f"{group}/{name}")
    return tree


def image_tree(plan: FilePlan) -> dict[str, Node]:
    """Path -> node of a file for images, each group and each link's target before it."""
    rows, extra = plan.row_dtype, extra_values_path(plan.detector_name)
    tree = _tree(
        plan,
        Stack(plan.shape, plan.dtype, 1, plan.compression, _shown(plan)),
        Stack((), rows, rows_per_chunk(rows)),
    )
    tree |= {
        extra: Stack((), EXTRA_VALUE, rows_per_chunk(EXTRA_VALUE)),
        f"{DETECTOR}/extra_values": Link(extra),
    }
    if plan.is_part:
        tree |= {
            "/part": Group({}),
            PART_IMAGES: Link(images_path(plan.detector_name)),
            PART_ROWS: Link(metadata_path(plan.detector_name)),
        }
    return tree


def master_tree(
    plan: FilePlan, files: Sequence[str], images_per_file: int, count: int | None = None
) -> dict[str, Node]:
    """The same of a file that shows the images in other `files` (see `Virtual`).

    Each is there under its own name too, for readers that do not know virtual datasets.
    """
    tree = _tree(
        plan,
        Virtual(
            plan.shape, plan.dtype, files, PART_IMAGES, images_per_file, count, lost(plan.dtype), _shown(plan)
        ),
        Virtual((), plan.row_dtype, files, PART_ROWS, images_per_file, count, lost_row(plan.row_dtype)),
    )
    for number, name in enumerate(files, 1):
        tree[f"/entry/data/data_{number:06d}"] = External(name, "/entry/data/data")
    return tree


def rows_tree(plan: FilePlan) -> dict[str, Node]:
    """The same of a file that has the metadata alone."""
    rows, dtype = metadata_path(plan.detector_name), plan.row_dtype
    return empty_tree(plan.detector_name, plan.attributes, plan.user_metadata) | {
        rows: Stack((), dtype, rows_per_chunk(dtype)),
        f"{DETECTOR}/metadata": Link(rows),
        "/part": Group({}),
        PART_ROWS: Link(rows),
    }


def interleaved_tree(
    plan: FilePlan, files: Sequence[str], meta: str, count: int, *, final: bool = False
) -> dict[str, Node]:
    """The same of a file that shows `count` images, one of each of `files` in turn (see `Interleaved`).

    Their metadata lie in the file `meta`.
    """
    return _tree(
        plan,
        Interleaved(plan.shape, plan.dtype, files, PART_IMAGES, count, final, lost(plan.dtype), _shown(plan)),
        Virtual((), plan.row_dtype, [meta], PART_ROWS, count, count, lost_row(plan.row_dtype)),
    )


def _shown(plan: FilePlan) -> dict[str, str]:
    return {"interpretation": "image", "units": "counts", "long_name": plan.detector_name}


def _tree(plan: FilePlan, stack: Node, rows: Node) -> dict[str, Node]:
    images, metadata = images_path(plan.detector_name), metadata_path(plan.detector_name)
    tree = empty_tree(plan.detector_name, plan.attributes, plan.user_metadata)
    if plan.detector is not None:
        tree |= _detector_tree(plan.detector)
    return tree | {
        f"{ACQUISITION}/{STORED_AS}": Field(field_dtype(plan.compression), plan.compression),
        images: stack,
        metadata: rows,
        f"{DETECTOR}/data": Link(images),
        f"{DETECTOR}/metadata": Link(metadata),
        "/entry/data": Group({"NX_class": "NXdata", "signal": "data", "axes": [".", ".", "."]}),
        "/entry/data/data": Link(images),
        "/entry_0000": Group({"NX_class": "NXentry"}),
        "/entry_0000/measurement": Group({"NX_class": "NXcollection"}),
        "/entry_0000/measurement/data": Link(images),
    }


def iso_time(seconds: float) -> str:
    """Unix seconds as NeXus writes a time: ISO 8601 with the offset from UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def field_dtype(value: Scalar) -> np.dtype[Any]:
    """The type that holds `value`: text of its size, a 64-bit integer or a double.

    Raises ValueError for an integer beyond 64 bits.
    """
    if isinstance(value, str):
        return np.dtype(f"S{len(value.encode()) or 1}")
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise ValueError(f"{value} does not fit into 64 bits")
        return np.dtype("<u8" if value >= 2**63 else "<i8")
    return np.dtype("<f8")


def encode(value: Scalar, dtype: np.dtype[Any]) -> bytes:
    """The bytes of `value` as a field of `dtype`; text that is too long is cut at a character.

    Raises ValueError for a value that the field cannot hold.
    """
    if dtype.kind != "S":
        try:
            return np.array(value, dtype).tobytes()
        except (ValueError, OverflowError, TypeError) as error:
            raise ValueError(f"{value!r} is not a value of type {dtype}: {error}") from error
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    data = value.replace("\0", " ").encode()[: dtype.itemsize].decode(errors="ignore").encode()
    return data.ljust(dtype.itemsize, b"\0")
