"""What leaves an instance: channels by name, as bsread messages whose header follows what is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from repstream.messages import bsread
from repstream.messages.bsread_header import Channel, Compression, Timestamp
from repstream.messages.frame import Frame
from repstream.messages.header import size_of

Headers = Literal["on_change", "once", "always"]


class Made(msgspec.Struct, gc=False):
    """The channels of one pulse, to be sent; a value of None is known and not there."""

    pulse_id: int
    timestamp: Timestamp
    channels: Mapping[str, Any]


class Encoder:
    """Makes messages. `headers` says what the data header follows; it is the same until that changes.

    A value of None is left out until its channel's type is known, then sent empty; so is one whose type or
    shape is not allowed to change. With "once" the channels are those of the first message.
    `image_packing` is the compression of arrays of two dimensions, `packing` that of all others.
    """

    def __init__(
        self,
        *,
        image_packing: Compression = "none",
        packing: Compression = "none",
        header_packing: Compression = "none",
        headers: Headers = "on_change",
        allow_type_changes: bool = True,
        allow_shape_changes: bool = True,
    ) -> None:
        self._image_packing: Compression = image_packing
        self._packing: Compression = packing
        self._header_packing: Compression = header_packing
        self._headers = headers
        self._allow_types, self._allow_shapes = allow_type_changes, allow_shape_changes
        self._known: dict[str, Channel] = {}
        self._header: tuple[Channel, ...] = ()
        self.changes = 0

    def frame(self, made: Made) -> Frame:
        """The message as a frame of an output. Raises ValueError for a value that bsread does not know."""
        found = {name: self._channel(name, value) for name, value in made.channels.items()}
        values = {
            name: made.channels[name] if channel == self._known.get(name) else None
            for name, channel in found.items()
            if channel is not None
        }
        if self._headers == "once" and self._header:
            channels = self._header
        else:
            channels = tuple(self._known[name] for name in values)
        if channels != self._header:
            self.changes += self._header != ()
            self._header = channels
        parts = bsread.encode(
            made.pulse_id,
            channels,
            [values.get(channel.name) for channel in channels],
            timestamp=made.timestamp,
            dh_compression=self._header_packing,
        )
        shape, dtype = _largest(channels)
        return Frame(made.pulse_id, shape, dtype, False, "", parts, (), sum(map(size_of, parts)))

    def _channel(self, name: str, value: Any) -> Channel | None:
        """The channel that this value has, or None where it has none yet; what it is from now on is kept."""
        known = self._known.get(name)
        if value is None:
            return known
        channel = bsread.describe(name, value, self._packing_of(value))
        if known is None:
            if self._headers != "once" or not self._header:
                self._known[name] = channel
            return channel
        if channel != known and self._may_change(known, channel):
            self._known[name] = channel
        return channel

    def _may_change(self, known: Channel, other: Channel) -> bool:
        if self._headers == "once":
            return False
        if known.type != other.type and not self._allow_types:
            return False
        return known.shape == other.shape or self._allow_shapes

    def _packing_of(self, value: Any) -> Compression:
        return self._image_packing if getattr(value, "ndim", 0) == 2 else self._packing


def _largest(channels: tuple[Channel, ...]) -> tuple[tuple[int, ...], str]:
    """Shape and type of the image among channels; those of nothing where there is none."""
    image = next((channel for channel in channels if len(channel.shape) == 2), None)
    return ((), "uint8") if image is None else (image.shape, image.type)
