"""Chunks of Blosc2, which the standard DAQ's ring buffers may hold, unpacked.

A chunk begins with a header of 32 bytes: version, flags, item size, sizes unpacked and packed, then from
byte 16 on the numbers of six filters, and in the upper bits of byte 2 the number of the compressor
(c-blosc2, README_CHUNK_FORMAT). What the library would look for outside itself, filters and compressors that
others registered, is refused: it would run their code.
"""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np
import numpy.typing as npt

from repstream.errors import MalformedMessage
from repstream.messages import filter_library

HEADER_BYTES = 32

_FRAME = b"b2frame\0"
_EXTENDED = 0b101
"""Both flags for shuffling at once: the header has 32 bytes, not the 16 of Blosc's first version."""

_FILTERS = slice(16, 22)
_FIRST_REGISTERED = 32
_USER_COMPRESSOR = 6


def unpack_into(memory: npt.NDArray[np.uint8], chunk: npt.NDArray[np.uint8]) -> None:
    """Unpack `chunk` into all of `memory`; nothing is read or written beside them.

    Works without the interpreter lock. Raises `MalformedMessage` ("compression") where the chunk is
    damaged, or holds another number of bytes.
    """
    if bytes(chunk[2:10]) == _FRAME:
        raise _malformed("a frame of Blosc2, expected a chunk")
    unpacked, packed, block = ctypes.c_int32(), ctypes.c_int32(), ctypes.c_int32()
    sizes = map(ctypes.byref, (unpacked, packed, block))
    if not _is_chunk(chunk) or _library().blosc2_cbuffer_sizes(_address(chunk), *sizes) < 0:
        raise _malformed("no chunk of Blosc2")
    if unpacked.value != memory.size:
        raise _malformed(f"a chunk of Blosc2 with {unpacked.value} bytes, expected {memory.size}")
    if packed.value > chunk.size:
        raise _malformed(f"a chunk of Blosc2 that takes {packed.value} bytes, here are {chunk.size}")
    if chunk[2] >> 5 >= _USER_COMPRESSOR or (chunk[_FILTERS] >= _FIRST_REGISTERED).any():
        raise _malformed("a chunk of Blosc2 with a filter or compressor that is not part of Blosc2")
    found = _library().blosc2_decompress(_address(chunk), packed, _address(memory), memory.size)
    if found != memory.size:
        raise _malformed(f"a damaged chunk of Blosc2 (its library says {found})")


def _is_chunk(chunk: npt.NDArray[np.uint8]) -> bool:
    return chunk.size >= HEADER_BYTES and int(chunk[2]) & _EXTENDED == _EXTENDED


def _malformed(detail: str) -> MalformedMessage:
    return MalformedMessage("compression", detail)


def _address(array: npt.NDArray[np.uint8]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.__array_interface__["data"][0])


@cache
def _library() -> ctypes.CDLL:
    return filter_library.load("blosc2")
