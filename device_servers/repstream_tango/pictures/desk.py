"""The pictures of one device: a feed for each slot, pushed to those who subscribed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from tango import AttrQuality, AutoTangoMonitor, DevFailed

from repstream.errors import UnknownKey
from repstream.pictures.link import PictureLink
from repstream.pictures.picture import Picture
from repstream_tango.pictures.attributes import PictureAttribute
from repstream_tango.pictures.feed import Feed
from repstream_tango.publisher import Publisher

log = logging.getLogger(__name__)


class PictureDesk:
    """Feeds of the engine's pictures, which `link` brings; `close` after use."""

    def __init__(
        self, device: Any, link: PictureLink, shown: Sequence[PictureAttribute], publisher: Publisher
    ) -> None:
        self._device, self._shown, self._publisher = device, shown, publisher
        slots = dict.fromkeys(one.slot for one in shown)
        self._feeds = {slot: Feed(link, slot, partial(self._arrived, slot)) for slot in slots}
        self._of_request: dict[int, Picture | None] = {}

    def begin_request(self) -> None:
        """What is read from now on, by one request, is of one picture."""
        self._of_request.clear()

    def latest(self, slot: int) -> Picture | None:
        """The newest picture of a slot, the same until the next request."""
        if slot not in self._of_request:
            try:
                self._of_request[slot] = self._feeds[slot].latest()
            except UnknownKey:  # a slot that this engine does not have
                self._of_request[slot] = None
        return self._of_request[slot]

    def tend(self) -> None:
        """Every few seconds, under the device's monitor."""
        for slot, feed in self._feeds.items():
            feed.tend(bool(self._subscribed(slot)))

    def close(self) -> None:
        """Ask for no more pictures."""
        for feed in self._feeds.values():
            feed.close()

    def _arrived(self, slot: int) -> None:
        self._publisher.post(self._device, partial(self._push, slot))

    def _push(self, slot: int) -> None:
        feed = self._feeds[slot]
        watched = True
        try:
            with AutoTangoMonitor(self._device):
                self._of_request.clear()
                subscribed = self._subscribed(slot)
            watched = bool(subscribed)
            if (picture := feed.picture) is not None:
                for shown in subscribed:
                    self._push_one(shown, picture)
        except DevFailed as failed:
            log.debug("a picture was not published: %s", failed.args[0].desc)
        finally:
            feed.go_on(watched)

    def _push_one(self, shown: PictureAttribute, picture: Picture) -> None:
        value = self._device.encoded(shown, picture)
        parts = value if isinstance(value, tuple) else (value,)
        with AutoTangoMonitor(self._device):
            self._device.push_change_event(shown.name, *parts, picture.time, AttrQuality.ATTR_VALID)

    def _subscribed(self, slot: int) -> list[PictureAttribute]:
        attributes = self._device.get_device_attr()
        return [
            one
            for one in self._shown
            if one.slot == slot and attributes.get_attr_by_name(one.name).change_event_subscribed()
        ]
