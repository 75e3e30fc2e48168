"""DECTRIS stream v2: one part of CBOR, a map whose `type` is "start", "image" or "end".

Dimensions are [rows, columns]; an image holds one array for each threshold; times are [ticks, ticks a
second]. Source: https://github.com/dectris/documentation, stream_v2; arrays as
in `cbor`, plain or compressed as "lz4", "bslz4" or "bszstd".

Reasons of `MalformedMessage` here: "cbor", "field", "parts", "size", "compression" and "htype" (another
`type`, or none).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

import msgspec

from repstream.errors import MalformedMessage
from repstream.messages import cbor
from repstream.messages.cbor import without_unread
from repstream.messages.frame import TIME_NAMES, UNLIKE, Frame, NoImage
from repstream.messages.header import MAX_DETAIL, Id, check_id, count_parts
from repstream.messages.pixels import Pixels, joined
from repstream.messages.series import SeriesEnd, SeriesStart

Time = tuple[int, Annotated[int, msgspec.Meta(ge=1)]]
"""Ticks, and how many there are in a second."""


_EPOCH = datetime.fromtimestamp(0, UTC)

FORMAT = "dectris-stream-2"
"""What stands for the format, which has no `htype`."""

OTHER = "CBOR of another type"
WITHOUT_THRESHOLD = "image without the threshold"
NO_THRESHOLD_CHOSEN = "image with several thresholds"
"""What a message is that gives no frame."""


class Image(msgspec.Struct, gc=False):
    """One image in every threshold. `image_id`: its number in the series, from 0.

    `data`: pixels (height, width) by threshold, such as ``"threshold_1"``. `start_time`,
    `stop_time`: since the start of the series, `real_time`: of the exposure. `series_date`:
    when the series started, a datetime. `user_data`: anything. `unread`: what could not be read,
    in words; it is left out.
    """

    image_id: Id
    series_id: Id
    data: Annotated[dict[str, Pixels], msgspec.Meta(min_length=1)]
    series_unique_id: str = ""
    start_time: Time | None = None
    stop_time: Time | None = None
    real_time: Time | None = None
    series_date: Any = None
    user_data: Any = None
    parts: Sequence[Any] = ()
    unread: Sequence[str] = ()


_OURS = frozenset({"parts", "unread"})

_METADATA: Mapping[str, Any] = {
    "series_unique_id": str,
    **dict.fromkeys(("start_time", "stop_time", "real_time"), Time | None),
}
"""What comes with an image and never costs it."""


class _End(msgspec.Struct, gc=False):
    series_id: Id
    series_unique_id: str = ""


def is_cbor(part: Any) -> bool:
    """Whether a message that begins with this part can be one of these.

    A map (0xa0 … 0xbf), or the tag 55799 that says "this is CBOR"; no JSON text begins so.
    """
    head = bytes(memoryview(part)[:3])
    return head[:1] in _MAPS or head == cbor.SELF_DESCRIBED


_MAPS = frozenset(bytes([first]) for first in range(0xA0, 0xC0))


def decode(parts: Sequence[Any]) -> SeriesStart | Image | SeriesEnd:
    """A message of any of the three types. Raises `MalformedMessage` with one of the reasons above."""
    found = read(parts)
    if isinstance(found, NoImage):
        raise MalformedMessage("htype", found.why)
    return found


def read(parts: Sequence[Any]) -> SeriesStart | Image | SeriesEnd | NoImage:
    """A message of any of the three types, or that it is of another. Raises as `decode`."""
    count_parts(parts, 1)
    fields = cbor.read(parts[0])
    if not isinstance(fields, dict):
        raise MalformedMessage("htype", f"a {type(fields).__name__} instead of a map")
    kind = fields.pop("type", None)
    if not isinstance(kind, str):
        raise MalformedMessage("htype", f"its type is a {type(kind).__name__}")
    if kind not in _READ:
        return NoImage(OTHER, parts)
    try:
        return _READ[kind](fields, parts)
    except msgspec.ValidationError as error:
        raise MalformedMessage("field", str(error)[:MAX_DETAIL]) from None


def _read_start(fields: dict[str, Any], parts: Sequence[Any]) -> SeriesStart:
    end = _read_end(fields, parts)
    configuration, tables = {}, {}
    unread: list[str] = []
    fields = without_unread(fields, unread)
    for name, value in fields.items():
        if isinstance(value, Pixels):
            tables[name] = value
        elif isinstance(value, dict) and value and all(isinstance(v, Pixels) for v in value.values()):
            tables |= {f"{name}/{threshold}": pixels for threshold, pixels in value.items()}
        elif name not in _End.__struct_fields__:
            configuration[name] = value
    return SeriesStart(end.series, end.unique_id, configuration, tables, None, parts, tuple(unread))


def _read_image(fields: dict[str, Any], parts: Sequence[Any]) -> Image:
    data = fields.get("data")
    for pixels in data.values() if isinstance(data, dict) else ():
        if isinstance(pixels, cbor.Unread):
            raise pixels.error
    unread: list[str] = []
    fields = without_unread(fields, unread)
    for name in _METADATA.keys() & fields.keys():
        try:
            fields[name] = msgspec.convert(fields[name], _METADATA[name])
        except msgspec.ValidationError as error:
            unread.append(f"{name} of an image: {error}"[:MAX_DETAIL])
            del fields[name]
    image = msgspec.convert({**fields, "parts": ()}, Image)
    image.parts, image.unread = parts, tuple(unread)
    check_id("image_id", image.image_id)
    check_id("series_id", image.series_id)
    return image


def _read_end(fields: dict[str, Any], parts: Sequence[Any]) -> SeriesEnd:
    if not isinstance(fields.get("series_unique_id", ""), str):
        del fields["series_unique_id"]
    end = msgspec.convert(fields, _End)
    return SeriesEnd(check_id("series_id", end.series_id), end.series_unique_id, parts)


_READ: Mapping[str, Callable[[dict[str, Any], Sequence[Any]], SeriesStart | Image | SeriesEnd]] = {
    "start": _read_start,
    "image": _read_image,
    "end": _read_end,
}


def frame(image: Image, threshold: str = "") -> Frame | NoImage:
    """The frame of one threshold, ``""`` for the only one.

    Its attributes are the series, times in ns and, as `TIME_NAMES`, when it began. `NoImage`
    where the image has no such threshold, or several and none is named.
    """
    if not threshold and len(image.data) == 1:
        pixels = next(iter(image.data.values()))
    elif threshold in image.data:
        pixels = image.data[threshold]
    else:
        return NoImage(WITHOUT_THRESHOLD if threshold else NO_THRESHOLD_CHOSEN, image.parts)
    return pixels.frame(image.image_id, image.parts, FORMAT, partial(_attributes, image))


def frame_of_all(image: Image, thresholds: Sequence[str]) -> Frame | NoImage:
    """The frame of several thresholds, each a channel; attributes as of `frame`.

    `NoImage` where it has none of them, or where they are not alike.
    """
    images = {name: image.data.get(name) for name in thresholds}
    if not any(images.values()):
        return NoImage(WITHOUT_THRESHOLD, image.parts)
    found = joined(images, image.image_id, image.parts, FORMAT, partial(_attributes, image))
    return found or NoImage(UNLIKE, image.parts)


def thresholds_of(start: SeriesStart) -> tuple[str, ...]:
    """The thresholds that the images of a series will have, as its start says; none where it does not."""
    names = start.configuration.get("channels")
    if not isinstance(names, list | tuple):
        return ()
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name))


def _attributes(image: Image) -> dict[str, int | float | bool]:
    times = {name: getattr(image, name) for name in ("start_time", "stop_time", "real_time")}
    found = {name: time[0] * 10**9 // time[1] for name, time in times.items() if time is not None}
    found |= _unix_time(image.series_date, found.get("start_time"))
    return {"series": image.series_id, **{k: v for k, v in found.items() if -(2**63) <= v < 2**63}}


def _unix_time(series: Any, start: int | None) -> dict[str, int]:
    """When an image began that began `start` ns after its series, as `TIME_NAMES`; nothing where unknown."""
    if not isinstance(series, datetime) or series.tzinfo is None or start is None:
        return {}
    since = (series - _EPOCH) // timedelta(microseconds=1) * 1000 + start
    return dict(zip(TIME_NAMES, divmod(since, 10**9), strict=True))


def encode_start(
    series: int,
    unique_id: str,
    configuration: Mapping[str, Any],
    tables: Mapping[str, Pixels] | None = None,
) -> list[bytes]:
    """A start; a table named ``"flatfield/threshold_1"`` goes into a map ``"flatfield"``."""
    grouped: dict[str, Any] = {}
    for name, pixels in (tables or {}).items():
        group, _, threshold = name.partition("/")
        if threshold:
            grouped.setdefault(group, {})[threshold] = pixels
        else:
            grouped[name] = pixels
    own = {"type": "start", "series_id": series, "series_unique_id": unique_id}
    return [cbor.write({**own, **configuration, **grouped})]


def encode_image(image: Image) -> list[bytes]:
    """An image, `Image.parts` left out. Raises `cbor2.CBOREncodeError` for user data unknown to CBOR."""
    fields = {name: getattr(image, name) for name in Image.__struct_fields__ if name not in _OURS}
    return [cbor.write({"type": "image", **fields})]


def encode_end(series: int, unique_id: str) -> list[bytes]:
    """The end of a series."""
    return [cbor.write({"type": "end", "series_id": series, "series_unique_id": unique_id})]
