"""Making files with the HDF5 library: the only module that calls it to write.

A file is made whole in memory, with its groups, links, fields and empty datasets, and is
handed on as bytes with the places in it that change later. The library never sees the file
on the disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import h5py
import hdf5plugin
import numpy as np

from repstream.files import attributes, late_name, layout
from repstream.files.nexus import nodes
from repstream.files.plan import Compression
from repstream.messages.compression import compress_zeros

_BLOCK_SIZE_BY_LIBRARY = 0
_ALGORITHMS: Mapping[str, Literal["lz4", "zstd"]] = {"bitshuffle_lz4": "lz4", "bitshuffle_zstd": "zstd"}

MOST_SINGLE = 1_000
"""Images of a dataset with a selection each, at most."""


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """Where a scalar lies in the file, and its type.

    `name`: the write (offset, bytes) that gives it its name, where it has none yet.
    """

    offset: int
    dtype: np.dtype[Any]
    name: tuple[int, bytes] | None = None


@dataclass(frozen=True, slots=True)
class FileImage:
    """A complete HDF5 file as bytes; `stacks` and `fields` say by path what lies where."""

    data: bytes
    stacks: Mapping[str, layout.DatasetPlaces]
    fields: Mapping[str, FieldPlace]


def build(tree: Mapping[str, nodes.Node]) -> FileImage:
    """Make the file that `tree` describes, with the oldest structures of the format only.

    Raises ValueError for a name or type that HDF5 does not take.
    """
    headers: dict[str, int] = {}
    fields: dict[str, FieldPlace] = {}
    late: dict[str, tuple[int, int]] = {}
    with h5py.File.in_memory(libver="earliest", block_size=65536) as file:
        file.attrs["HDF5_Version"] = h5py.version.hdf5_version
        groups = _Groups(file)
        for path, node in tree.items():
            if isinstance(node, nodes.Group):
                attributes.put(groups.at(path), node.attributes)
                continue
            group, name = groups.place(path)
            if isinstance(node, nodes.Link):
                target = h5py.h5o.open(file.id, node.target.encode())
                h5py.h5o.link(target, group, name.encode(), _links(name.isascii()))
            elif isinstance(node, nodes.External):
                h5py.Group(group)[name] = h5py.ExternalLink(node.name, node.target)
            elif isinstance(node, nodes.Virtual):
                _make_virtual(file, path, node)
            elif isinstance(node, nodes.Interleaved):
                _make_interleaved(file, path, node)
            elif isinstance(node, nodes.Shared):
                _make_shared(file, path, node)
            elif isinstance(node, nodes.Table):
                table = h5py.Group(group).create_dataset(name, data=node.data)
                attributes.put(table.id, node.attributes)
            elif isinstance(node, nodes.Zeros):
                _make_zeros(group, name, node)
            elif isinstance(node, nodes.Stack):
                headers[path] = _make_stack(group, name, node)
            else:
                fields[path] = _make_field(group, name, node)
                if node.late:
                    late[path] = (_header(group), _header(h5py.h5o.open(group, name.encode())))
        file.flush()
        data = file.id.get_file_image()
    layout.check_superblock(data)
    for path, (parent, field) in late.items():
        data, naming = late_name.hide(data, parent, field)
        fields[path] = replace(fields[path], name=naming)
    stacks = {path: layout.dataset_places(data, header) for path, header in headers.items()}
    return FileImage(data, stacks, fields)


class _Groups:
    """The groups of a new file: to look one up along its whole path takes longer than to make it."""

    def __init__(self, file: h5py.File) -> None:
        root = h5py.h5g.open(file.id, b"/")
        self._made: dict[str, h5py.h5g.GroupID] = {"": root, "/": root}

    def at(self, path: str) -> h5py.h5g.GroupID:
        """The group at an absolute path, made where it is not there."""
        if path not in self._made:
            parent, name = self.place(path)
            self._made[path] = h5py.h5g.create(parent, name.encode(), _links(name.isascii()), _untimed())
        return self._made[path]

    def place(self, path: str) -> tuple[h5py.h5g.GroupID, str]:
        """Where the item of an absolute path belongs: its group, and its name there."""
        parent, _, name = path.rpartition("/")
        return self.at(parent), name


def _make_stack(group: h5py.h5g.GroupID, name: str, stack: nodes.Stack) -> int:
    """Make an empty growing dataset; return the address of its object header."""
    space = h5py.h5s.create_simple((0, *stack.item_shape), (h5py.h5s.UNLIMITED, *stack.item_shape))
    chunk = (stack.rows_per_chunk, *stack.item_shape)
    creation = _growing(chunk, stack.compression)
    kind = h5py.h5t.py_create(stack.dtype, logical=True)
    dataset = _make(group, name, kind, space, creation)
    attributes.put(dataset, stack.attributes)
    return _header(dataset)


def _growing(chunk: tuple[int, ...], compression: Compression) -> h5py.h5p.PropDCID:
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_obj_track_times(False)
    creation.set_chunk(chunk)
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    if compression != "none":
        how = hdf5plugin.Bitshuffle(_BLOCK_SIZE_BY_LIBRARY, _ALGORITHMS[compression])
        creation.set_filter(how["compression"], h5py.h5z.FLAG_OPTIONAL, how["compression_opts"])
    return creation


def _make(
    group: h5py.h5g.GroupID,
    name: str,
    kind: h5py.h5t.TypeID,
    space: h5py.h5s.SpaceID,
    creation: h5py.h5p.PropDCID,
) -> h5py.h5d.DatasetID:
    """A dataset by the library's own calls: those of h5py take three times as long, and a file has dozens."""
    dataset = h5py.h5d.create(group, None, kind, space, creation)
    h5py.h5o.link(dataset, group, name.encode(), _links(name.isascii()))
    return dataset


def _header(item: h5py.h5g.GroupID | h5py.h5d.DatasetID) -> int:
    """The address of an object's header."""
    return int(h5py.h5o.get_info(item).addr)


def _make_zeros(group: h5py.h5g.GroupID, name: str, zeros: nodes.Zeros) -> None:
    packed = compress_zeros(zeros.shape[0] * zeros.shape[1] * zeros.dtype.itemsize, zeros.dtype.itemsize)
    dataset = h5py.Group(group).create_dataset(
        name,
        shape=zeros.shape,
        chunks=zeros.shape,
        dtype=zeros.dtype,
        **hdf5plugin.Bitshuffle(_BLOCK_SIZE_BY_LIBRARY, "lz4"),
    )
    dataset.id.write_direct_chunk((0, 0), packed)


def _make_virtual(file: h5py.File, path: str, virtual: nodes.Virtual) -> None:
    """Make a dataset of other files; h5py's own VirtualLayout does not take one that may grow."""
    creation = _virtual_creation(virtual.lost)
    item, items, grows = virtual.item_shape, virtual.items, virtual.count is None
    last = len(virtual.files) - 1
    total = len(virtual.files) * items if virtual.count is None else virtual.count
    limits = (h5py.h5s.UNLIMITED if grows else total, *item)
    for number, name in enumerate(virtual.files):
        count = items if number < last else h5py.h5s.UNLIMITED if grows else total - number * items
        here = _run_of(number * items, count, item, limits)
        there = _run_of(0, count, item, (h5py.h5s.UNLIMITED, *item))
        creation.set_virtual(here, name.encode(), virtual.path.encode(), there)
    _make_dataset(file, path, virtual, h5py.h5s.create_simple((total, *item), limits), creation)


def _make_interleaved(file: h5py.File, path: str, node: nodes.Interleaved) -> None:
    """Make a dataset of a fixed size, so that no reader ever sees a place whose file is behind.

    HDF5 opens a selection with a stride in quadratic time (HDFGroup/hdf5#5295), so the turns are a
    dataset of their own, one column a file, and this one shows them row by row. A slice over several
    files is read faster with an image a selection, which takes time to open: so that is for a dataset
    that is not large and does not grow.
    """
    if node.final and node.count <= MOST_SINGLE:
        _make_singly(file, path, node)
        return
    turns = f"{path}_in_turn"
    item, parts = node.item_shape, len(node.files)
    rows, rest = divmod(node.count, parts)
    grid = (rows + (rest > 0), parts, *item)
    creation = _virtual_creation(node.lost)
    for number, name in enumerate(node.files):
        own = node.turns_of(number)
        if own:
            column = _block(grid, (own.start, number), (len(own), 1))
            there = _run_of(0, len(own), item, (h5py.h5s.UNLIMITED, *item))
            creation.set_virtual(column, name.encode(), node.path.encode(), there)
    _make_dataset(file, turns, node, h5py.h5s.create_simple(grid), creation)
    _show_rows(file, path, node, turns, grid)


def _show_rows(
    file: h5py.File, path: str, node: nodes.Interleaved | nodes.Shared, turns: str, grid: tuple[int, ...]
) -> None:
    """Make a dataset that shows the items of `turns`, which has them in rows and columns, row by row."""
    creation = _virtual_creation(node.lost)
    whole, parts = (node.count, *node.item_shape), grid[1]
    rows, rest = divmod(node.count, parts)
    for first, count, block in ((0, rows * parts, (rows, parts)), (rows * parts, rest, (1, rest))):
        if count:
            there = _block(grid, (first // parts, 0), block)
            creation.set_virtual(_block(whole, (first,), (count,)), b".", turns.encode(), there)
    _make_dataset(file, path, node, h5py.h5s.create_simple(whole), creation)


def _make_shared(file: h5py.File, path: str, node: nodes.Shared) -> None:
    """As `_make_interleaved`, where the files need not have their turns."""
    item, columns = node.item_shape, node.columns
    singly = node.count <= MOST_SINGLE
    shape = (node.count, *item) if singly or columns == 1 else (-(-node.count // columns), columns, *item)
    names, source = [name.encode() for name in node.files], node.path.encode()
    creation = _virtual_creation(node.lost)
    for run in node.runs:
        for number in range(run.length if singly else 1):
            count, place = (1, run.place + number * columns) if singly else (run.length, run.place)
            if len(shape) == len(item) + 1:
                here = _block(shape, (place,), (count,))
            else:
                here = _block(shape, divmod(place, columns), (count, 1))
            there = _run_of(run.begin + number, count, item, (h5py.h5s.UNLIMITED, *item))
            creation.set_virtual(here, names[run.file], source, there)
    if len(shape) == len(item) + 1:
        _make_dataset(file, path, node, h5py.h5s.create_simple(shape), creation)
    else:
        turns = f"{path}_in_turn"
        _make_dataset(file, turns, node, h5py.h5s.create_simple(shape), creation)
        _show_rows(file, path, node, turns, shape)


def _make_singly(file: h5py.File, path: str, node: nodes.Interleaved) -> None:
    creation = _virtual_creation(node.lost)
    whole, parts = (node.count, *node.item_shape), len(node.files)
    names, source = [name.encode() for name in node.files], node.path.encode()
    for number in range(node.count):
        turn, part = divmod(number, parts)
        if turn not in (own := node.turns_of(part)):
            continue
        there = _run_of(turn - own.start, 1, node.item_shape, (h5py.h5s.UNLIMITED, *node.item_shape))
        creation.set_virtual(_block(whole, (number,), (1,)), names[part], source, there)
    _make_dataset(file, path, node, h5py.h5s.create_simple(whole), creation)


def _virtual_creation(lost: Any) -> h5py.h5p.PropDCID:
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_fill_value(lost)
    return creation


def _make_dataset(
    file: h5py.File,
    path: str,
    node: nodes.Virtual | nodes.Interleaved | nodes.Shared,
    space: h5py.h5s.SpaceID,
    creation: h5py.h5p.PropDCID,
) -> None:
    kind = h5py.h5t.py_create(node.dtype, logical=True)
    dataset = h5py.h5d.create(file.id, path.encode(), kind, space, creation)
    attributes.put(dataset, node.attributes)


def _block(shape: tuple[int, ...], first: tuple[int, ...], size: tuple[int, ...]) -> h5py.h5s.SpaceID:
    """One block of a space of `shape`; `first` and `size` of its leading dimensions, all of the others."""
    space = h5py.h5s.create_simple(shape)
    others = shape[len(first) :]
    ones = (1,) * len(shape)
    space.select_hyperslab((*first, *[0] * len(others)), ones, block=(*size, *others))
    return space


def _run_of(first: int, count: int, item: tuple[int, ...], limits: tuple[int, ...]) -> h5py.h5s.SpaceID:
    """`count` items from `first` on, selected in a space of any number of them."""
    space = h5py.h5s.create_simple((first + 1, *item), limits)
    rank = len(item)
    space.select_hyperslab((first, *[0] * rank), (count, *[1] * rank), block=(1, *item))
    return space


def _make_field(group: h5py.h5g.GroupID, name: str, field: nodes.Field) -> FieldPlace:
    kind = _type_of(field.dtype)
    dataset = _make(group, name, kind, h5py.h5s.create(h5py.h5s.SCALAR), _without_times())
    attributes.put(dataset, field.attributes)
    value = np.frombuffer(nodes.encode(field.value, field.dtype), field.dtype)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, value, kind)
    return FieldPlace(int(dataset.get_offset()), field.dtype)


@cache
def _type_of(dtype: np.dtype[Any]) -> h5py.h5t.TypeID:
    text = dtype.kind == "S"
    return h5py.h5t.py_create(h5py.string_dtype("utf-8", dtype.itemsize) if text else dtype, logical=True)


@cache
def _links(is_ascii: bool) -> h5py.h5p.PropLCID:
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_char_encoding(h5py.h5t.CSET_ASCII if is_ascii else h5py.h5t.CSET_UTF8)
    return links


@cache
def _untimed() -> h5py.h5p.PropGCID:
    creation = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    creation.set_obj_track_times(False)
    return creation


@cache
def _without_times() -> h5py.h5p.PropDCID:
    """A dataset that does not hold the time of its making: files of the same content are the same."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_obj_track_times(False)
    return creation
