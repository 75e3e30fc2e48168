"""The blocks of bitshuffled LZ4 and Zstandard and of LZ4, packed and unpacked by the fastest library.

hdf5plugin's HDF5 filter 32008 is always there: the C functions of bitshuffle and LZ4, called here directly
and without the interpreter lock. Two packages do the same with newer instructions of the processor:
bitshuffle packs about a quarter faster, dectris-compression unpacks about three times faster. They are used
where they are installed.

The lengths inside packed data must be true (`compression.check`): no library here checks them.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

try:
    import bitshuffle.ext as _bitshuffle
except ImportError:
    _bitshuffle = None
try:
    from dectris.compression import decompress as _dectris
except ImportError:
    _dectris = None

Pack = Callable[[npt.NDArray[Any], int], Any]
"""Contiguous numbers and how many a block has → the packed blocks, a buffer."""

Unpack = Callable[[memoryview, int, int, int], bytes | bytearray]
"""Data with its prefix, how long that is, bytes that come out, and of each element → the bytes.

Raises RuntimeError for a damaged block.
"""


def _filter_library() -> ctypes.CDLL:
    """bitshuffle as hdf5plugin brings it, found without importing that: it would load all its filters."""
    spec = importlib.util.find_spec("hdf5plugin")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, "plugins", "libh5bshuf.so")
        if path.exists():
            return ctypes.CDLL(str(path))
    raise ImportError("hdf5plugin without plugins/libh5bshuf.so: install hdf5plugin 5 or newer from PyPI")


_library = _filter_library()
_compress, _decompress, _bound = (
    getattr(_library, f"bshuf_{name}_lz4{end}")
    for name, end in (("compress", ""), ("decompress", ""), ("compress", "_bound"))
)
for _function in (_compress, _decompress):
    _function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_size_t] * 3]
    _function.restype = ctypes.c_int64
_bound.argtypes, _bound.restype = [ctypes.c_size_t] * 3, ctypes.c_size_t

_compress_zstd, _decompress_zstd = _library.bshuf_compress_zstd, _library.bshuf_decompress_zstd
for _function in (_compress_zstd, _decompress_zstd):
    _function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_size_t] * 3]
    _function.restype = ctypes.c_int64
_compress_zstd.argtypes = [*_compress_zstd.argtypes, ctypes.c_int]
_bound_zstd = _library.bshuf_compress_zstd_bound
_bound_zstd.argtypes, _bound_zstd.restype = [ctypes.c_size_t] * 3, ctypes.c_size_t

_unpack_block = _library.LZ4_decompress_safe
_unpack_block.argtypes, _unpack_block.restype = [ctypes.c_void_p] * 2 + [ctypes.c_int] * 2, ctypes.c_int


def pack_by_filter(numbers: npt.NDArray[Any], block: int) -> Any:
    """`Pack` by hdf5plugin, on the core of the thread that calls."""
    count, itemsize = numbers.size, numbers.itemsize
    blocks = np.empty(_bound(count, itemsize, block), np.uint8)
    nbytes = _compress(numbers.ctypes.data, blocks.ctypes.data, count, itemsize, block)
    if nbytes < 0:
        raise RuntimeError(f"bitshuffle returned {nbytes}")
    return blocks[:nbytes]


def pack_zstd(numbers: npt.NDArray[Any], block: int, level: int = 3) -> Any:
    """`Pack` with Zstandard instead of LZ4, by hdf5plugin."""
    count, itemsize = numbers.size, numbers.itemsize
    blocks = np.empty(_bound_zstd(count, itemsize, block), np.uint8)
    nbytes = _compress_zstd(numbers.ctypes.data, blocks.ctypes.data, count, itemsize, block, level)
    if nbytes < 0:
        raise RuntimeError(f"bitshuffle returned {nbytes}")
    return blocks[:nbytes]


def unpack_by_filter(data: memoryview, start: int, nbytes: int, itemsize: int) -> bytearray:
    """`Unpack` by hdf5plugin."""
    return _unpack(_decompress, data, start, nbytes, itemsize)


def unpack_zstd(data: memoryview, start: int, nbytes: int, itemsize: int) -> bytearray:
    """`Unpack` with Zstandard instead of LZ4, by hdf5plugin."""
    return _unpack(_decompress_zstd, data, start, nbytes, itemsize)


def _unpack(unpacker: Any, data: memoryview, start: int, nbytes: int, itemsize: int) -> bytearray:
    block = int.from_bytes(data[start - 4 : start], "big") // itemsize
    packed, unpacked = np.frombuffer(data, np.uint8), bytearray(nbytes)
    if nbytes:
        address = np.frombuffer(unpacked, np.uint8).ctypes.data
        taken = unpacker(packed.ctypes.data + start, address, nbytes // itemsize, itemsize, block)
        if taken != packed.size - start:
            raise RuntimeError(f"bitshuffle returned {taken}")
    return unpacked


def unpack_lz4(data: memoryview, start: int, nbytes: int, block: int) -> bytearray:
    """The `nbytes` bytes in LZ4 blocks, each behind its length; one that would not shrink is stored as it is.

    Raises RuntimeError for a damaged block.
    """
    packed, unpacked = np.frombuffer(data, np.uint8), bytearray(nbytes)
    source = packed.ctypes.data
    target = np.frombuffer(unpacked, np.uint8).ctypes.data if nbytes else 0
    offset = start
    for begin in range(0, nbytes, block):
        length = int.from_bytes(data[offset : offset + 4], "big")
        offset += 4
        size = min(block, nbytes - begin)
        if length == size:
            unpacked[begin : begin + size] = data[offset : offset + size]
        elif _unpack_block(source + offset, target + begin, length, size) != size:
            raise RuntimeError(f"an LZ4 block that does not unpack to {size} bytes")
        offset += length
    return unpacked


def pack_by_bitshuffle(numbers: npt.NDArray[Any], block: int) -> Any:
    """`Pack` by the package bitshuffle, on the cores that OpenMP gives it."""
    return memoryview(_bitshuffle.compress_lz4(numbers, block))


def unpack_by_dectris(data: memoryview, start: int, nbytes: int, itemsize: int) -> bytes:
    """`Unpack` by dectris-compression."""
    unpacked: bytes = _dectris(data, "bslz4", elem_size=itemsize)
    return unpacked


PACKERS: list[Pack] = [*([pack_by_bitshuffle] if _bitshuffle else []), pack_by_filter]
UNPACKERS: list[Unpack] = [*([unpack_by_dectris] if _dectris else []), unpack_by_filter]

pack, unpack = PACKERS[0], UNPACKERS[0]


def use_one_core() -> None:
    """Keep bitshuffle to one core in the thread that calls this, for threads that share the cores out."""
    if _bitshuffle:
        # The library itself does not say; a symbol is searched among what it was linked with, too.
        set_threads = getattr(ctypes.CDLL(_bitshuffle.__file__), "omp_set_num_threads", None)
        if set_threads is not None:
            set_threads(1)
