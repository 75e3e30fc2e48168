"""One engine of an IOC, and all that shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from repstream.protocol import Engine
from repstream_epics import names
from repstream_epics.channels import Channel
from repstream_epics.publisher import Publisher
from repstream_epics.requests import Requests
from repstream_epics.view import MakeView, View


class Part:
    """The PVs of an engine in some views, each with the prefix that stands beside it.

    Raises `ValueError` for PV names that collide or are too long. From `open` to `close` they follow the
    engine; both belong into the loop of the server.
    """

    def __init__(self, name: str, engine: Engine, views: Iterable[tuple[MakeView, str]]) -> None:
        self._engine, self._catalogue = engine, engine.catalogue
        self._requests = Requests(engine)
        self._views: list[View] = []
        self._publisher: Publisher | None = None
        self.channels: dict[str, Channel] = {}
        try:
            for make, prefix in views:
                self._add(make(self._catalogue, names.prefix_of(prefix, name), self._requests))
        except ValueError:
            self.close()
            raise

    async def open(self) -> None:
        """Show what the engine holds, and go on with all that changes."""
        bindings = [binding for view in self._views for binding in view.bindings]
        self._publisher = Publisher(self._engine, self._catalogue, bindings)
        self._requests.publisher = self._publisher
        await self._publisher.start()

    def close(self) -> None:
        """Let go of the engine."""
        if self._publisher is not None:
            self._publisher.close()
        self._requests.close()
        for view in self._views:
            view.close()

    def _add(self, view: View) -> None:
        self._views.append(view)
        check_new(self.channels, view.channels)
        self.channels |= view.channels


def check_new(present: Mapping[str, Channel], more: Mapping[str, Channel]) -> None:
    """Raises `ValueError` for a PV name that is there already."""
    if twice := present.keys() & more.keys():
        raise ValueError(f"{min(twice)} would be there twice; put {names.ENGINE_MACRO} into the prefix")
