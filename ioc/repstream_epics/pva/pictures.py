"""Pictures as channels: each client has one of its own, and pictures are made only while there is one.

A PV that all clients share would hold the last picture that somebody looked at: who reads it once, much
later, would take it for the present one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any, Protocol

from p4p import Value
from p4p.server import DynamicProvider
from p4p.server.thread import SharedPV
from p4p.util import ThreadedWorkQueue

from repstream.instances import watch
from repstream.parameters.catalogue import Group, key_of
from repstream.pictures.link import ADDRESS, PictureLink
from repstream.pictures.picture import Picture
from repstream.pictures.protocol import Pictures
from repstream.protocol import Change, Engine, Event, Subscription
from repstream_epics import names
from repstream_epics.pva import images

PATIENCE = 1.0
"""Seconds that a client waits for its first picture; then it hears that there is none."""


class Link(Protocol):
    """Where the pictures of an engine come from."""

    def of(self, slot: int) -> Pictures | None:
        """The pictures of a slot; None where nobody says where they are."""

    def close(self) -> None:
        """Ask for nothing more."""


class Look:
    """One client's channel; a handler of p4p's."""

    def __init__(self, feed: Feed, codec: str) -> None:
        self.codec = codec
        self._feed = feed
        self.pv = SharedPV(handler=self, queue=feed.queue)

    def onFirstConnect(self, pv: SharedPV) -> None:
        self._feed.join(self)

    def onLastDisconnect(self, pv: SharedPV) -> None:
        self._feed.leave(self)

    def show(self, value: Value) -> None:
        if self.pv.isOpen():
            self.pv.post(value)
        else:
            self.pv.open(value)


class Feed:
    """The pictures of one slot, for all who look."""

    def __init__(self, link: Link, slot: int, queue: ThreadedWorkQueue) -> None:
        self.queue = queue
        self._link, self._slot = link, slot
        self._lock = threading.Lock()
        self._looks: list[Look] = []
        self._following: Subscription | None = None
        self._last: Picture | None = None

    def join(self, look: Look) -> None:
        """Show a client the pictures from now on; called from the queue."""
        with self._lock:
            self._looks.append(look)
            first = len(self._looks) == 1
            if self._last is not None:
                look.show(images.value_of(self._last, look.codec))
        if first:
            self.follow()
        waiting = threading.Timer(PATIENCE, self._say_nothing, (look,))
        waiting.daemon = True
        waiting.start()

    def leave(self, look: Look) -> None:
        """A client has gone; without any, no more pictures are made. Called from the queue."""
        with self._lock:
            if look in self._looks:
                self._looks.remove(look)
            last = not self._looks
        if last:
            self.follow()

    def follow(self) -> None:
        """Look where the pictures are now, if somebody looks; called from the queue."""
        with self._lock:
            following, self._following, self._last = self._following, None, None
            wanted = bool(self._looks)
        if following is not None:
            following.close()
        pictures = self._link.of(self._slot) if wanted else None
        if pictures is not None:
            self._following = pictures.subscribe(self._slot, self._take)

    def close(self) -> None:
        """Disconnect all who look."""
        with self._lock:
            looks, self._looks = self._looks, []
        for look in looks:
            look.pv.close(destroy=True)

    def _take(self, picture: Picture) -> None:
        """Called from the pictures' thread, which asks for the next one when this is done."""
        with self._lock:
            self._last = picture
            codecs = {look.codec for look in self._looks}
            values = {codec: images.value_of(picture, codec) for codec in codecs}
            for look in self._looks:
                look.show(values[look.codec])

    def _say_nothing(self, look: Look) -> None:
        with self._lock:
            if look in self._looks and not look.pv.isOpen():
                look.show(images.nothing(time.time()))


class PictureChannels:
    """The pictures of one engine by name, for that of a camera or pipeline its one; `close` after use."""

    def __init__(self, engine: Engine, prefix: str) -> None:
        self._engine = engine
        heads = {s: names.head(Group.PICTURE, s) for s in engine.catalogue.slots(Group.PICTURE)}
        self._link: Link = PictureLink(engine)
        if watch.ADDRESS in engine.catalogue.parameters:
            heads, self._link = {1: ""}, watch.WatchLink(engine)
        self._queue = ThreadedWorkQueue("repstream pictures", maxsize=0, daemon=True)
        self._subscription: Subscription | None = None
        self._feeds = {slot: Feed(self._link, slot, self._queue) for slot in heads}
        self._named = {
            names.check(f"{prefix}{heads[slot]}{name}"): (feed, codec)
            for slot, feed in self._feeds.items()
            for codec, name in images.NAMES.items()
        }

    @property
    def names(self) -> Iterable[str]:
        """All PVs that there are."""
        return self._named

    def start(self) -> None:
        """PVs can be connected from then on."""
        self._queue.start()
        self._subscription = self._engine.subscribe(self._follow)

    def close(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
            self._queue.stop()
        self._link.close()
        for feed in self._feeds.values():
            feed.close()

    def channel(self, name: str) -> SharedPV:
        """A channel for one client."""
        return Look(*self._named[name]).pv

    def _follow(self, event: Event) -> None:
        """Called from the engine's thread."""
        if isinstance(event, Change):
            for slot, feed in self._feeds.items():
                if key_of(Group.PICTURE, slot, ADDRESS) in event.values:
                    self._queue.push(feed.follow)


class PictureProvider:
    """Gives clients their channels; a handler of p4p's `DynamicProvider`."""

    def __init__(self) -> None:
        self._channels: dict[str, PictureChannels] = {}

    def add(self, channels: PictureChannels) -> None:
        """Have these found from now on."""
        self._channels |= dict.fromkeys(channels.names, channels)

    def remove(self, channels: PictureChannels) -> None:
        """Have these found no more."""
        for name in channels.names:
            del self._channels[name]

    def testChannel(self, name: str) -> Any:
        """Whether there is one of this name; one that is not there may come."""
        return name in self._channels or DynamicProvider.NotYet

    def makeChannel(self, name: str, peer: str) -> SharedPV | None:
        """A channel for one client; None where nothing has this name."""
        channels = self._channels.get(name)
        return None if channels is None else channels.channel(name)
