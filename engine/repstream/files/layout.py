"""Where the few numbers of an HDF5 file lie that change while frames are written.

Bytes in, numbers out; nothing here opens a file. Only the oldest structures of the format
are understood, those without checksums: superblock version 0, object headers version 1,
data layout message version 3. They are described in the HDF5 File Format Specification,
version 3.0, sections II.A, IV.A.1.a, IV.A.2.b and IV.A.2.i. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89HDF\r\n\x1a\n"
UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF
"""The address of what does not exist (section I)."""

END_OF_FILE = 40
"""Offset of the end-of-file address in superblock version 0: 24 bytes of versions and sizes,
then base address, free-space address and this one, eight bytes each (section II.A)."""

ADDRESS = struct.Struct("<Q")
"""An address, a length or a dimension: eight bytes, as the superblock says."""

_DATASPACE, _LAYOUT, _CONTINUATION = 0x0001, 0x0008, 0x0010
_CHUNKED = 2
_HEADER = struct.Struct("<BxHII4x")
_MESSAGE = struct.Struct("<HHB3x")
_BLOCK = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class DatasetPlaces:
    """Byte offsets of a chunked dataset's two changing numbers, eight bytes each.

    `extent`: the first of its current dimensions. `index`: the address of its chunk index.
    """

    extent: int
    index: int


def check_superblock(image: bytes) -> None:
    """Raise ValueError unless `image` begins as a file whose end may be moved by one write."""
    if image[:8] != SIGNATURE:
        raise ValueError("not an HDF5 file: the signature is missing at its beginning")
    version, size_of_addresses, size_of_lengths = image[8], image[13], image[14]
    if (version, size_of_addresses, size_of_lengths) != (0, 8, 8):
        raise ValueError(
            f"superblock version {version} with {size_of_addresses}-byte addresses: "
            "only version 0 with 8 bytes has no checksum and may be changed in place"
        )
    if ADDRESS.unpack_from(image, 24)[0] != 0:
        raise ValueError("the base address is not 0: addresses would not be offsets in the file")


def dataset_places(image: bytes, header: int) -> DatasetPlaces:
    """Find the changing numbers of the dataset whose object header lies at `header`.

    Raises ValueError where the dataset is not chunked or written in a newer form.
    """
    extent = index = None
    for kind, offset in messages(image, header):
        if kind == _DATASPACE:
            version, rank = image[offset], image[offset + 1]
            if version != 1 or rank == 0:
                raise ValueError(f"dataspace message version {version}, rank {rank}: expected 1, 1 or more")
            extent = offset + 8
        elif kind == _LAYOUT:
            version, storage = image[offset], image[offset + 1]
            if (version, storage) != (3, _CHUNKED):
                raise ValueError(f"layout message version {version}, class {storage}: expected 3, chunked")
            index = offset + 3
    if extent is None or index is None:
        raise ValueError(f"no dataset at address {header}: its dataspace or layout message is missing")
    return DatasetPlaces(extent, index)


def messages(image: bytes, header: int) -> Iterator[tuple[int, int]]:
    """Yield (type, offset of the data) of each message of a version-1 object header.

    Raises ValueError where the header is of another version.
    """
    version, total, _, size = _HEADER.unpack_from(image, header)
    if version != 1:
        raise ValueError(f"object header version {version} at address {header}: expected 1")
    blocks = [(header + _HEADER.size, size)]
    for begin, length in blocks:
        place = begin
        while place < begin + length and total:
            kind, nbytes, _ = _MESSAGE.unpack_from(image, place)
            place += _MESSAGE.size
            total -= 1
            if kind == _CONTINUATION:
                blocks.append(_BLOCK.unpack_from(image, place))
            yield kind, place
            place += nbytes
