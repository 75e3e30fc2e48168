"""Images as Lima hands them out: `DATA_ARRAY`, a header and the pixels. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

DATA_FORMAT = "DATA_ARRAY"
MAGIC = 0x44544159
HEADERS = {
    2: struct.Struct("<IHHIIHHHHHHHHIIIIIIII"),
    3: struct.Struct("<IHHIIHHHHHHHHIIIIIIQ"),
    4: struct.Struct("<IHHIIHHHHHHHHIIIIIIQQII"),
}
"""By version: magic, version, length, category, type, byte order, dimensions, 6 lengths, 6 steps, padding."""

IMAGE, LITTLE_ENDIAN = 2, 0
TYPES = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8")


def data_array(images: Iterable[NDArray[Any]], version: int) -> tuple[str, bytes]:
    """Images, each behind a header of its own, as sardana_limaccd reads several.

    Raises `ValueError` for pixels of a type that Lima does not know.
    """
    return DATA_FORMAT, b"".join(
        part for image in images for part in _parts(image, HEADERS[version], version)
    )


def _parts(image: NDArray[Any], header: struct.Struct, version: int) -> tuple[bytes, bytes]:
    kind = f"{image.dtype.kind}{image.dtype.itemsize}"
    if kind not in TYPES:
        raise ValueError(f"pixels of type {image.dtype.name} are not known to Lima")
    height, width = image.shape
    head = [MAGIC, version, header.size, IMAGE, TYPES.index(kind), LITTLE_ENDIAN, 2, width, height]
    padding = [0] * (len(header.unpack(bytes(header.size))) - len(head))
    return header.pack(*head, *padding), image.astype(image.dtype.newbyteorder("<"), copy=False).tobytes()
