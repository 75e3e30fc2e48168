"""What an instance sends, received while somebody looks at it, as pictures and as numbers.

Who looks is a client of the stream like any other: the instance is not ended meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
from numpy.typing import NDArray

from repstream.errors import RepstreamError
from repstream.instances.description import StreamPlace
from repstream.instances.stream_images import Sent, image_of, messages
from repstream.parameters import curve
from repstream.parameters.catalogue import key_of
from repstream.parameters.instance import STREAM
from repstream.pictures.following import Following, guarded
from repstream.pictures.picture import Picture, View
from repstream.pictures.protocol import Callback
from repstream.pictures.single import picture_of
from repstream.protocol import Engine

LINGER = 5.0
"""Seconds after the last question for which it goes on receiving."""

PATIENCE = 1.0
"""Seconds without a message after which the stream is looked for anew."""

RULE = View(rule="mean")
ADDRESS = key_of(STREAM, 0, "address")
"""Where the stream of an instance can be received, by key; empty while it does not run."""
KEY = key_of(STREAM, 0, curve.KEY)


class Ask(NamedTuple):
    """Somebody who waits for a picture."""

    view: View
    after: int
    callback: Callback


class Watch:
    """The stream that `find` gives the place of (no address where it does not run), as pictures of slot 1.

    Fills `pictures.protocol.Pictures`. Thread-safe; `close` it.
    """

    def __init__(self, name: str, find: Callable[[], StreamPlace]) -> None:
        self._name, self._find = name, find
        self._condition = threading.Condition()
        self._asks: list[Ask] = []
        self._newest: Sent | None = None
        self._number = 0
        self._wanted_until = 0.0
        self._thread: threading.Thread | None = None
        self._answers = ThreadPoolExecutor(1, thread_name_prefix=f"pictures {name}")

    def next(self, slot: int, callback: Callback, view: View | None = None, after: int = 0) -> _Given:
        """Call back once, with the newest image whose number is not `after`, reduced to `view`."""
        ask = Ask(view or RULE, after, callback)
        with self._condition:
            sent, number = self._newest, self._number
            image = None if sent is None or number <= after else image_of(sent)
            if image is None:
                self._asks.append(ask)
            self._want()
        if sent is not None and image is not None:
            self._answer([ask], sent, image, number)
        return _Given(self, ask)

    def subscribe(self, slot: int, callback: Callback, view: View | None = None) -> Following:
        return Following(self, slot, callback, view)

    def latest(self, slot: int, view: View | None = None, timeout: float = 2.0) -> Picture | None:
        return self.picture(view or RULE, timeout)

    def newest(self, timeout: float) -> Sent | None:
        """What was sent last, or is sent within `timeout` seconds; None where nothing is."""
        with self._condition:
            self._want()
            self._condition.wait_for(lambda: self._newest is not None, timeout)
            return self._newest

    def picture(self, view: View, timeout: float) -> Picture | None:
        """The newest image, reduced to `view`; None where none comes within `timeout` seconds."""
        sent = self.newest(timeout)
        image = None if sent is None else image_of(sent)
        return None if sent is None or image is None else self._picture(sent, image, view, 1)

    def close(self) -> None:
        """Receive nothing more."""
        with self._condition:
            self._wanted_until = 0.0
            self._asks.clear()
            thread = self._thread
        if thread is not None:
            thread.join()
        self._answers.shutdown(cancel_futures=True)

    def give_up(self, ask: Ask) -> None:
        """Wait no longer."""
        with self._condition:
            if ask in self._asks:
                self._asks.remove(ask)

    def _want(self) -> None:
        self._wanted_until = time.monotonic() + LINGER
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"watch {self._name}", daemon=True)
            self._thread.start()

    def _is_wanted(self) -> bool:
        with self._condition:
            if self._asks:
                self._wanted_until = max(self._wanted_until, time.monotonic() + PATIENCE)
            if time.monotonic() < self._wanted_until:
                return True
            self._thread = self._newest = None
            return False

    def _run(self) -> None:
        while self._is_wanted():
            try:
                place = self._find()
                if place.address:
                    self._receive(place)
            except RepstreamError:  # it has ended, or is silent
                place = StreamPlace("")
            with self._condition:
                self._newest = None
            if not place.address:
                time.sleep(0.2)

    def _receive(self, place: StreamPlace) -> None:
        stream = messages(place, PATIENCE)
        try:
            for sent in stream:
                self._take(sent)
                if not self._is_wanted():
                    return
        finally:
            stream.close()

    def _take(self, sent: Sent) -> None:
        image = image_of(sent)
        with self._condition:
            self._number += 1
            number, self._newest = self._number, sent
            self._condition.notify_all()
            due = [] if image is None else [ask for ask in self._asks if number != ask.after]
            self._asks = [ask for ask in self._asks if ask not in due]
        if image is not None:
            self._answer(due, sent, image, number)

    def _answer(self, asks: Iterable[Ask], sent: Sent, image: NDArray[Any], number: int) -> None:
        """Call back in a thread of its own: a slow viewer holds up nobody."""

        def call(ask: Ask) -> None:
            guarded(ask.callback, self._picture(sent, image, ask.view, number))

        with suppress(RuntimeError):  # it was closed meanwhile
            for ask in asks:
                self._answers.submit(call, ask)

    def _picture(self, sent: Sent, image: NDArray[Any], view: View, number: int) -> Picture:
        found = picture_of(image, sent.pulse_id, view, sent.time)
        return msgspec.structs.replace(found, slot=1, number=number, received=time.time())


class _Given:
    """Fills `Subscription`."""

    def __init__(self, watch: Watch, ask: Ask) -> None:
        self._watch, self._ask = watch, ask

    def close(self) -> None:
        self._watch.give_up(self._ask)


class WatchLink:
    """Where the pictures of an instance come from; `close` after use."""

    def __init__(self, engine: Engine) -> None:
        def find() -> StreamPlace:
            return StreamPlace(*(str(engine.read(key).value or "") for key in (ADDRESS, KEY)))

        self._watch = Watch("an instance", find)

    def of(self, slot: int) -> Watch:
        """Its pictures, which come while it runs."""
        return self._watch

    def close(self) -> None:
        """Receive nothing more."""
        self._watch.close()
