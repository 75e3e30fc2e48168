"""Images of the standard DAQ's ring buffer as messages that every output knows, and back.

Raw pixels become array-1.0, compressed ones bsread, which alone of the formats carries bitshuffled
pixels as they are. Numbers of the metadata become attributes by the names of `std_daq_metadata`
(``scan_id``, ``exptime``, …), beside ``image_status`` (the number of its status) and, in array-1.0,
``image_is_complete``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from repstream.errors import MalformedMessage
from repstream.messages import bsread, pixels, std_daq_metadata
from repstream.messages.bsread_header import Channel
from repstream.messages.formats import attributes
from repstream.messages.frame import ARRAY, OWN_NAME, Frame
from repstream.messages.header import size_of
from repstream.messages.std_daq_metadata import DETECTORS, Compression, Detector, ImageMetadata
from repstream.messages.std_daq_schema import ENUMS

STATUS, COMPLETE = "image_status", "image_is_complete"

_NUMBERS = ENUMS["Status"]
_WORDS = {number: word for word, number in _NUMBERS.items()}
_KINDS = {
    kind: {field.name for field in msgspec.structs.fields(kind) if field.type in {int, "int"}}
    for kind in DETECTORS.values()
}


def message_of(metadata: ImageMetadata, data: Any) -> list[Any]:
    """A message with this image. `data` is not copied: the pixels, or `metadata.size` compressed bytes."""
    values = {STATUS: _NUMBERS[metadata.status], **_detector_values(metadata.detector)}
    if metadata.compression == "none":
        values[COMPLETE] = metadata.status != "missing_packets"
        header = {
            "htype": ARRAY,
            "shape": (metadata.height, metadata.width),
            "type": metadata.dtype,
            "frame": metadata.image_id,
            "endianness": "little",
            "image_attributes": values,
        }
        return [msgspec.json.encode(header), data]
    numbers = {name: value for name, value in values.items() if not isinstance(value, str)}
    shape = (metadata.height, metadata.width)
    name = values.get(OWN_NAME) or bsread.IMAGE
    channels = [
        Channel(name, metadata.dtype, shape, compression="bitshuffle_lz4"),
        *(bsread.describe(name, value) for name, value in numbers.items()),
    ]
    parts = bsread.encode(metadata.image_id, channels, [None, *numbers.values()])
    parts[2] = data
    return parts


def refused_message(detail: str) -> list[bytes]:
    """A message that stands for an image that could not be read: malformed, and says why."""
    return [msgspec.json.encode({"htype": f"std_daq_metadata refused: {detail}"})]


def image_of(frame: Frame) -> tuple[ImageMetadata, Any] | None:
    """The metadata and bytes of the image in a frame; None where a ring buffer cannot carry it.

    It carries one image of two dimensions, in little-endian byte order, raw or bitshuffled with LZ4 if
    that takes no more than raw; others are converted. Of several channels it is the first.
    Pixels that need not be are not copied.
    """
    if len(frame.shape) != 2 or (len(frame.payloads) != 1 and not frame.channels):
        return None
    height, width = frame.shape
    nbytes = height * width * pixels.ITEM_SIZE[frame.dtype]
    data = frame.payloads[0]
    if data is None:
        return None
    compression: Compression = "none"
    try:
        if frame.encoding == "bitshuffle_lz4" and not frame.big_endian and size_of(data) <= nbytes:
            compression = "h5bitshuffle_lz4"
        elif frame.encoding or frame.big_endian:
            array = pixels.array_of(frame)
            data = pixels.packed(array.astype(array.dtype.newbyteorder("<"), copy=False)).data
        found = attributes(frame)
    except MalformedMessage:
        return None
    size = size_of(data) if compression != "none" else nbytes
    metadata = ImageMetadata(
        frame.frame_id,
        height,
        width,
        size,
        frame.dtype,  # type: ignore[arg-type]  # one of PIXEL_TYPES
        _status(found),  # type: ignore[arg-type]  # one of its words
        compression,
        _detector(found),
    )
    return metadata, data


def encoded(frame: Frame) -> list[Any] | None:
    """What goes into a ring for a frame: the metadata as a message, and the bytes for the slot."""
    found = image_of(frame)
    return None if found is None else [*std_daq_metadata.encode(found[0]), found[1]]


def _status(found: Mapping[str, int | float | bool]) -> str:
    number = found.get(STATUS)
    if isinstance(number, int) and number in _WORDS:
        return _WORDS[number]
    return "missing_packets" if found.get(COMPLETE) is False else "good_image"


def _detector_values(detector: Detector | None) -> dict[str, Any]:
    return {} if detector is None else msgspec.structs.asdict(detector)


def _detector(found: Mapping[str, int | float | bool]) -> Detector | None:
    """The detector's own fields, where all of one kind are there and in range, and not all 0.

    A bsread message has a time, and 0 where nobody said one.
    """
    for kind, names in _KINDS.items():
        if names <= found.keys() and any(found[name] for name in names):
            given = {name: found[name] for name in kind.__struct_fields__ if name in found}
            try:
                detector = msgspec.convert(given, kind)
                std_daq_metadata.encode(ImageMetadata(0, 1, 1, 1, "uint8", detector=detector))
            except (msgspec.ValidationError, ValueError):
                return None
            return detector
    return None
