"""CBOR with arrays of numbers: tag 40 (dimensions), tags 64 to 87 (types), tag 56500 (compression).

RFC 8949 and RFC 8746; tag 56500 is DECTRIS': [algorithm, element size, bytes]. An array becomes
`Pixels`, measured while it is read, a date a datetime. A document is held to a depth of 32; keys given
twice are refused. What a tag stands for and is not read here, because it is not needed, could grow
beyond the document, could run in circles or is not what its tag says, becomes `Unread`: whether it
matters is for the reader of the document to say.

Reasons of `MalformedMessage` here, and in `Unread`: "cbor" (no CBOR document, a tag that is not read),
"field" (an array that is none), "size" and "compression".
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import cbor2
import msgspec

from repstream.errors import MalformedMessage
from repstream.messages.compression import BITSHUFFLED, promised_size
from repstream.messages.header import MAX_DETAIL, Shape
from repstream.messages.pixels import ITEM_SIZE, Encoding, Pixels, measured

SELF_DESCRIBED = b"\xd9\xd9\xf7"
"""Tag 55799, which may stand before a document and means nothing else."""

_MAX_DEPTH = 32

_DIMENSIONS, _COMPRESSION = 40, 56500

_TYPES = {
    **{64 + i: (f"uint{8 << i}", True) for i in range(4)},
    **{69 + i: (f"uint{16 << i}", False) for i in range(3)},
    **{72 + i: (f"int{8 << i}", True) for i in range(4)},
    **{77 + i: (f"int{16 << i}", False) for i in range(3)},
    **{80 + i: (f"float{16 << i}", True) for i in range(3)},
    **{84 + i: (f"float{16 << i}", False) for i in range(3)},
}
"""Typed-array tags (RFC 8746, 2.1): pixel type and whether it is big-endian."""

_TAGS = {kind: tag for tag, kind in _TYPES.items()}

_OTHER_TYPES = (68, 76, 83, 87)
"""Clamped arithmetic, a reserved number, and floats of 128 bits."""

_NOT_NEEDED = (4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000)
"""Decimals of any exponent, repeated texts, shared values, fractions, expressions, mails, addresses …"""

_LONGEST_NUMBER = 1024
"""Bytes; of longer ones Python does not write the digits."""

_ENCODINGS: Mapping[str, Encoding] = {
    "bslz4": "bitshuffle_lz4",
    "bszstd": "bitshuffle_zstd",
    "lz4": "lz4_hdf5",
}

_ALGORITHMS = {encoding: algorithm for algorithm, encoding in _ENCODINGS.items()}


class Unread(msgspec.Struct, frozen=True):
    """What stands in a document and could not be read, and why."""

    error: MalformedMessage


class _Compressed(msgspec.Struct, frozen=True):
    encoding: Encoding
    itemsize: int
    data: bytes


def read(document: Any) -> Any:
    """A CBOR document as Python values, arrays as `Pixels`, dates as datetime, or as `Unread`.

    Raises `MalformedMessage` with one of the reasons above.
    """
    stream = io.BytesIO(document)
    # What is inside any tag comes as immutable values, even inside the one that only says "CBOR".
    stream.seek(len(SELF_DESCRIBED) if bytes(memoryview(document)[:3]) == SELF_DESCRIBED else 0)
    decoder = cbor2.CBORDecoder(
        stream,
        semantic_decoders=_DECODERS,
        max_depth=_MAX_DEPTH,
        allow_duplicate_keys=False,
    )
    try:
        found = decoder.decode()
    except cbor2.CBORDecodeError as error:
        raise MalformedMessage("cbor", str(error)[:MAX_DETAIL]) from None
    if stream.read(1):
        raise MalformedMessage("cbor", "more after the document")
    return found


def write(value: Any) -> bytes:
    """A CBOR document; `Pixels` become arrays. Raises `cbor2.CBOREncodeError` for other objects."""
    return cbor2.dumps(value, default=_write_pixels)


def without_unread(value: Any, unread: list[str], name: str = "") -> Any:
    """A value without what could not be read in it, which is added to `unread` in words.

    It is left out of maps and None elsewhere; `name` is what the words call the value.
    """
    match value:
        case Unread():
            unread.append(f"{name or 'a value'} cannot be read: {value.error}")
            return None
        case dict():
            kept = {k: without_unread(v, unread, f"{name}.{k}" if name else str(k)) for k, v in value.items()}
            return {k: v for k, v in kept.items() if not isinstance(value[k], Unread)}
        case list() | tuple():
            return [without_unread(item, unread, name) for item in value]
        case _:
            return value


def _or_unread(read: Callable[[Any], Any], value: Any, _immutable: bool) -> Any:
    if isinstance(value, Unread):
        return value
    try:
        return read(value)
    except MalformedMessage as error:
        return Unread(error)


def _compressed(value: Any) -> _Compressed:
    try:
        algorithm, itemsize, data = msgspec.convert(value, tuple[str, int, bytes])
    except msgspec.ValidationError as error:
        raise MalformedMessage("field", f"tag {_COMPRESSION}: {error}"[:MAX_DETAIL]) from None
    if algorithm not in _ENCODINGS:
        raise MalformedMessage("field", f"unknown compression {algorithm[:MAX_DETAIL]!r}")
    return _Compressed(_ENCODINGS[algorithm], itemsize, data)


def _typed(dtype: str, big_endian: bool, value: Any) -> Pixels:
    """Numbers in one dimension; tag 40 around them gives others."""
    itemsize = ITEM_SIZE[dtype]
    if isinstance(value, bytes):
        return measured((len(value) // itemsize,), dtype, big_endian, "", value)
    if not isinstance(value, _Compressed):
        raise MalformedMessage("field", f"an array of {dtype} in a {type(value).__name__}")
    # Filter 32004 does not know elements; its size here is 0 or theirs.
    if value.itemsize != itemsize and (value.encoding in BITSHUFFLED or value.itemsize != 0):
        raise MalformedMessage("compression", f"elements of {value.itemsize} bytes for {dtype}")
    count = promised_size(value.data, value.encoding) // itemsize
    return measured((count,), dtype, big_endian, value.encoding, value.data)


def _shaped(value: Any) -> Pixels | Unread:
    if isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[1], Unread):
        return value[1]
    try:
        shape, pixels = msgspec.convert(value, tuple[Shape, Pixels])
    except msgspec.ValidationError as error:
        raise MalformedMessage("field", f"tag {_DIMENSIONS}: {error}"[:MAX_DETAIL]) from None
    if (math.prod(shape),) != pixels.shape:
        raise MalformedMessage("size", f"dimensions {shape} for numbers of shape {pixels.shape}")
    return msgspec.structs.replace(pixels, shape=shape)


def _date(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise MalformedMessage("cbor", f"{str(value)[:20]!r} is no date") from None


def _number(sign: int, value: Any) -> int:
    if not isinstance(value, bytes) or len(value) > _LONGEST_NUMBER:
        raise MalformedMessage("cbor", "a number that is none, or too long")
    size = int.from_bytes(value, "big")
    return size if sign > 0 else -1 - size


def _not_read(tag: int, _value: Any) -> Any:
    raise MalformedMessage("cbor", f"tag {tag} is not read here")


_READ: dict[int, Callable[[Any], Any]] = {
    **dict.fromkeys((0, 1), _date),
    2: partial(_number, 1),
    3: partial(_number, -1),
    _DIMENSIONS: _shaped,
    _COMPRESSION: _compressed,
    **{tag: partial(_typed, *kind) for tag, kind in _TYPES.items()},
    **{tag: partial(_not_read, tag) for tag in (*_NOT_NEEDED, *_OTHER_TYPES)},
}

_DECODERS: dict[int, Callable[[Any, bool], Any]] = {
    tag: partial(_or_unread, read) for tag, read in _READ.items()
}


def _write_pixels(encoder: cbor2.CBOREncoder, value: object) -> None:
    if not isinstance(value, Pixels) or value.dtype == "bool" or value.encoding == "lz4":
        raise cbor2.CBOREncodeTypeError(f"{type(value).__name__} cannot be written as CBOR")
    data: Any = bytes(value.data)
    if value.encoding:
        data = cbor2.CBORTag(_COMPRESSION, [_ALGORITHMS[value.encoding], ITEM_SIZE[value.dtype], data])
    big_endian = value.big_endian or value.dtype in {"uint8", "int8"}
    typed = cbor2.CBORTag(_TAGS[value.dtype, big_endian], data)
    encoder.encode(cbor2.CBORTag(_DIMENSIONS, [value.shape, typed]))
