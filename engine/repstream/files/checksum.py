"""A checksum for each image, which proves that its bytes are those that were written.

It is taken of the image as it is stored: of compressed images the compressed bytes, so that
checking needs no decompression and nothing is unpacked to be written. xxh3 is the 64-bit
XXH3 of xxHash (https://xxhash.com), crc32c the Castagnoli CRC of RFC 3720, section 12.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import crc32c
import numpy as np
import xxhash

Checksum = Literal["none", "xxh3", "crc32c"]

MEMBER = "checksum"
"""Name of the metadata member that holds it."""

DTYPES: Mapping[str, np.dtype[Any]] = {"xxh3": np.dtype("<u8"), "crc32c": np.dtype("<u4")}

_FUNCTIONS: Mapping[str, Callable[[Any], int]] = {"xxh3": xxhash.xxh3_64_intdigest, "crc32c": crc32c.crc32c}


def members(kind: Checksum) -> tuple[tuple[str, np.dtype[Any]], ...]:
    """What a metadata row holds further for this kind."""
    return () if kind == "none" else ((MEMBER, DTYPES[kind]),)


def function(kind: str) -> Callable[[Any], int]:
    """The function from any contiguous buffer to its checksum. Raises ValueError for an unknown kind.

    Large buffers are read without the interpreter lock.
    """
    try:
        return _FUNCTIONS[kind]
    except KeyError:
        raise ValueError(f"checksum {kind!r} is unknown: one of {', '.join(_FUNCTIONS)}") from None
