"""Compressed pixels: what HDF5 and others write is read, and whatever lies inside is found out."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import h5py
import hdf5plugin
import lz4.block
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repstream.errors import MalformedMessage
from repstream.messages import blocks, compression
from repstream.messages.compression import check, compress, decompress, promised_size

COUNTS = [1, 7, 8, 9, 1000, 4096, 4103, 100_003]


def filtered(pixels: np.ndarray, filters: dict) -> bytes:
    """The chunk that HDF5 stores."""
    with h5py.File.in_memory() as file:
        data = file.create_dataset("data", data=pixels, chunks=pixels.shape, **filters)
        return data.id.read_direct_chunk((0,) * pixels.ndim)[1]


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f8"])
@pytest.mark.parametrize("count", COUNTS)
def test_what_hdf5_stores_is_read(dtype: str, count: int) -> None:
    pixels = np.random.default_rng(count).poisson(3, count).astype(dtype)
    for encoding, filters in (
        ("bitshuffle_lz4", hdf5plugin.Bitshuffle(0, "lz4")),
        ("bitshuffle_zstd", hdf5plugin.Bitshuffle(0, "zstd")),
        ("lz4_hdf5", hdf5plugin.LZ4(0)),
        ("lz4_hdf5", hdf5plugin.LZ4(4096)),
    ):
        chunk = filtered(pixels, filters)
        assert decompress(chunk, encoding, pixels.nbytes, pixels.itemsize) == pixels.tobytes()
        assert promised_size(chunk, encoding) == pixels.nbytes


@pytest.mark.parametrize("itemsize", [1, 2, 4, 8])
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("encoding", ["lz4", "bitshuffle_lz4", "bitshuffle_zstd"])
def test_what_is_packed_unpacks_to_the_same(encoding: str, count: int, itemsize: int) -> None:
    pixels = np.random.default_rng(count).bytes(count * itemsize // 2).ljust(count * itemsize, b"\0")
    chunk = compress(pixels, itemsize, encoding)
    assert decompress(memoryview(chunk), encoding, len(pixels), itemsize) == pixels


@pytest.mark.parametrize("itemsize", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 7, 8, 2048, 4096, 10_003])
def test_zeros_are_packed_as_any_numbers_are(count: int, itemsize: int) -> None:
    nbytes = count * itemsize
    assert compression.compress_zeros(nbytes, itemsize) == compression.compress(bytes(nbytes), itemsize)


@pytest.mark.parametrize("itemsize", [1, 2, 4, 8])
@pytest.mark.parametrize("count", COUNTS)
def test_every_library_packs_alike_and_unpacks_what_hdf5_stores(count: int, itemsize: int) -> None:
    pixels = np.random.default_rng(count).poisson(3, count).astype(f"u{itemsize}")
    chunk = filtered(pixels, hdf5plugin.Bitshuffle(0, "lz4"))
    block = struct.unpack_from(">QI", chunk)[1] // itemsize
    for packer in blocks.PACKERS:
        assert packed_by(packer, pixels, block) == chunk[12:]
    for unpack in blocks.UNPACKERS:
        assert unpack(memoryview(chunk), 12, pixels.nbytes, itemsize) == pixels.tobytes()


def packed_by(packer: blocks.Packer, numbers: np.ndarray[Any, Any], block: int) -> bytes:
    memory = np.empty(packer.bound(numbers.size, numbers.itemsize, block), np.uint8)
    return memory[: blocks.pack(numbers, block, memory, packer)].tobytes()


def test_packing_and_unpacking_by_the_filter_leave_the_interpreter_lock() -> None:
    pixels = np.random.default_rng(1).poisson(3, 5_000_000).astype("u2")
    packed = packed_by(blocks.BY_FILTER, pixels, 4096)
    chunk = memoryview(struct.pack(">QI", pixels.nbytes, 8192) + packed)
    for call in (
        lambda: packed_by(blocks.BY_FILTER, pixels, 4096),
        lambda: blocks.unpack_by_filter(chunk, 12, pixels.nbytes, 2),
    ):
        # A thread that kept the lock would let this one through twice: before it and after it. One that
        # leaves it may still have ended before a busy machine gives this one a core.
        assert any(rounds_during(call) > 10 for _ in range(50))


def rounds_during(call: Callable[[], object]) -> int:
    """How often this thread gets the interpreter's lock while another one makes a call."""
    rounds, working = 0, threading.Thread(target=call)
    working.start()
    while working.is_alive():
        rounds += 1
        time.sleep(0)
    return rounds


def test_blocks_that_are_not_compressed_are_read() -> None:
    content = np.random.default_rng(1).bytes(10_000)
    blocks = [content[i : i + 4096] for i in range(0, len(content), 4096)]
    chunk = struct.pack(">QI", len(content), 4096) + b"".join(struct.pack(">I", len(b)) + b for b in blocks)
    assert decompress(chunk, "lz4_hdf5", len(content), 1) == content


def test_the_most_that_a_compression_can_hold_is_let_through() -> None:
    zeros = bytes(10_000_000)
    for encoding in ("lz4", "bitshuffle_lz4", "bitshuffle_zstd"):
        assert decompress(compress(zeros, 1, encoding), encoding, len(zeros), 1) == zeros


def stream(*blocks: bytes, total: int = 40, size: int = 8192, rest: bytes = b"") -> bytes:
    packed = b"".join(struct.pack(">I", len(block)) + block for block in blocks)
    return struct.pack(">QI", total, size) + packed + rest


LYING = {
    "total": stream(b"x", total=41),
    "total of 2^64": stream(b"x", total=2**64 - 1),
    "block size 0": stream(b"x", size=0),
    "block size 2^31": stream(b"x", size=2**31),
    "block size of 3": stream(b"x", size=3),
    "block size beyond elements": stream(b"x", size=8),
    "a block too few": stream(rest=bytes(8)),
    "a block too many": stream(b"x", b"y", rest=bytes(8)),
    "rest too short": stream(b"x", rest=bytes(7)),
    "rest too long": stream(b"x", rest=bytes(9)),
    "no prefix": b"\0" * 11,
    "nothing": b"",
}


@pytest.mark.parametrize("data", LYING.values(), ids=LYING)
def test_a_walk_finds_what_lies(data: bytes) -> None:
    with pytest.raises(MalformedMessage, match="compression"):
        check(data, "bitshuffle_lz4", 40, 2)


def test_a_block_length_that_points_behind_the_end_is_found() -> None:
    for length in (0xFFFFFFFF, 0x80000000, 1000):
        data = struct.pack(">QII", 40, 8192, length) + bytes(30)
        with pytest.raises(MalformedMessage, match="compression"):
            check(data, "bitshuffle_lz4", 40, 2)


def test_many_tiny_blocks_are_not_counted_one_by_one() -> None:
    total = 2**50
    data = struct.pack(">QI", total, 8) + bytes(1000)
    with pytest.raises(MalformedMessage, match="blocks in"):
        check(data, "bitshuffle_lz4", total, 1)


@pytest.mark.parametrize("encoding", ["bitshuffle_lz4", "bitshuffle_zstd", "lz4_hdf5"])
def test_memory_is_not_taken_for_what_data_cannot_hold(encoding: str) -> None:
    total = 2**30
    data = struct.pack(">QII", total, total, 100) + bytes(100)
    with pytest.raises(MalformedMessage, match="cannot hold"):
        decompress(data, encoding, total, 1)


def test_pixels_of_another_size_are_refused_before_they_are_made() -> None:
    for nbytes in (39, 41, 2**31, 10**15):
        with pytest.raises(MalformedMessage, match="compression"):
            decompress(lz4.block.compress(bytes(40), store_size=False), "lz4", nbytes, 1)


def test_other_encodings_are_a_mistake_of_the_caller() -> None:
    for call in (lambda: check(b"", "zip", 1, 1), lambda: compress(b"", 1, "lz4_hdf5")):
        with pytest.raises(ValueError, match="encoding"):
            call()


PIXELS = np.random.default_rng(3).poisson(4, 3001).astype("u2")
STREAMS = {
    "bitshuffle_lz4": filtered(PIXELS, hdf5plugin.Bitshuffle(256, "lz4")),
    "bitshuffle_zstd": filtered(PIXELS, hdf5plugin.Bitshuffle(256, "zstd")),
    "lz4_hdf5": filtered(PIXELS, hdf5plugin.LZ4(1024)),
    "lz4": lz4.block.compress(PIXELS.tobytes(), store_size=False),
}


@pytest.mark.parametrize("unpack", blocks.UNPACKERS)
@given(encoding=st.sampled_from(sorted(STREAMS)), data=st.data())
def test_damaged_streams_unpack_to_the_right_size_or_are_refused(
    unpack: blocks.Unpack, encoding: str, data: st.DataObject
) -> None:
    damaged = bytearray(STREAMS[encoding])
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.just(len(damaged)) | st.integers(0, len(damaged)))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks, "unpack", unpack)
            found = decompress(bytes(damaged[:cut]), encoding, PIXELS.nbytes, 2)
    except MalformedMessage as error:
        assert error.reason == "compression"
    else:
        assert len(found) == PIXELS.nbytes


@given(
    data=st.binary(max_size=200),
    encoding=st.sampled_from(sorted(STREAMS)),
    nbytes=st.integers(0, 2**64),
    itemsize=st.sampled_from([1, 2, 4, 8]),
)
@example(data=bytes(12), encoding="bitshuffle_lz4", nbytes=0, itemsize=1)
@example(data=bytes(8) + b"\0\0\0\x08", encoding="bitshuffle_lz4", nbytes=0, itemsize=1)
@example(data=bytes(8) + b"\0\0\0\x08", encoding="lz4_hdf5", nbytes=0, itemsize=1)
def test_garbage_is_unpacked_to_the_right_size_or_refused(
    data: bytes, encoding: str, nbytes: int, itemsize: int
) -> None:
    try:
        found = compression.decompress(data, encoding, nbytes, itemsize)
    except MalformedMessage as error:
        assert error.reason == "compression"
    else:
        assert len(found) == nbytes
