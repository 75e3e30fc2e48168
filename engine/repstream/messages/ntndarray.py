"""An areaDetector's NTNDArray as a message that every output knows. Pure.

Raw pixels become array-1.0 with the numbers of the attributes, compressed with bitshuffle and LZ4 bsread,
which carries them as they are; other codecs are unpacked.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.errors import MalformedMessage
from repstream.messages import array_1_0, compression
from repstream.messages.frame import PIXEL_TYPES, TIME_NAMES

ID = "epics:nt/NTNDArray:1.0"

SCALARS = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float32",
    "float64",
)
"""Pixel types by pvData's numbers, which `codec.parameters` holds."""

_BSLZ4_PREFIX = struct.Struct(">QI")
_BSLZ4_BLOCK = 8192
"""What HDF5 filter 32008 has before the blocks, and areaDetector leaves out; its blocks have this size."""


def image_of(value: Any) -> NDArray[Any] | None:
    """The pixels in an NTNDArray (a `p4p.Value`); None for one that is empty: there was no image yet.

    Raises `MalformedMessage` where sizes, type and codec do not fit together.
    """
    shape = tuple(d["size"] for d in reversed(value["dimension"] or []))
    data = value["value"]
    if data is None or not len(data) or not math.prod(shape):
        return None
    codec = value["codec.name"]
    if not codec:
        dtype, raw = data.dtype.name, data
    else:
        dtype = _compressed_type(value["codec.parameters"])
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        packed = np.ascontiguousarray(data).view(np.uint8)[: value["compressedSize"] or None]
        raw = np.frombuffer(_unpacked(codec, packed, nbytes, np.dtype(dtype).itemsize), dtype)
    if raw.size != math.prod(shape):
        raise MalformedMessage("size", f"{raw.size} pixels, {shape} takes {math.prod(shape)}")
    image: NDArray[Any] = raw.reshape(shape)
    return image.view(np.uint8) if dtype not in PIXEL_TYPES else image


def message_of(frame_id: int, image: NDArray[Any], numbers: Mapping[str, int | float | bool]) -> list[Any]:
    """A message with this image, which is not copied."""
    return array_1_0.encode(frame_id, image, image_attributes=dict(numbers))


def numbers_of(value: Any) -> dict[str, int | float | bool]:
    """The attributes that are numbers, and the time of the data (Unix), by the names that images have."""
    found = {a["name"]: a["value"] for a in value["attribute"] or []}
    numbers = {name: n for name, n in found.items() if isinstance(n, int | float) and math.isfinite(n)}
    seconds, nanoseconds = (value[f"dataTimeStamp.{part}"] for part in ("secondsPastEpoch", "nanoseconds"))
    return {**numbers, **time_of(seconds, nanoseconds)}


def time_of(seconds: int, nanoseconds: int) -> dict[str, int | float | bool]:
    """A source's own time as attributes; nothing where it is not set."""
    return dict(zip(TIME_NAMES, (seconds, nanoseconds), strict=True)) if seconds > 0 else {}


def _compressed_type(parameters: Any) -> str:
    if not isinstance(parameters, int) or not 0 <= parameters < len(SCALARS):
        raise MalformedMessage("field", f"codec.parameters is {parameters!r:.40}, not the number of a type")
    return SCALARS[parameters]


def _unpacked(codec: str, packed: NDArray[np.uint8], nbytes: int, itemsize: int) -> Any:
    if codec not in _CODECS:
        raise MalformedMessage(
            "compression", f"codec {codec!r:.40} is not read here, only {', '.join(_CODECS)}"
        )
    return _CODECS[codec](packed, nbytes, itemsize)


def _lz4(packed: NDArray[np.uint8], nbytes: int, itemsize: int) -> Any:
    return compression.decompress(packed.data, "lz4", nbytes, itemsize)


def _bslz4(packed: NDArray[np.uint8], nbytes: int, itemsize: int) -> Any:
    whole = _BSLZ4_PREFIX.pack(nbytes, _BSLZ4_BLOCK) + packed.tobytes()
    return compression.decompress(whole, "bitshuffle_lz4", nbytes, itemsize)


def _blosc(packed: NDArray[np.uint8], nbytes: int, itemsize: int) -> Any:
    try:
        import blosc  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MalformedMessage("compression", "codec blosc needs: pip install blosc") from error
    said = struct.unpack_from("<I", packed.data, 4)[0] if packed.nbytes >= 16 else 0
    if said != nbytes:
        raise MalformedMessage("compression", f"Blosc holds {said} bytes, the image has {nbytes}")
    try:
        return blosc.decompress(packed.tobytes())
    except Exception as error:
        raise MalformedMessage("compression", f"Blosc cannot be unpacked: {error}") from error


_CODECS: Mapping[str, Callable[[NDArray[np.uint8], int, int], Any]] = {
    "lz4": _lz4,
    "bslz4": _bslz4,
    "blosc": _blosc,
}
