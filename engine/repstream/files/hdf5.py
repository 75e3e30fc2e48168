"""Making files with the HDF5 library: the only module that calls it to write.

A file is made whole in memory, with its groups, links, fields and empty datasets, and is
handed on as bytes with the places in it that change later. The library never sees the file
on the disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import hdf5plugin
import numpy as np

from repstream.files import layout, nexus

_BLOCK_SIZE_BY_LIBRARY = 0


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """Where a scalar lies in the file, and its type."""

    offset: int
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class FileImage:
    """A complete HDF5 file as bytes; `stacks` and `fields` say by path what lies where."""

    data: bytes
    stacks: Mapping[str, layout.DatasetPlaces]
    fields: Mapping[str, FieldPlace]


def build(tree: Mapping[str, nexus.Node]) -> FileImage:
    """Make the file that `tree` describes, with the oldest structures of the format only.

    Raises ValueError for a name or type that HDF5 does not take.
    """
    headers: dict[str, int] = {}
    fields: dict[str, FieldPlace] = {}
    with h5py.File.in_memory(libver="earliest", block_size=65536) as file:
        for path, node in tree.items():
            if isinstance(node, nexus.Group):
                file.require_group(path).attrs.update(node.attributes)
            elif isinstance(node, nexus.Link):
                file[path] = file[node.target]
            elif isinstance(node, nexus.Virtual):
                _make_virtual(file, path, node)
            elif isinstance(node, nexus.Interleaved):
                _make_interleaved(file, path, node)
            elif isinstance(node, nexus.Table):
                file.create_dataset(path, data=node.data)
            elif isinstance(node, nexus.Stack):
                headers[path] = _make_stack(file, path, node)
            else:
                fields[path] = _make_field(file, path, node)
        file.flush()
        data = file.id.get_file_image()
    layout.check_superblock(data)
    stacks = {path: layout.dataset_places(data, header) for path, header in headers.items()}
    return FileImage(data, stacks, fields)


def _make_stack(file: h5py.File, path: str, stack: nexus.Stack) -> int:
    """Make an empty growing dataset; return the address of its object header."""
    filters: Mapping[str, Any] = (
        hdf5plugin.Bitshuffle(_BLOCK_SIZE_BY_LIBRARY, "lz4") if stack.compression != "none" else {}
    )
    dataset = file.create_dataset(
        path,
        shape=(0, *stack.item_shape),
        maxshape=(None, *stack.item_shape),
        chunks=(stack.rows_per_chunk, *stack.item_shape),
        dtype=stack.dtype,
        fill_time="never",
        **filters,
    )
    dataset.attrs.update(stack.attributes)
    return int(h5py.h5o.get_info(dataset.id).addr)


def _make_virtual(file: h5py.File, path: str, virtual: nexus.Virtual) -> None:
    """Make a dataset of other files; h5py's own VirtualLayout does not take one that may grow."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    item, items = virtual.item_shape, virtual.items
    limits = (h5py.h5s.UNLIMITED, *item)
    for number, name in enumerate(virtual.files):
        count = items if number < len(virtual.files) - 1 else h5py.h5s.UNLIMITED
        here = _run_of(number * items, count, item, limits)
        creation.set_virtual(here, name.encode(), virtual.path.encode(), _run_of(0, count, item, limits))
    space = h5py.h5s.create_simple((len(virtual.files) * items, *item), limits)
    kind = h5py.h5t.py_create(virtual.dtype, logical=True)
    h5py.h5d.create(file.id, path.encode(), kind, space, creation)
    file[path].attrs.update(virtual.attributes)


def _make_interleaved(file: h5py.File, path: str, node: nexus.Interleaved) -> None:
    """Make a dataset of a fixed size, so that no reader ever sees a place whose file is behind."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    item, parts = node.item_shape, len(node.files)
    ones = (1,) * len(item)
    for number, name in enumerate(node.files):
        count = len(range(number, node.count, parts))
        if count:
            here = h5py.h5s.create_simple((node.count, *item))
            here.select_hyperslab(
                (number, *[0] * len(item)), (count, *ones), stride=(parts, *item), block=(1, *item)
            )
            there = _run_of(0, count, item, (h5py.h5s.UNLIMITED, *item))
            creation.set_virtual(here, name.encode(), node.path.encode(), there)
    space = h5py.h5s.create_simple((node.count, *item))
    kind = h5py.h5t.py_create(node.dtype, logical=True)
    h5py.h5d.create(file.id, path.encode(), kind, space, creation)
    file[path].attrs.update(node.attributes)


def _run_of(first: int, count: int, item: tuple[int, ...], limits: tuple[int, ...]) -> h5py.h5s.SpaceID:
    """`count` items from `first` on, selected in a space of any number of them."""
    space = h5py.h5s.create_simple((first + 1, *item), limits)
    rank = len(item)
    space.select_hyperslab((first, *[0] * rank), (count, *[1] * rank), block=(1, *item))
    return space


def _make_field(file: h5py.File, path: str, field: nexus.Field) -> FieldPlace:
    text = field.dtype.kind == "S"
    dtype = h5py.string_dtype("utf-8", field.dtype.itemsize) if text else field.dtype
    dataset = file.create_dataset(path, shape=(), dtype=dtype)
    dataset.attrs.update(field.attributes)
    value = np.frombuffer(nexus.encode(field.value, field.dtype), field.dtype)
    dataset.id.write(h5py.h5s.ALL, h5py.h5s.ALL, value, dataset.id.get_type())
    return FieldPlace(int(dataset.id.get_offset()), field.dtype)
