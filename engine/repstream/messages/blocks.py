"""The blocks of bitshuffled LZ4 and Zstandard and of LZ4, packed and unpacked by the fastest library.

hdf5plugin's HDF5 filter 32008 is always there: the C functions of bitshuffle and LZ4, called here directly
and without the interpreter lock. Two packages do the same with newer instructions of the processor:
bitshuffle packs about a quarter faster, dectris-compression unpacks about three times faster. They are used
where they are installed.

The lengths inside packed data must be true (`compression.check`): no library here checks them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from repstream.messages import filter_library

try:
    import bitshuffle.ext as _bitshuffle
except ImportError:
    _bitshuffle = None
try:
    from dectris.compression import decompress as _dectris
except ImportError:
    _dectris = None

Bytes = npt.NDArray[np.uint8]


class Packer(NamedTuple):
    """How numbers are packed. `bound`: count, bytes of each, numbers a block → bytes at most.

    `pack`: address of the numbers, address of the blocks, then as `bound` → bytes, negative where it failed.
    """

    bound: Callable[[int, int, int], int]
    pack: Callable[[int, int, int, int, int], int]


Unpack = Callable[[memoryview, int, int, int], bytes | bytearray]
"""Data with its prefix, how long that is, bytes that come out, and of each element → the bytes.

Raises RuntimeError for a damaged block.
"""


def _packer(library: ctypes.CDLL, name: str, *level: int) -> Packer:
    """bitshuffle with this compressor; `level` where that has one."""
    pack, bound = library[f"bshuf_compress_{name}"], library[f"bshuf_compress_{name}_bound"]
    pack.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_size_t] * 3, *[ctypes.c_int] * len(level)]
    pack.restype = ctypes.c_int64
    bound.argtypes, bound.restype = [ctypes.c_size_t] * 3, ctypes.c_size_t
    return Packer(bound, (lambda *given: pack(*given, *level)) if level else pack)


_library = filter_library.load("bshuf")
_decompress, _decompress_zstd = _library.bshuf_decompress_lz4, _library.bshuf_decompress_zstd
for _function in (_decompress, _decompress_zstd):
    _function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_size_t] * 3]
    _function.restype = ctypes.c_int64

_pack_block = _library.LZ4_compress_default
_pack_block.argtypes, _pack_block.restype = [ctypes.c_void_p] * 2 + [ctypes.c_int] * 2, ctypes.c_int
_unpack_block = _library.LZ4_decompress_safe
_unpack_block.argtypes, _unpack_block.restype = [ctypes.c_void_p] * 2 + [ctypes.c_int] * 2, ctypes.c_int


def pack(numbers: npt.NDArray[Any], block: int, target: Bytes, packer: Packer) -> int:
    """Pack contiguous `numbers`, `block` of them at a time, into `target`; how many bytes that are.

    Works on the cores that OpenMP gives to the package bitshuffle, else on that of the thread that calls.
    """
    count, itemsize = numbers.size, numbers.itemsize
    nbytes = packer.pack(_address(numbers), _address(target), count, itemsize, block)
    if nbytes < 0:
        raise RuntimeError(f"bitshuffle returned {nbytes}")
    return nbytes


def _address(array: npt.NDArray[Any]) -> int:
    """Where its first number lies; `array.ctypes` runs more Python, with caches that packing has filled."""
    address: int = array.__array_interface__["data"][0]
    return address


def lz4_bound(nbytes: int) -> int:
    """Bytes that one LZ4 block of `nbytes` takes at most (LZ4_compressBound)."""
    return nbytes + nbytes // 255 + 16


def pack_lz4(data: npt.NDArray[Any], target: Bytes) -> int:
    """Pack `data` into `target`, which has room for it (`lz4_bound`), as one LZ4 block; its bytes."""
    nbytes: int = _pack_block(_address(data), _address(target), data.nbytes, target.size)
    if nbytes <= 0:
        raise RuntimeError(f"LZ4 returned {nbytes}")
    return nbytes


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


def unpack_by_dectris(data: memoryview, start: int, nbytes: int, itemsize: int) -> bytes:
    """`Unpack` by dectris-compression."""
    unpacked: bytes = _dectris(data, "bslz4", elem_size=itemsize)
    return unpacked


BY_FILTER = _packer(_library, "lz4")
ZSTD = _packer(_library, "zstd", 3)

_PACKAGE = ctypes.CDLL(_bitshuffle.__file__) if _bitshuffle else None
PACKERS: list[Packer] = [*([_packer(_PACKAGE, "lz4")] if _PACKAGE else []), BY_FILTER]
UNPACKERS: list[Unpack] = [*([unpack_by_dectris] if _dectris else []), unpack_by_filter]

LZ4, unpack = PACKERS[0], UNPACKERS[0]


def use_one_core() -> None:
    """Keep bitshuffle to one core in the thread that calls this, for threads that share the cores out."""
    if _PACKAGE:
        # The library itself does not say; a symbol is searched among what it was linked with, too.
        set_threads = getattr(_PACKAGE, "omp_set_num_threads", None)
        if set_threads is not None:
            set_threads(1)
