"""Compressed pixels: checked here, packed and unpacked by compiled libraries (`blocks`).

Four layouts occur, all numbers in them big-endian:

- ``"bitshuffle_lz4"``: what HDF5 filter 32008 stores: uncompressed size in bytes (u64), block size
  in bytes (u32), then for each block its compressed size (u32) and bytes; the last block is cut to a
  multiple of 8 elements, and up to 7 elements follow as they are.
  https://github.com/kiyo-masui/bitshuffle, src/bshuf_h5filter.c and src/bitshuffle.c.
- ``"bitshuffle_zstd"``: the same with Zstandard in the place of LZ4, which is an option of filter 32008.
- ``"lz4_hdf5"``: what HDF5 filter 32004 stores: the same prefix, then for each block its size (u32)
  and bytes; a block whose size is that of its contents is not compressed.
  https://github.com/HDFGroup/hdf5_plugins, LZ4 filter.
- ``"lz4"``: one LZ4 block and nothing else.

The libraries, HDF5's filters among them, believe the lengths inside: some end in a segmentation
fault when these lie. So a payload is walked before it is unpacked or stored.

Raises `MalformedMessage`, reason "compression", throughout.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

import lz4.block
import numpy as np
import numpy.typing as npt

from repstream.errors import MalformedMessage
from repstream.messages import blocks
from repstream.messages.blocks import use_one_core as use_one_core
from repstream.messages.header import size_of

Buffer = Any
"""Anything contiguous with the buffer protocol: bytes, memoryview, zmq.Frame, numpy array."""

BITSHUFFLED = ("bitshuffle_lz4", "bitshuffle_zstd")
"""The layouts that HDF5 filter 32008 stores."""

_PREFIX = struct.Struct(">QI")
_LENGTH = struct.Struct(">I")

PREFIX_BYTES = _PREFIX.size

_BLOCK_BYTES, _BLOCK_MULTIPLE, _BLOCK_LEAST = 8192, 8, 128

_UNSIGNED = {itemsize: np.dtype(f"u{itemsize}") for itemsize in (1, 2, 4, 8)}

_LZ4_MOST = 0x7E000000
"""Bytes that one LZ4 block can hold (LZ4_MAX_INPUT_SIZE)."""

_LZ4_RATIO = 255
"""Bytes that one byte of an LZ4 block can stand for at most."""

_ZSTD_RATIO = 1 << 15
"""Bytes that one byte of Zstandard can stand for at most: a block of 128 KiB takes 4."""


def check(data: Buffer, encoding: str, nbytes: int, itemsize: int) -> None:
    """Walk compressed `data` that must hold `nbytes` bytes of elements of `itemsize` bytes.

    Nothing is unpacked or allocated. Afterwards each length inside is true and the last one
    ends with the data; only the contents of a block may still be damaged, which all libraries
    notice.
    """
    if encoding == "lz4":
        if not 0 < nbytes <= min(_LZ4_MOST, size_of(data) * _LZ4_RATIO):
            raise _malformed(f"{size_of(data)} bytes of LZ4 cannot hold {nbytes} bytes")
    elif encoding in BITSHUFFLED:
        _walk_bitshuffle(memoryview(data), nbytes, itemsize)
    elif encoding == "lz4_hdf5":
        _walk_lz4_hdf5(memoryview(data), nbytes)
    else:
        raise ValueError(f"encoding = {encoding!r}: must be lz4, lz4_hdf5 or one of {', '.join(BITSHUFFLED)}")


def decompress(data: Buffer, encoding: str, nbytes: int, itemsize: int) -> bytes | bytearray:
    """The `nbytes` bytes in `data`, which is checked first and never asked for more than it can hold."""
    check(data, encoding, nbytes, itemsize)
    if nbytes > size_of(data) * _ratio(encoding):
        raise _malformed(f"{size_of(data)} bytes cannot hold {nbytes} bytes")
    try:
        if encoding == "lz4":
            found: bytes | bytearray = lz4.block.decompress(memoryview(data), uncompressed_size=nbytes)
        elif encoding == "lz4_hdf5":
            packed = memoryview(data).cast("B")
            found = blocks.unpack_lz4(packed, PREFIX_BYTES, nbytes, _prefix(packed)[1])
        elif encoding == "bitshuffle_zstd":
            found = blocks.unpack_zstd(memoryview(data), PREFIX_BYTES, nbytes, itemsize)
        else:
            found = blocks.unpack(memoryview(data), PREFIX_BYTES, nbytes, itemsize)
    except (lz4.block.LZ4BlockError, RuntimeError) as error:
        raise _malformed(f"a damaged block: {error}") from None
    if len(found) != nbytes:
        raise _malformed(f"{len(found)} bytes instead of {nbytes}")
    return found


@lru_cache(maxsize=64)
def bound(nbytes: int, itemsize: int, encoding: str = "bitshuffle_lz4") -> int:
    """Bytes that `compress_into` wants for `nbytes` bytes of pixels. Raises as that."""
    if encoding == "lz4":
        if nbytes > _LZ4_MOST:
            raise ValueError(f"{nbytes} bytes: one LZ4 block holds {_LZ4_MOST}")
        return blocks.lz4_bound(nbytes)
    return PREFIX_BYTES + _packer(encoding).bound(nbytes // itemsize, itemsize, _block(itemsize))


def compress_into(
    memory: npt.NDArray[np.uint8], pixels: Buffer, itemsize: int, encoding: str = "bitshuffle_lz4"
) -> int:
    """Compress `pixels` of `itemsize` bytes each, in any byte order, into `memory`; how many bytes that are.

    `encoding` is one of `BITSHUFFLED` or ``"lz4"``, and `memory` at least of `bound`. Works without the
    interpreter lock, the package bitshuffle on all cores that OpenMP gives it (OMP_NUM_THREADS, or
    `use_one_core`). Raises ValueError where the size is no multiple of `itemsize`, or beyond the encoding.
    """
    numbers = np.frombuffer(pixels, _UNSIGNED[itemsize])
    if memory.size < bound(numbers.nbytes, itemsize, encoding):
        raise ValueError(f"memory of {memory.size} bytes is too small")
    if encoding == "lz4":
        return blocks.pack_lz4(numbers, memory)
    block = _block(itemsize)
    _PREFIX.pack_into(memory.data, 0, numbers.nbytes, block * itemsize)
    return PREFIX_BYTES + blocks.pack(numbers, block, memory[PREFIX_BYTES:], _packer(encoding))


def compress(pixels: Buffer, itemsize: int, encoding: str = "bitshuffle_lz4") -> bytes:
    """As `compress_into`, in new memory of its own."""
    memory = np.empty(bound(size_of(pixels), itemsize, encoding), np.uint8)
    return memory[: compress_into(memory, pixels, itemsize, encoding)].tobytes()


@lru_cache(maxsize=8)
def compress_zeros(nbytes: int, itemsize: int) -> bytes:
    """What `compress` makes of `nbytes` bytes that are 0: its blocks are all alike, so only one is packed."""
    size = _block(itemsize) * itemsize
    whole, rest = divmod(nbytes, size)
    block, tail = (compress(bytes(n), itemsize)[PREFIX_BYTES:] if n else b"" for n in (size, rest))
    return _PREFIX.pack(nbytes, size) + block * whole + tail


@lru_cache(maxsize=8)
def _block(itemsize: int) -> int:
    """Elements of a block."""
    return max(_BLOCK_BYTES // itemsize // _BLOCK_MULTIPLE * _BLOCK_MULTIPLE, _BLOCK_LEAST)


def _packer(encoding: str) -> blocks.Packer:
    if encoding not in BITSHUFFLED:
        raise ValueError(f"encoding = {encoding!r}: must be lz4 or one of {', '.join(BITSHUFFLED)}")
    return blocks.ZSTD if encoding == "bitshuffle_zstd" else blocks.LZ4


def promised_size(data: Buffer, encoding: str) -> int:
    """The uncompressed size in bytes that the prefix names, where nothing else gives it.

    Refused where the compression cannot reach it.
    """
    total, _ = _prefix(memoryview(data))
    if total > size_of(data) * _ratio(encoding):
        raise _malformed(f"{size_of(data)} bytes cannot hold {total} bytes")
    return total


def _ratio(encoding: str) -> int:
    return _ZSTD_RATIO if encoding == "bitshuffle_zstd" else _LZ4_RATIO


def _prefix(data: memoryview) -> tuple[int, int]:
    if data.nbytes < PREFIX_BYTES:
        raise _malformed(f"{data.nbytes} bytes are less than the prefix of {PREFIX_BYTES}")
    total, block = _PREFIX.unpack_from(data)
    return total, block


def _walk_bitshuffle(data: memoryview, nbytes: int, itemsize: int) -> None:
    total, block = _prefix(data)
    if total != nbytes:
        raise _malformed(f"the prefix says {total} bytes, the shape {nbytes}")
    group = _BLOCK_MULTIPLE * itemsize
    # 0 is "the default" to the filter alone, others divide by it; from 2^31 on readers disagree.
    if not 0 < block < 2**31 or block % group:
        raise _malformed(f"blocks of {block} bytes, not a multiple of 8 elements of {itemsize} below 2^31")
    _walk(data, total // block + (total % block >= group), total % group)


def _walk_lz4_hdf5(data: memoryview, nbytes: int) -> None:
    total, block = _prefix(data)
    if total != nbytes:
        raise _malformed(f"the prefix says {total} bytes, the shape {nbytes}")
    if block == 0:
        raise _malformed("blocks of 0 bytes")
    _walk(data, -(-total // block), 0)


def _walk(data: memoryview, blocks: int, rest: int) -> None:
    """From length to length, to the end exactly, `rest` bytes after the last block."""
    end = data.nbytes - rest
    # Each block has at least its length and one byte; a lie here would only take long to find.
    if blocks > (end - PREFIX_BYTES) // (_LENGTH.size + 1):
        raise _malformed(f"{blocks} blocks in {data.nbytes} bytes")
    length_at, size, offset = _LENGTH.unpack_from, _LENGTH.size, PREFIX_BYTES
    try:
        for _ in range(blocks):
            offset += size + length_at(data, offset)[0]
    except struct.error:
        offset = -1
    if offset != end:
        raise _malformed(f"block lengths that do not end with the data ({data.nbytes} bytes)")


def _malformed(detail: str) -> MalformedMessage:
    return MalformedMessage("compression", detail)
