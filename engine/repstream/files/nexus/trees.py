"""The whole tree of each kind of file: path -> node, each group before its members."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.files import channels
from repstream.files.column_store import ROWS_PER_CHUNK
from repstream.files.columns import ARRIVAL_TIME, NDATTRIBUTES, UNIQUE_ID, Column
from repstream.files.experiment import DETECTOR
from repstream.files.nexus.groups import (
    detector_tree,
    goniometer_tree,
    specific_tree,
    user_tree,
    with_experiment,
)
from repstream.files.nexus.nodes import (
    External,
    Field,
    Group,
    Interleaved,
    ItemRun,
    Link,
    Node,
    Shared,
    Stack,
    Table,
    Virtual,
    field_dtype,
)
from repstream.files.nexus.places import (
    ACQUISITION,
    CHANNELS,
    END_TIME,
    PART_ROWS,
    RESULTS,
    STORED_AS,
    TIME,
    UNFINISHED,
    extra_values_path,
    images_path,
    images_paths,
    in_part,
    iso_time,
    metadata_path,
    rows_per_chunk,
)
from repstream.files.plan import EXTRA_VALUE, FilePlan, Scalar, lost, lost_row
from repstream.files.row_status import is_std_daq

NEXUS_VERSION = "2024.02"
"""Version of the NeXus definitions that the names here follow."""


_IDENTIFIERS = {"acquisition_id": "entry_identifier", "run_id": "collection_identifier"}


_UNITS = {"start_time": "s", "stop_time": "s"}


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
        END_TIME: Field(TIME, "", late=True),
        ACQUISITION: Group({"NX_class": "NXcollection"}),
    }
    if begun:
        tree["/entry/start_time"] = Field(TIME, begun)
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
        tree |= user_tree(plan.user_metadata)
    if plan.detector is not None:
        tree |= detector_tree(plan.detector, plan.channels)
    return tree


def waiting_tree(plan: FilePlan) -> dict[str, Node]:
    """The same of a file that waits for its first image: its images have no extent."""
    if "metadata_of" in plan.attributes:
        return empty_tree(plan)
    nothing = Table(np.zeros((0, *plan.shape), plan.dtype), _shown(plan))
    tree = _tree(plan, lambda path: nothing, Table(np.zeros(0, plan.row_dtype)))
    tree["/entry/data"] = _data_group(".")
    return with_experiment(plan, tree)


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
        tree |= specific_tree(plan, tree)
    tree |= _part_tree(plan, images=True) if plan.is_part else {}
    return with_experiment(plan, tree)


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
    tree |= specific_tree(plan, tree)
    return with_experiment(plan, tree)


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
    return with_experiment(plan, tree | specific_tree(plan, tree))


def shared_tree(
    plan: FilePlan, files: Sequence[str], rows: NDArray[Any], runs: Sequence[ItemRun], columns: int
) -> dict[str, Node]:
    """The same of a file that shows images which lie in `files` as `runs` says (see `Shared`).

    `rows`: the metadata of all of them, which are in the file itself.
    """
    nothing = lost(plan.dtype)
    tree = _tree(
        plan,
        lambda path: Shared(
            plan.shape, plan.dtype, files, path, len(rows), runs, columns, nothing, _shown(plan)
        ),
        Table(rows),
    )
    tree |= _columns_tree(plan, lambda column: Table(column.values(rows), column.attributes))
    tree |= _axes_tree(plan) | _extra_links(plan, files)
    return with_experiment(plan, tree | specific_tree(plan, tree))


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
        tree |= goniometer_tree(plan.axes)
    return tree | {column.path: make(column) for column in plan.columns}


def _part_tree(plan: FilePlan, *, images: bool) -> dict[str, Node]:
    """What a master looks for in its parts, under names of their own (see `PART_IMAGES`)."""
    tree: dict[str, Node] = {"/part": Group({}), PART_ROWS: Link(metadata_path(plan.detector_name))}
    if images:
        tree |= {in_part(path): Link(path) for path in images_paths(plan)}
    for column in plan.columns:
        tree.setdefault(column.in_part.rpartition("/")[0], Group({}))
        tree[column.in_part] = Link(column.path)
    return tree


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
    tree |= {path: make(in_part(path)) for path in images_paths(plan)}
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
