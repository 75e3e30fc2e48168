"""Images as HDF5 filter 32008 (bitshuffle with LZ4) stores them.

A stored chunk is, big-endian, the uncompressed size in bytes (u64) and the block size in
bytes (u32), then the blocks; https://github.com/kiyo-masui/bitshuffle, src/bshuf_h5filter.c.

`bitshuffle` does its work without the interpreter lock and on all cores that OpenMP gives it
(OMP_NUM_THREADS), so other threads run on meanwhile.
"""

from __future__ import annotations

import struct

import bitshuffle
import numpy as np

from repstream.files.raw_io import Buffer

_PREFIX = struct.Struct(">QI")

PREFIX_BYTES = _PREFIX.size

_BLOCK_BYTES, _BLOCK_MULTIPLE, _BLOCK_LEAST = 8192, 8, 128


def compress(pixels: Buffer, itemsize: int) -> bytes:
    """The chunk that filter 32008 stores for `pixels` of `itemsize` bytes each, any byte order.

    Raises ValueError where the size is no multiple of `itemsize`.
    """
    numbers = np.frombuffer(pixels, np.dtype(f"u{itemsize}"))
    block = max(_BLOCK_BYTES // itemsize // _BLOCK_MULTIPLE * _BLOCK_MULTIPLE, _BLOCK_LEAST)
    blocks = bitshuffle.compress_lz4(numbers, block)
    return _PREFIX.pack(numbers.nbytes, block * itemsize) + memoryview(blocks)
