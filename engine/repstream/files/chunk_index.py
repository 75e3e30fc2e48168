"""The index of a dataset's chunks, growing at its end: a version-1 B-tree, kept by hand.

HDF5 File Format Specification 3.0, section III.A.1, node type 1. A node is::

    "TREE", type u8 = 1, level u8, entries used u16, left sibling u64, right sibling u64,
    key 0, child 0, key 1, child 1, … key 63, child 63, key 64

with key = (bytes stored u32, filter mask u32, offset of the chunk u64 per dimension, 0 u64).

Chunks come in order and never go, so each node's place in the tree follows from the chunk's
number, and all keys of a node are known when it begins: chunk n of a level-l node's range
begins at a multiple of 64**l. Adding a chunk fills one entry and raises one count. An entry
beyond a node's count is not looked at, a node that no entry names is not either, and neither
is a chunk beyond the dataset's extent: a file in which any of these writes is missing reads
as it did before. The root stands from the first chunk on at a fixed height, so its address is
written once, while the dataset is still empty.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable

import numpy as np

from repstream.files.layout import UNDEFINED

CHILDREN = 64
"""Children of a full node: twice the rank 32 that superblock version 0 implies."""

LEVELS = 4
CAPACITY: int = CHILDREN**LEVELS
"""Chunks that an index can hold: 16,777,216."""

_HEADER = struct.Struct("<4sBBHQQ")
_USED, _RIGHT = 6, 16
_SIZE_AND_MASK = struct.Struct("<II")
_ADDRESS = struct.Struct("<Q")
_COUNT = struct.Struct("<H")


class Node:
    """One node: its address in the file, its bytes, and how many of its entries are used."""

    __slots__ = ("address", "data", "entry_size", "used")

    def __init__(self, data: bytearray, entry_size: int) -> None:
        self.data = data
        self.entry_size = entry_size
        self.address = UNDEFINED
        self.used = 0

    def append(self, key: bytes | bytearray, child: int) -> None:
        """Use the next entry; `key` may be only the beginning of it that is not yet right."""
        place = _HEADER.size + self.used * self.entry_size
        self.data[place : place + len(key)] = key
        _ADDRESS.pack_into(self.data, place + self.entry_size - _ADDRESS.size, child)
        self.use(1)

    def use(self, count: int) -> None:
        """Count further entries, which are filled, as used."""
        self.used += count
        _COUNT.pack_into(self.data, _USED, self.used)

    @property
    def written(self) -> memoryview:
        """The node's bytes from its beginning to its last used entry."""
        return memoryview(self.data)[: _HEADER.size + self.used * self.entry_size]


class ChunkIndex:
    """The chunk index of one dataset that grows along its first dimension.

    `chunk`: shape of a chunk; chunk n lies at offset (n * chunk[0], 0, …).
    `place(node bytes) -> address` is given with each chunk and finds room in the file for a
    new node; an address should be a multiple of 8. `touched` are the nodes that have changed
    since `settle` was called last, the new ones among them.
    """

    def __init__(self, chunk: tuple[int, ...]) -> None:
        rank = len(chunk)
        self._rows = chunk[0]
        self._key = np.dtype([("stored", "<u4", 2), ("offset", "<u8", rank + 1)])
        self._entry = np.dtype([("key", self._key), ("child", "<u8")])
        self._path: list[Node] = []
        self._leaves = array("Q")
        self.count = 0
        self.touched: dict[int, Node] = {}

    @property
    def root(self) -> int:
        """Address of the root node; UNDEFINED before the first chunk."""
        return self._path[-1].address if self._path else UNDEFINED

    def add(self, address: int, nbytes: int, place: Callable[[bytearray], int]) -> None:
        """Enter the next chunk: `nbytes` stored at `address`. Raises ValueError when full."""
        if self.count >= CAPACITY:
            raise ValueError(f"the chunk index is full: it holds {CAPACITY} chunks")
        if self.count % CHILDREN == 0:
            self._begin_nodes(place)
        leaf = self._path[0]
        leaf.append(_SIZE_AND_MASK.pack(nbytes, 0), address)
        self.touched[leaf.address] = leaf
        if self.count % CHILDREN == 0:
            self._link_nodes()
        self.count += 1

    def add_run(self, address: int, nbytes: int, count: int) -> None:
        """Enter the next `count` chunks, which lie one behind the other, `nbytes` each.

        They must fit into the node that is being filled: `room` says how many do.
        """
        leaf = self._path[0]
        # As whole words, of which numpy fills a column in a fraction of the time of a nested field.
        words = self._entry.itemsize // 8
        entries = np.frombuffer(leaf.data, "<u8", CHILDREN * words, _HEADER.size).reshape(CHILDREN, words)
        entries = entries[leaf.used : leaf.used + count]
        entries[:, 0] = nbytes  # and the filter mask behind it
        entries[:, -1] = np.arange(address, address + count * nbytes, nbytes, dtype=np.uint64)
        leaf.use(count)
        self.touched[leaf.address] = leaf
        self.count += count

    @property
    def room(self) -> int:
        """How many chunks fit into the node that is being filled; 0 where the next begins another."""
        return -self.count % CHILDREN

    def move(self, number: int, address: int, nbytes: int, before: int) -> list[tuple[int, bytes]]:
        """Let chunk `number`, of `before` bytes till now, be the `nbytes` bytes at `address`.

        Returns the writes (offset, eight bytes) that do it, in an order that leaves a chunk
        which can be read after each: between them the larger size is valid for both, since
        what follows a compressed chunk is not looked at.
        """
        leaf, entry = (
            self._leaves[number // CHILDREN],
            _HEADER.size + number % CHILDREN * self._entry.itemsize,
        )
        size = (entry, _SIZE_AND_MASK.pack(nbytes, 0))
        child = (entry + self._entry.itemsize - _ADDRESS.size, _ADDRESS.pack(address))
        writes = [size, child] if nbytes > before else [child, size]
        if self._path[0].address == leaf:
            for offset, data in writes:
                self._path[0].data[offset : offset + len(data)] = data
        return [(leaf + offset, data) for offset, data in writes]

    def settle(self) -> None:
        """Forget what has changed: it is in the file now."""
        self.touched.clear()

    def _begin_nodes(self, place: Callable[[bytearray], int]) -> None:
        for level in range(LEVELS):
            if self.count % CHILDREN ** (level + 1):
                break
            old = self._path[level] if self.count else None
            node = self._new_node(level, old.address if old else UNDEFINED)
            node.address = place(node.data)
            self.touched[node.address] = node
            if level == 0:
                self._leaves.append(node.address)
            if old is None:
                self._path.append(node)
                continue
            _ADDRESS.pack_into(old.data, _RIGHT, node.address)
            self.touched[old.address] = old
            self._path[level] = node

    def _link_nodes(self) -> None:
        """Name each node that began with this chunk in the node above it."""
        for level in range(LEVELS - 1):
            if self.count % CHILDREN ** (level + 1):
                break
            node, parent = self._path[level], self._path[level + 1]
            first_key = node.data[_HEADER.size : _HEADER.size + self._key.itemsize]
            parent.append(first_key, node.address)
            self.touched[parent.address] = parent

    def _new_node(self, level: int, left: int) -> Node:
        entries = np.zeros(CHILDREN + 1, self._entry)
        numbers = self.count + np.arange(CHILDREN + 1, dtype=np.uint64) * CHILDREN**level
        entries["key"]["offset"][:, 0] = numbers * self._rows
        entries["child"] = UNDEFINED
        header = _HEADER.pack(b"TREE", 1, level, 0, left, UNDEFINED)
        return Node(bytearray(header + entries.tobytes()[: -_ADDRESS.size]), self._entry.itemsize)
