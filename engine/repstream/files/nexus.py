"""The groups, fields and links of a file, as data.

The images are one dataset with several names, so that clients of the standard DAQ, of
areaDetector and of Lima each find it where they look, and viewers that follow NeXus
(``default`` and ``signal`` attributes, https://manual.nexusformat.org/datarules.html) plot
it when the file is opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.files import channels, experiment, user_metadata
from repstream.files.column_store import ROWS_PER_CHUNK
from repstream.files.columns import ARRIVAL_TIME, NDATTRIBUTES, UNIQUE_ID, Column
from repstream.files.detector import FIELDS, TABLES, DetectorFacts
from repstream.files.experiment import DETECTOR
from repstream.files.gaps import TEXT_BYTES
from repstream.files.goniometer import TRANSFORMATIONS, Axis
from repstream.files.plan import EXTRA_VALUE, Compression, FilePlan, Scalar, lost, lost_row
from repstream.files.row_status import is_std_daq
from repstream.messages.series import number_of

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

NEXUS_VERSION = "2024.02"
"""Version of the NeXus definitions that the names here follow."""

_IDENTIFIERS = {"acquisition_id": "entry_identifier", "run_id": "collection_identifier"}
CHANNELS = "channels"
"""Name of the fact that says where the images of each channel lie (`channels.as_text`)."""

_UNITS = {"start_time": "s", "stop_time": "s"}
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
    "missing_by_channel": np.dtype("S2048"),
}
"""Fields that have room from the start and get their values at the end. Times are Unix
seconds, counts are frames, the ``…_by_reason`` are JSON objects reason -> frames,
``missing_ids`` is ``"3,7-9"`` (see `gaps.as_text`), ``series`` how many times the numbering
began, ``values_lost`` how many numbers of headers the file could not keep, ``missing_by_channel`` is
a JSON object channel -> images of it that did not come, though others did.
Before the end ``outcome`` is ``"unfinished"`` and the others are zero or empty."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group with its attributes."""

    attributes: Mapping[str, str | list[str]]


_NO_GROUP = Group({})


@dataclass(frozen=True, slots=True)
class Stack:
    """A chunked dataset that begins empty and grows along its first dimension."""

    item_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    rows_per_chunk: int
    compression: Compression = "none"
    attributes: Mapping[str, Any] = field(default_factory=dict)


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
    attributes: Mapping[str, Any] = field(default_factory=dict)


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
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Field:
    """A scalar, stored in one piece so that it can be written again in its place.

    Text is UTF-8 of a fixed size in bytes (numpy kind ``"S"``), padded with zeros. `late`: it has
    room from the start, but no name until it is written (see `late_name`);
    one such field a group.
    """

    dtype: np.dtype[Any]
    value: Scalar
    attributes: Mapping[str, Any] = field(default_factory=dict)
    late: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """An array that is complete from the start."""

    data: NDArray[Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Zeros:
    """An array of zeros, packed so that it takes next to no room."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A second name, as good as the first, of what was made before at `target`."""

    target: str


@dataclass(frozen=True, slots=True)
class External:
    """A name for what lies at `target` in the file `name` of the same folder."""

    name: str
    target: str


Node = Group | Stack | Virtual | Interleaved | Field | Table | Zeros | Link | External

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


def _in_part(path: str) -> str:
    """Where a master finds in its parts what they have at `path` for the standard DAQ."""
    return f"{PART_IMAGES.removesuffix('data')}{path.rpartition('/')[2]}"


def _data_groups(plan: FilePlan) -> list[str]:
    """The NXdata groups: that of the images, and one a channel."""
    return ["/entry/data", *(channels.group(label) for label in channels.labels(plan.channels))]


def _data_group(axis: str) -> Group:
    return Group({"NX_class": "NXdata", "signal": "data", "axes": [axis, ".", "."]})


def _lost_row(plan: FilePlan) -> NDArray[Any]:
    """The metadata of an image whose file is gone; the standard DAQ has no word for that."""
    row = lost_row(plan.row_dtype)
    if is_std_daq(plan.attributes):
        row["status"] = lost(row.dtype["status"])
    return row


def metadata_path(detector_name: str) -> str:
    """The path of the metadata, one row an image."""
    return f"/{detector_name}/metadata"


def extra_values_path(detector_name: str) -> str:
    """The path of the numbers that came with images and are in no column of the metadata."""
    return f"/{detector_name}/extra_values"


def rows_per_chunk(row: np.dtype[Any]) -> int:
    """How many metadata rows of this type share a chunk."""
    return max(1, _ROW_CHUNK_BYTES // row.itemsize)


def empty_tree(plan: FilePlan) -> dict[str, Node]:
    """Path -> node of a file without images and metadata, each group before its members."""
    attributes = plan.attributes
    start = attributes.get("start_time")
    begun = iso_time(start) if isinstance(start, int | float) else ""
    root = {
        "NX_class": "NXroot",
        "default": "entry",
        "creator": "repstream",
        "file_name": str(plan.path),
        "NeXus_version": NEXUS_VERSION,
    }
    tree: dict[str, Node] = {
        "/": Group(root | ({"file_time": begun} if begun else {})),
        # Not the NXdetector itself: NeXus has none at the root of a file.
        f"/{plan.detector_name}": Group({}),
        "/entry": Group({"NX_class": "NXentry", "default": "data"}),
        "/entry/instrument": Group({"NX_class": "NXinstrument"}),
        DETECTOR: Group({"NX_class": "NXdetector"}),
        END_TIME: Field(_TIME, "", late=True),
        ACQUISITION: Group({"NX_class": "NXcollection"}),
    }
    if begun:
        tree["/entry/start_time"] = Field(_TIME, begun)
    for name, field_name in _IDENTIFIERS.items():
        if (value := attributes.get(name)) is not None:
            tree[f"/entry/{field_name}"] = Field(field_dtype(str(value)), str(value))
    for name, value in attributes.items():
        units = {"units": _UNITS[name]} if name in _UNITS else {}
        tree[f"{ACQUISITION}/{name}"] = Field(field_dtype(value), value, units)
    for name, dtype in RESULTS.items():
        empty: Scalar = "" if dtype.kind == "S" else 0
        units = {"units": _UNITS[name]} if name in _UNITS else {}
        tree[f"{ACQUISITION}/{name}"] = Field(dtype, UNFINISHED if name == "outcome" else empty, units)
    if plan.user_metadata:
        tree |= _user_tree(plan.user_metadata)
    if plan.detector is not None:
        tree |= _detector_tree(plan.detector, plan.channels)
    return tree


def waiting_tree(plan: FilePlan) -> dict[str, Node]:
    """The same of a file that waits for its first image: its images have no extent."""
    if "metadata_of" in plan.attributes:
        return empty_tree(plan)
    nothing = Table(np.zeros((0, *plan.shape), plan.dtype), _shown(plan))
    tree = _tree(plan, lambda path: nothing, Table(np.zeros(0, plan.row_dtype)))
    tree["/entry/data"] = _data_group(".")
    return _with_experiment(plan, tree)


def _with_experiment(plan: FilePlan, tree: dict[str, Node]) -> dict[str, Node]:
    """What is known of the experiment beside what is there, which stays."""
    reported = {} if plan.detector is None else plan.detector.reported
    known = experiment.found(plan.experiment, reported)
    values = dict(known.values)
    if 0 not in plan.shape:
        values |= experiment.module(values, plan.shape)
    if end := _estimated_end(plan, values, reported):
        values[END_TIME_ESTIMATED] = experiment.Value(end)
    complete = all(path in values for path in (*experiment.NXMX, END_TIME_ESTIMATED))
    if complete and f"{DETECTOR}/sensor_material" in tree:
        values["/entry/definition"] = experiment.Value("NXmx")
        values[f"{experiment.SAMPLE}/depends_on"] = experiment.Value(".")
    for path, item in values.items():
        groups = ["/".join(path.split("/")[:length]) for length in range(3, path.count("/") + 1)]
        if not all(isinstance(tree.get(group, _NO_GROUP), Group) for group in groups):
            continue
        for group in groups:
            kind = known.classes.get(group) or experiment.CLASSES.get(group, "NXcollection")
            tree.setdefault(group, Group({"NX_class": kind}))
        if isinstance(item.value, list):
            tree.setdefault(path, Table(np.array(item.value), item.attributes))
        else:
            tree.setdefault(path, Field(field_dtype(item.value), item.value, item.attributes))
    return tree


def _estimated_end(
    plan: FilePlan, values: Mapping[str, experiment.Value], reported: Mapping[str, Any]
) -> str:
    """When the last image is expected, which NXmx wants; empty where start, number or rate are not known."""
    start = plan.attributes.get("start_time")
    number = plan.attributes.get("num_requested") or number_of(reported)
    interval = values.get(f"{DETECTOR}/frame_time") or values.get(f"{DETECTOR}/count_time")
    if not isinstance(start, int | float) or not isinstance(number, int) or interval is None:
        return ""
    assert isinstance(interval.value, float)
    return iso_time(start + number * interval.value)


def _user_tree(metadata: str) -> dict[str, Node]:
    """The user's own group: the text as it came, and its single values as fields."""
    group = {"NX_class": "NXcollection"}
    tree: dict[str, Node] = {USER_METADATA: Group(group)}
    for path, value in user_metadata.fields(metadata):
        for length in range(1, len(path)):
            tree.setdefault(f"{USER_METADATA}/{'/'.join(path[:length])}", Group(group))
        tree[f"{USER_METADATA}/{'/'.join(path)}"] = Field(field_dtype(value), value)
    return tree | {f"{USER_METADATA}/{user_metadata.JSON}": Field(field_dtype(metadata), metadata)}


def _detector_tree(detector: DetectorFacts, names: Sequence[str]) -> dict[str, Node]:
    """What the detector said about itself: all of it as JSON, what NeXus has names for also under these."""
    facts: dict[str, Scalar] = {"series_id": detector.series, "series_unique_id": detector.unique_id}
    facts |= {"series_appendix": detector.appendix} if detector.appendix else {}
    everything = detector.configuration
    tree: dict[str, Node] = {f"{ACQUISITION}/{k}": Field(field_dtype(v), v) for k, v in facts.items()}
    tree[f"{DETECTOR}/configuration"] = Field(
        field_dtype(everything), everything, {"media_type": "application/json"}
    )
    configuration = detector.reported
    for name, sources in FIELDS.items():
        value = next((configuration[source] for source in sources if source in configuration), None)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            tree[f"{DETECTOR}/{name}"] = Field(field_dtype(value), value)
    return tree | _tables_tree(detector, names[0] if names else detector.threshold)


def _tables_tree(detector: DetectorFacts, shown: str) -> dict[str, Node]:
    """Each threshold's tables in a group of its own, those of the images also in the detector's."""
    tree: dict[str, Node] = {}
    thresholds = {name.partition("/")[2] for name in detector.tables} - {""}
    shown = shown or (next(iter(thresholds)) if len(thresholds) == 1 else "")
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
        lambda path: Stack(plan.shape, plan.dtype, 1, plan.compression, _shown(plan)),
        Stack((), rows, rows_per_chunk(rows)),
    )
    tree |= {
        extra: Stack((), EXTRA_VALUE, rows_per_chunk(EXTRA_VALUE)),
        f"{DETECTOR}/extra_values": Link(extra),
    }
    tree |= _columns_tree(plan, _grown_column) | _axes_tree(plan)
    if not plan.is_part:
        tree |= _specific_tree(plan, tree)
    tree |= _part_tree(plan, images=True) if plan.is_part else {}
    return _with_experiment(plan, tree)


def master_tree(
    plan: FilePlan, files: Sequence[str], images_per_file: int, count: int | None = None
) -> dict[str, Node]:
    """The same of a file that shows the images in other `files` (see `Virtual`).

    Each is there under its own name too, for readers that do not know virtual datasets.
    """
    no_image = lost(plan.dtype)
    tree = _tree(
        plan,
        lambda path: Virtual(
            plan.shape, plan.dtype, files, path, images_per_file, count, no_image, _shown(plan)
        ),
        Virtual((), plan.row_dtype, files, PART_ROWS, images_per_file, count, lost_row(plan.row_dtype)),
    )
    for group in _data_groups(plan):
        for number, name in enumerate(files, 1):
            tree[f"{group}/data_{number:06d}"] = External(name, f"{group}/data")

    def shown(column: Column) -> Virtual:
        path, nothing = column.in_part, lost(column.dtype)
        return Virtual((), column.dtype, files, path, images_per_file, count, nothing, column.attributes)

    tree |= _columns_tree(plan, shown) | _axes_tree(plan) | _extra_links(plan, files)
    tree |= _specific_tree(plan, tree)
    return _with_experiment(plan, tree)


def rows_tree(plan: FilePlan) -> dict[str, Node]:
    """The same of a file that has the metadata alone."""
    rows, dtype = metadata_path(plan.detector_name), plan.row_dtype
    return empty_tree(plan) | {
        rows: Stack((), dtype, rows_per_chunk(dtype)),
        f"{DETECTOR}/metadata": Link(rows),
        **_columns_tree(plan, _grown_column),
        **_part_tree(plan, images=False),
    }


def interleaved_tree(
    plan: FilePlan, files: Sequence[str], meta: str, count: int, *, final: bool = False
) -> dict[str, Node]:
    """The same of a file that shows `count` images, one of each of `files` in turn (see `Interleaved`).

    Their metadata lie in the file `meta`.
    """
    nothing = lost(plan.dtype)
    tree = _tree(
        plan,
        lambda path: Interleaved(plan.shape, plan.dtype, files, path, count, final, nothing, _shown(plan)),
        Virtual((), plan.row_dtype, [meta], PART_ROWS, count, count, _lost_row(plan)),
    )

    def shown(column: Column) -> Virtual:
        path, nothing = column.in_part, lost(column.dtype)
        return Virtual((), column.dtype, [meta], path, count, count, nothing, column.attributes)

    tree |= _columns_tree(plan, shown) | _axes_tree(plan) | _extra_links(plan, files)
    return _with_experiment(plan, tree | _specific_tree(plan, tree))


def _extra_links(plan: FilePlan, files: Sequence[str]) -> dict[str, Node]:
    """Names for the extra values of each part; their number differs, so no virtual dataset shows them."""
    extra = extra_values_path(plan.detector_name)
    return {
        f"{DETECTOR}/extra_values_{number:06d}": External(name, extra) for number, name in enumerate(files, 1)
    }


def _columns_tree(plan: FilePlan, make: Callable[[Column], Node]) -> dict[str, Node]:
    """The metadata as plain datasets, made by `make`."""
    tree: dict[str, Node] = {NDATTRIBUTES: Group({"NX_class": "NXcollection"})}
    if plan.axes:
        tree |= _goniometer_tree(plan.axes)
    return tree | {column.path: make(column) for column in plan.columns}


def _goniometer_tree(axes: Sequence[Axis]) -> dict[str, Node]:
    """The way from the base of the goniometer to the sample; positions that change are columns."""
    number = np.dtype("<f8")
    tree: dict[str, Node] = {
        experiment.SAMPLE: Group({"NX_class": "NXsample"}),
        TRANSFORMATIONS: Group({"NX_class": "NXtransformations"}),
        f"{experiment.SAMPLE}/depends_on": Field(field_dtype(axes[-1].path), axes[-1].path),
    }
    for axis in axes:
        if axis.increment:
            kind = {name: axis.attributes[name] for name in ("units", "transformation_type")}
            tree[f"{axis.path}_increment_set"] = Field(number, axis.increment, kind)
        else:
            tree[axis.path] = Field(number, axis.start, axis.attributes)
    return tree


def _part_tree(plan: FilePlan, *, images: bool) -> dict[str, Node]:
    """What a master looks for in its parts, under names of their own (see `PART_IMAGES`)."""
    tree: dict[str, Node] = {"/part": Group({}), PART_ROWS: Link(metadata_path(plan.detector_name))}
    if images:
        tree |= {_in_part(path): Link(path) for path in images_paths(plan)}
    for column in plan.columns:
        tree.setdefault(column.in_part.rpartition("/")[0], Group({}))
        tree[column.in_part] = Link(column.path)
    return tree


def _specific_tree(plan: FilePlan, tree: Mapping[str, Node]) -> dict[str, Node]:
    """What DECTRIS' own readers (neggia, which XDS uses) ask for."""
    group, mask = f"{DETECTOR}/detectorSpecific", f"{DETECTOR}/pixel_mask"
    return {
        group: Group({"NX_class": "NXcollection"}),
        f"{group}/pixel_mask": Link(mask) if mask in tree else Zeros(plan.shape, np.dtype("<u4")),
        NIMAGES: Field(np.dtype("<u8"), max(0, int(plan.attributes.get("num_requested", 0)))),
        f"{group}/ntrigger": Field(np.dtype("<u8"), 1),
    }


def _axes_tree(plan: FilePlan) -> dict[str, Node]:
    """Ids and times as axes of the images."""
    axes: dict[str, Node] = {}
    for group in _data_groups(plan):
        axes[f"{group}/image_id"] = Link(f"{NDATTRIBUTES}/{UNIQUE_ID}")
        if ARRIVAL_TIME in (plan.row_dtype.names or ()):
            axes[f"{group}/time"] = Link(f"{NDATTRIBUTES}/{ARRIVAL_TIME}")
    return axes


def _grown_column(column: Column) -> Stack:
    return Stack((), column.dtype, ROWS_PER_CHUNK, attributes=column.attributes)


def _shown(plan: FilePlan) -> dict[str, str]:
    return {"interpretation": "image", "units": "counts", "long_name": plan.detector_name}


def _tree(plan: FilePlan, make: Callable[[str], Node], rows: Node) -> dict[str, Node]:
    """What all kinds of files have; `make` makes a dataset of images, given its path in a part."""
    images, metadata = images_path(plan.detector_name), metadata_path(plan.detector_name)
    tree = empty_tree(plan)
    if plan.channels:
        paths = channels.as_text(plan.channels)
        tree[f"{ACQUISITION}/{CHANNELS}"] = Field(field_dtype(paths), paths)
    tree |= {path: make(_in_part(path)) for path in images_paths(plan)}
    for group, path in zip(_data_groups(plan)[1:], images_paths(plan), strict=False):
        tree |= {group: _data_group(plan.axis), f"{group}/data": Link(path)}
    return tree | {
        f"{ACQUISITION}/{STORED_AS}": Field(field_dtype(plan.compression), plan.compression),
        metadata: rows,
        f"{DETECTOR}/data": Link(images),
        f"{DETECTOR}/metadata": Link(metadata),
        "/entry/data": _data_group(plan.axis),
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
