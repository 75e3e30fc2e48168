"""A picture as NTNDArray. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import lz4.block
import numpy as np
from numpy.typing import NDArray
from p4p import Value
from p4p.nt import NTNDArray

from repstream.pictures.picture import Picture
from repstream_epics.pva.scalars import annotation, stamp
from repstream_epics.states import NO_ALARM, NO_VALUE

TYPE = NTNDArray.buildType()

_MEMBERS = {
    "bool": ("booleanValue", 0),
    "int8": ("byteValue", 1),
    "int16": ("shortValue", 2),
    "int32": ("intValue", 3),
    "int64": ("longValue", 4),
    "uint8": ("ubyteValue", 5),
    "uint16": ("ushortValue", 6),
    "uint32": ("uintValue", 7),
    "uint64": ("ulongValue", 8),
    "float32": ("floatValue", 9),
    "float64": ("doubleValue", 10),
}
"""By pixel type: the member of the union, and pvData's number of its type."""

Codec = Callable[[NDArray[Any]], bytes]


def _lz4(flat: NDArray[Any]) -> bytes:
    packed: bytes = lz4.block.compress(flat.data, store_size=False)
    return packed


CODECS: Mapping[str, Codec | None] = {"": None, "lz4": _lz4}
"""By the name that `codec.name` has."""

NAMES: Mapping[str, str] = {"": "Image", "lz4": "ImageLZ4"}
"""What PVs of a picture are called, by codec: a client chooses by the name."""

LARGEST_ID = 2**31 - 1


def value_of(picture: Picture, codec: str = "") -> Value:
    """A picture with all that is known of it.

    `uniqueId` has 31 bits: it is the image id, the lower bits where that has more; the attribute
    ``ImageId`` has all of it.
    """
    data = picture.data
    if data.dtype.name not in _MEMBERS:
        data = data.astype(np.float32)
    member, number = _MEMBERS[data.dtype.name]
    flat = np.ascontiguousarray(data).reshape(-1)
    pixels: NDArray[Any] = flat
    content: dict[str, Any] = {}
    pack = CODECS[codec]
    if pack is not None:
        content["codec"] = {"name": codec, "parameters": ("i", number)}
        member, pixels = "ubyteValue", np.frombuffer(pack(flat), np.uint8)
    return Value(
        TYPE,
        {
            **content,
            "value": (member, pixels),
            "compressedSize": pixels.nbytes,
            "uncompressedSize": flat.nbytes,
            "uniqueId": picture.image_id & LARGEST_ID,
            "dataTimeStamp": stamp(picture.time),
            "dimension": _dimensions(picture),
            "attribute": [{"name": name, "value": known} for name, known in _known(picture).items()],
            **annotation(NO_ALARM, picture.time),
        },
    )


def nothing(time: float) -> Value:
    """What stands for a picture while there is none."""
    return Value(TYPE, {"value": ("ubyteValue", np.zeros(0, np.uint8)), **annotation(NO_VALUE, time)})


def _dimensions(picture: Picture) -> list[dict[str, int]]:
    """Of the samples, the fastest first; with the part of the full image that they show."""
    axes = zip(picture.data.shape, picture.origin, picture.full_shape, picture.step, strict=True)
    named = [dict(zip(("size", "offset", "fullSize", "binning"), axis, strict=True)) for axis in axes]
    return named[::-1]


def _known(picture: Picture) -> dict[str, Any]:
    counted = picture.statistics
    known = {
        "ColorMode": ("i", 0),
        "ImageId": ("L", picture.image_id),
        "Number": ("L", picture.number),
        "Received": ("d", picture.received),
        "Pixels": ("L", counted.pixels),
        "BadPixels": ("L", counted.bad),
        "Sum": ("d", float(counted.sum)),
        "Saturated": ("L", counted.saturated),
    }
    numbers = {"Minimum": counted.minimum, "Maximum": counted.maximum, "Mean": counted.mean}
    return known | {name: ("d", float(number)) for name, number in numbers.items() if number is not None}
