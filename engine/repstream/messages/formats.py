"""Which format a message has, and its codec. One line a format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from repstream.errors import MalformedMessage
from repstream.messages import (
    array_1_0,
    bsread,
    chunk_1_0,
    dectris_v1,
    dectris_v2,
    pilatus_1_0,
    raw_1_0,
)
from repstream.messages.frame import Frame
from repstream.messages.frame import NoImage as NoImage
from repstream.messages.header import MAX_DETAIL, header_of, read_htype
from repstream.messages.series import SeriesEnd, SeriesStart

Message = (
    Frame
    | bsread.Message
    | SeriesStart
    | dectris_v1.Image
    | dectris_v2.Image
    | SeriesEnd
    | raw_1_0.Raw
    | pilatus_1_0.Pilatus
)
"""Any message of a known format; a `Frame` for array-1.0 and chunk-1.0."""

CODECS: Mapping[str, Callable[[Sequence[Any]], Message]] = {
    "array-1.": array_1_0.decode,
    "bsr_m-1.": bsread.decode,
    "chunk-1.": chunk_1_0.decode,
    "dheader-1.": dectris_v1.decode_start,
    "dimage-1.": dectris_v1.decode_image,
    "dseries_end-1.": dectris_v1.decode_end,
    "pilatus-1.": pilatus_1_0.decode,
    "raw-1.": raw_1_0.decode,
}
"""Decoders by the beginning of the `htype` that they understand; CBOR has none (`dectris_v2`)."""


def kind_of(message: SeriesStart | SeriesEnd | NoImage) -> str:
    """What a good message without an image is counted as, one of a few fixed texts."""
    match message:
        case NoImage():
            return message.why
        case SeriesStart():
            return "series start"
        case SeriesEnd():
            return "series end"


MOST_NOTES = 100
"""Kinds of metadata that cannot be read and are noted; what they are is the peer's choice."""


def decode_message(parts: Sequence[Any], memory: bsread.Memory | None = None) -> Message:
    """A message of any known format; `memory` is needed for bsread headers that are left out.

    Raises `MalformedMessage` with a reason of that format, "htype" for an unknown one, "json"
    where the first part is neither JSON nor a map in CBOR.
    """
    if parts and dectris_v2.is_cbor(parts[0]):
        return dectris_v2.decode(parts)
    prefix = _prefix(parts)
    return bsread.decode(parts, memory) if prefix == "bsr_m-1." else CODECS[prefix](parts)


def _prefix(parts: Sequence[Any]) -> str:
    htype = read_htype(header_of(parts))
    for prefix in CODECS:
        if htype.startswith(prefix):
            return prefix
    raise MalformedMessage("htype", f"unknown format {htype[:MAX_DETAIL]!r}")


ALL = "*"
"""The threshold that stands for all that there are."""


def names_of(text: str) -> tuple[str, ...]:
    """The names in a list with commas; none in `ALL`."""
    names = (name.strip() for name in text.split(","))
    return tuple(dict.fromkeys(name for name in names if name not in ("", ALL)))


class FrameDecoder:
    """The images of one stream as frames, whatever its format. Used from one thread.

    `channel`: the bsread channel that holds the image, ``""`` for the only one of two dimensions.
    `threshold`: the threshold of a DECTRIS stream v2 that becomes the frame, ``""`` for the only one.
    Each may be several names with commas between them, `threshold` also ``"*"`` for all that the start of
    the series names, or that came so far where it does not: then a frame has these channels.
    `verify_hash`: whether the hash that bsread and DECTRIS stream v1 send has to be right.
    `note` is called once for each kind of metadata that cannot be read; the image is taken without.
    """

    def __init__(
        self,
        channel: str = "",
        threshold: str = "",
        verify_hash: bool = False,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._channel, self._channels = channel, names_of(channel)
        self._threshold, self._thresholds = threshold, names_of(threshold)
        self._stated = False
        self._verify_hash = verify_hash
        self._note = note
        self._noted: set[str] = set()
        self._memory = bsread.Memory()

    def decode(self, parts: Sequence[Any]) -> Frame | SeriesStart | SeriesEnd | NoImage:
        """The frame in a message, one end of a series, or that there is no image for us.

        Raises `MalformedMessage` as `decode_message`, and with reason "hash" where that is wrong.
        """
        try:
            # Nearly every message is an array: its decoder finds out at once if it is not.
            return array_1_0.decode(parts)
        except MalformedMessage as error:
            if error.reason not in {"htype", "json"}:
                raise
        if parts and dectris_v2.is_cbor(parts[0]):
            other = dectris_v2.read(parts)
            return other if isinstance(other, NoImage) else self._image_in(other, parts)
        if _prefix(parts) == "bsr_m-1.":
            if len(self._channels) > 1:
                return bsread.frame_of_all(parts, self._channels, self._memory, self._verify_hash)
            return bsread.frame(parts, self._channel, self._memory, self._verify_hash)
        return self._image_in(decode_message(parts), parts)

    def _image_in(self, message: Message, parts: Sequence[Any]) -> Frame | SeriesStart | SeriesEnd | NoImage:
        if isinstance(message, SeriesStart | dectris_v1.Image | dectris_v2.Image):
            self._note_all(message.unread)
        if isinstance(message, SeriesStart) and self._threshold == ALL:
            self._thresholds = dectris_v2.thresholds_of(message)
            self._stated = len(self._thresholds) > 0
        if isinstance(message, Frame | SeriesStart | SeriesEnd):
            return message
        if isinstance(message, dectris_v1.Image):
            if self._verify_hash and message.hash and not message.intact():
                raise MalformedMessage("hash", "the image is not the one that its hash stands for")
            return dectris_v1.frame(message)
        if isinstance(message, dectris_v2.Image):
            return self._thresholds_in(message)
        # Not the text that the peer chose: this one is counted by.
        return NoImage(raw_1_0.HTYPE if isinstance(message, raw_1_0.Raw) else pilatus_1_0.HTYPE, parts)

    def _thresholds_in(self, image: dectris_v2.Image) -> Frame | NoImage:
        if self._threshold == ALL and not self._stated:
            self._thresholds = tuple(dict.fromkeys((*self._thresholds, *image.data)))
        if len(self._thresholds) > 1:
            return dectris_v2.frame_of_all(image, self._thresholds)
        return dectris_v2.frame(image, self._thresholds[0] if self._thresholds else "")

    def _note_all(self, unread: Sequence[str]) -> None:
        for text in unread:
            if text not in self._noted and len(self._noted) < MOST_NOTES:
                self._noted.add(text)
                self._note(text)


def decode(parts: Sequence[Any]) -> Frame:
    """The only frame in a message of any known format; see there for what is read and measured.

    Raises `MalformedMessage` as `FrameDecoder.decode`, and with reason "htype" for a good
    message without an image.
    """
    try:
        return array_1_0.decode(parts)
    except MalformedMessage as error:
        if error.reason not in {"htype", "json"}:
            raise
    found = FrameDecoder().decode(parts)
    if isinstance(found, Frame):
        return found
    what = f": {found.why}" if isinstance(found, NoImage) else ""
    raise MalformedMessage("htype", f"a message without an image{what}")


def attributes(frame: Frame) -> Mapping[str, int | float | bool]:
    """The numbers that came with an image, by name: fields of its header, channels, times.

    Raises `MalformedMessage` ("json") where the frame's header is no JSON object.
    """
    if frame.attributes_in_header:
        return array_1_0.attributes(header_of(frame.parts))
    return frame.read_attributes()
