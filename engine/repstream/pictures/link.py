"""Where the pictures of an engine come from: the address that its own parameters name."""

from __future__ import annotations

import threading

from repstream.parameters.catalogue import key_of
from repstream.pictures.protocol import Pictures
from repstream.pictures.remote import RemotePictures
from repstream.protocol import Engine

GROUP = "pictures"
ADDRESS = "address"
STATE = "state"


class PictureLink:
    """The pictures of one engine, asked for only once somebody looks; `close` after use. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._open: dict[str, RemotePictures] = {}

    @property
    def slots(self) -> range:
        """The slots that the engine has, counted from 1."""
        numbers = (
            p.slot for p in self._engine.catalogue.parameters.values() if p.key.startswith(f"{GROUP}.")
        )
        return range(1, max(numbers, default=0) + 1)

    def of(self, slot: int) -> Pictures | None:
        """The pictures of a slot; None where the engine does not say where they are."""
        address = str(self._engine.snapshot().values.get(key_of(GROUP, slot, ADDRESS)) or "")
        if not address:
            return None
        with self._lock:
            if address not in self._open:
                self._open[address] = RemotePictures(address)
            return self._open[address]

    def may_come(self, slot: int) -> bool:
        """Whether a slot has pictures, or waits for them: neither off nor failed, and the engine answers."""
        state = self._engine.read(key_of(GROUP, slot, STATE)).value
        return state in {"waiting", "live"}

    def close(self) -> None:
        """Ask for nothing more."""
        with self._lock:
            for pictures in self._open.values():
                pictures.close()
            self._open.clear()
