"""The nodes of a chunk index in memory: what a reader would find, and what is written of them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from repstream.files import CAPACITY
from repstream.files.chunk_index import CHILDREN, ChunkIndex


def test_nodes_are_aligned_named_once_and_linked_to_their_neighbours() -> None:
    index = ChunkIndex((1, 4, 6))
    nodes: dict[int, bytearray] = {}

    def place(node: bytearray) -> int:
        address = 8 * (len(nodes) + 1)
        nodes[address] = node
        return address

    for number in range(3 * CHILDREN):
        index.add(1000 + number, 48, place)
    leaves = sorted(address for address, node in nodes.items() if node[5] == 0)
    rights = [int.from_bytes(nodes[address][16:24], "little") for address in leaves]
    lefts = [int.from_bytes(nodes[address][8:16], "little") for address in leaves]
    assert rights == [*leaves[1:], 2**64 - 1]
    assert lefts == [2**64 - 1, *leaves[:-1]]


def test_a_full_index_takes_no_more() -> None:
    index = ChunkIndex((1, 4, 6))
    index.count = CAPACITY
    with pytest.raises(ValueError, match="16777216"):
        index.add(1000, 48, lambda node: 0)


class Store:
    """Takes the nodes of an index, as a file does, and writes what they change to."""

    def __init__(self) -> None:
        self.content = bytearray(b"." * 8)

    def place(self, node: bytearray) -> int:
        address = len(self.content)
        self.content += node
        return address

    def take(self, index: ChunkIndex) -> set[int]:
        """Write what has changed; the addresses of these nodes."""
        addresses = set(index.touched)
        for address, node in index.touched.items():
            assert node.address == address
            self.content[address : address + len(node.written)] = node.written
        index.settle()
        assert index.touched == {}
        return addresses

    def write(self, writes: list[tuple[int, bytes]]) -> None:
        for offset, data in writes:
            self.content[offset : offset + len(data)] = data

    def chunks(self, index: ChunkIndex, rank: int = 3) -> list[tuple[int, int, int, int]]:
        """What a reader finds below the root: (row, bytes, filter mask, address)."""
        return list(self._below(index.root, 3, rank))

    def _below(self, address: int, level: int, rank: int) -> Iterator[tuple[int, int, int, int]]:
        tree, kind, of, used, _, _ = struct.unpack_from("<4sBBHQQ", self.content, address)
        assert (tree, kind, of) == (b"TREE", 1, level)
        entry = struct.Struct(f"<II{rank + 1}QQ")
        for number in range(used):
            nbytes, mask, row, *others, child = entry.unpack_from(
                self.content, address + 24 + number * entry.size
            )
            assert others == [0] * rank
            if level:
                found = list(self._below(child, level - 1, rank))
                assert found[0][0] == row  # sizes are those of the leaves alone
                yield from found
            else:
                yield row, nbytes, mask, child


def test_chunks_one_by_one_and_in_runs_make_the_same_index() -> None:
    one, single = ChunkIndex((2, 4, 6)), Store()
    for number in range(200):
        one.add(10_000 + 48 * number, 48, single.place)
    single.take(one)
    many, runs = ChunkIndex((2, 4, 6)), Store()
    while many.count < 200:
        if many.room:
            many.add_run(10_000 + 48 * many.count, 48, min(many.room, 7, 200 - many.count))
        else:
            many.add(10_000 + 48 * many.count, 48, runs.place)
        runs.take(many)
    expected = [(2 * number, 48, 0, 10_000 + 48 * number) for number in range(200)]
    assert single.chunks(one) == runs.chunks(many) == expected
    assert runs.content == single.content


def test_only_nodes_that_change_are_written() -> None:
    index, store = ChunkIndex((1, 4, 6)), Store()
    assert (index.root, index.room) == (2**64 - 1, 0)
    index.add(10_000, 48, store.place)
    assert len(store.take(index)) == 4  # one a level
    root = index.root
    assert index.room == CHILDREN - 1
    index.add(10_048, 48, store.place)
    assert len(store.take(index)) == 1
    index.add_run(10_096, 48, CHILDREN - 2)
    assert len(store.take(index)) == 1
    assert (index.room, index.count) == (0, CHILDREN)
    index.add(20_000, 48, store.place)
    assert len(store.take(index)) == 3  # two neighbours and what is above the new one
    assert index.root == root
    assert index.room == CHILDREN - 1


@pytest.mark.parametrize("number", [0, 1, CHILDREN - 1, CHILDREN, CHILDREN + 5])
@pytest.mark.parametrize(("before", "after"), [(48, 20), (20, 48), (48, 48)])
def test_a_moved_chunk_can_be_read_after_each_write(number: int, before: int, after: int) -> None:
    index, store = ChunkIndex((1, 4, 6)), Store()
    for place in range(CHILDREN + 6):
        index.add(10_000 + 48 * place, before, store.place)
    store.take(index)
    others = store.chunks(index)
    writes = index.move(number, 90_000, after, before)
    assert all(len(data) == 8 for _, data in writes)
    store.write(writes[:1])
    between = store.chunks(index)[number]
    assert between[1] == max(before, after)
    store.write(writes[1:])
    assert store.chunks(index) == [
        *others[:number],
        (number, after, 0, 90_000),
        *others[number + 1 :],
    ]
    # What is written later of this node holds the move too.
    index.add(70_000, before, store.place)
    store.take(index)
    assert store.chunks(index)[number] == (number, after, 0, 90_000)
