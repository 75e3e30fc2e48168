"""The second input of a pipeline (key `bsread_address`): channels that join the image of the same pulse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import zmq

from repstream.errors import InvalidValue
from repstream.messages import bsread
from repstream.messages.bsread_header import Timestamp
from repstream.parameters.pipeline import PipelineSettings
from repstream.parameters.source import SourceConfig
from repstream.pipelines.encryption import SECOND, curve
from repstream.pipelines.feed import Feed
from repstream.pipelines.merging import Merger
from repstream.sources.source import Source
from repstream.sources.zmq import ZmqSource

Pair = tuple[tuple[bsread.Message, Timestamp], Mapping[str, Any]]
"""A message with its time, and the channels that join it."""


class SecondInput:
    """Pairs messages of the first input with those that `feed` brings, by pulse id. Used from one thread."""

    def __init__(self, feed: Feed, settings: PipelineSettings) -> None:
        self.feed = feed
        self._chosen = settings.bsread_channels
        self._memory = bsread.Memory()
        self._merger: Merger[tuple[bsread.Message, Timestamp], Mapping[str, Any]] = Merger(
            settings.bsread_image_buf, settings.bsread_data_buf
        )

    @property
    def source(self) -> Source:
        """Where its messages come from now."""
        return self.feed.source

    @property
    def lost(self) -> int:
        """Messages of the first input for which there was nothing here."""
        return self._merger.images.given_up

    def join(self, message: bsread.Message, timestamp: Timestamp) -> Sequence[Pair]:
        """A message of the first input came; the pairs that are complete now."""
        return self._merger.image(message.pulse_id, (message, timestamp))

    def take(self, parts: Sequence[Any], now: float) -> Sequence[Pair]:
        """A message came here; as `join`. Raises `MalformedMessage`."""
        message = bsread.decode(parts, self._memory)
        self.feed.heard(now)
        channels = {
            name: message.values[at]
            for name, at in message.header.index.items()
            if not self._chosen or name in self._chosen
        }
        return self._merger.other(message.pulse_id, channels)


def open_second(settings: PipelineSettings, context: zmq.Context[zmq.Socket[bytes]]) -> SecondInput | None:
    """The second input that a configuration asks for; None for none. Raises `InvalidValue`."""
    if not settings.bsread_address:
        return None

    def open_at(address: str) -> Source:
        try:
            config = SourceConfig(
                address=address,
                mode="SUB",
                buffer_size=settings.bsread_data_buf,
                **curve(settings, SECOND),
            )
        except ValueError:
            raise InvalidValue(
                "bsread_address", f"{address!r:.200} is no address such as tcp://host:port"
            ) from None
        return ZmqSource(context, config)

    return SecondInput(Feed(open_at, settings.bsread_address, None, lambda _: None), settings)
