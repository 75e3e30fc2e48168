"""Where the pictures of an engine come from: the address that its own parameters name."""

from __future__ import annotations

import threading

from repstream.parameters.catalogue import key_of
from repstream.parameters.facts import Value
from repstream.pictures.protocol import Pictures
from repstream.pictures.remote import RemotePictures
from repstream.protocol import Change, Engine, Event, Subscription

GROUP = "pictures"
ADDRESS = "address"
STATE = "state"


class PictureLink:
    """The pictures of one engine, asked for only once somebody looks; `close` after use. Thread-safe.

    An engine that was started again has them elsewhere: whoever looks goes on looking there.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._pictures: RemotePictures | None = None
        self._subscription: Subscription | None = None

    @property
    def slots(self) -> range:
        """The slots that the engine has, counted from 1."""
        numbers = (
            p.slot for p in self._engine.catalogue.parameters.values() if p.key.startswith(f"{GROUP}.")
        )
        return range(1, max(numbers, default=0) + 1)

    def of(self, slot: int) -> Pictures | None:
        """The pictures of a slot; None where the engine does not say where they are."""
        address = _address(self._engine.snapshot().values.get(key_of(GROUP, slot, ADDRESS)))
        if not address:
            return None
        with self._lock:
            if self._pictures is None:
                self._pictures = RemotePictures(address)
                self._subscription = self._engine.subscribe(self._follow)
            self._pictures.move(address)
            return self._pictures

    def may_come(self, slot: int) -> bool:
        """Whether a slot has pictures, or waits for them: neither off nor failed, and the engine answers."""
        state = self._engine.read(key_of(GROUP, slot, STATE)).value
        return state in {"waiting", "live"}

    def close(self) -> None:
        """Ask for nothing more."""
        with self._lock:
            if self._subscription is not None:
                self._subscription.close()
            if self._pictures is not None:
                self._pictures.close()
            self._subscription = self._pictures = None

    def _follow(self, event: Event) -> None:
        """Called from the engine's thread; all slots have their pictures from one process."""
        pictures = self._pictures
        if pictures is not None and isinstance(event, Change):
            address = _address(event.values.get(key_of(GROUP, 1, ADDRESS)))
            if address:
                pictures.move(address)


def _address(value: Value) -> str:
    return str(value or "")
