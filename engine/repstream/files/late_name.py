"""A name in a group that appears by one write of eight bytes. Bytes in, bytes out.

The names of a group are in symbol table nodes, and a B-tree points at these (HDF5 File Format
Specification, version 3.0, sections III.A.1 and III.B). A second node beside the one with the
name lacks it: readers see that one until the B-tree's pointer is changed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from repstream.files.layout import ADDRESS, END_OF_FILE, messages

_SYMBOL_TABLE = 0x0011
_TREE_NODE = struct.Struct("<4sBBH16x")
_KEY_SIZE = 8
_LEAF_K = 16
"""Offset of half the room of a symbol table node, in the superblock."""
_SYMBOLS = struct.Struct("<4sBxH")
_ENTRY_SIZE = 40
_HEADER_ADDRESS = 8
"""Offset of the object's address in an entry."""


def hide(image: bytes, group: int, target: int) -> tuple[bytes, tuple[int, bytes]]:
    """Take the name of the object at `target` out of the group at `group` (addresses of headers).

    Returns the file without the name, and the write (offset, eight bytes) that brings it back.
    Raises ValueError where the group has no such name, or no other one near it.
    """
    room = _SYMBOLS.size + 2 * int.from_bytes(image[_LEAF_K : _LEAF_K + 2], "little") * _ENTRY_SIZE
    for pointer in _pointers(image, _root(image, group)):
        node = ADDRESS.unpack_from(image, pointer)[0]
        signature, version, count = _SYMBOLS.unpack_from(image, node)
        if (signature, version) != (b"SNOD", 1):
            raise ValueError(f"no symbol table node of version 1 at address {node}")
        for number in range(count):
            entry = node + _SYMBOLS.size + number * _ENTRY_SIZE
            if ADDRESS.unpack_from(image, entry + _HEADER_ADDRESS)[0] == target and count > 1:
                return _without(image, node, room, entry, pointer)
    raise ValueError(f"the group at address {group} has no name that can be hidden for address {target}")


def _without(image: bytes, node: int, room: int, entry: int, pointer: int) -> tuple[bytes, tuple[int, bytes]]:
    """The node as it is goes to the end of the file; in its place it loses the entry."""
    view, padding = memoryview(image), bytes(-len(image) % 8)
    address = len(image) + len(padding)
    signature, version, count = _SYMBOLS.unpack_from(image, node)
    changed = (
        view[:END_OF_FILE],
        ADDRESS.pack(address + room),
        view[END_OF_FILE + ADDRESS.size : node],
        _SYMBOLS.pack(signature, version, count - 1),
        view[node + _SYMBOLS.size : entry],
        view[entry + _ENTRY_SIZE : node + room],
        bytes(_ENTRY_SIZE),
        view[node + room :],
        padding,
        view[node : node + room],
    )
    return b"".join(changed), (pointer, ADDRESS.pack(address))


def _root(image: bytes, group: int) -> int:
    for kind, offset in messages(image, group):
        if kind == _SYMBOL_TABLE:
            return int(ADDRESS.unpack_from(image, offset)[0])
    raise ValueError(f"no group with a symbol table at address {group}")


def _pointers(image: bytes, tree: int) -> Iterator[int]:
    """Offsets of the pointers to a group's symbol table nodes."""
    signature, kind, level, count = _TREE_NODE.unpack_from(image, tree)
    if (signature, kind) != (b"TREE", 0):
        raise ValueError(f"no B-tree of a group at address {tree}")
    for number in range(count):
        pointer = tree + _TREE_NODE.size + _KEY_SIZE + number * (_KEY_SIZE + ADDRESS.size)
        if level:
            yield from _pointers(image, ADDRESS.unpack_from(image, pointer)[0])
        else:
            yield pointer
