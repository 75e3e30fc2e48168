"""`IocServer`: engines as PVs over Channel Access, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from repstream.parameters.catalogue import Catalogue
from repstream.protocol import Engine
from repstream_epics import names
from repstream_epics.access import WriteAccess
from repstream_epics.channels import Channel
from repstream_epics.network import Server
from repstream_epics.projection import CatalogueView
from repstream_epics.publisher import Publisher
from repstream_epics.requests import Requests
from repstream_epics.stats import IocStats
from repstream_epics.view import MakeView, View

PREFIX = "X:REPSTREAM:"
PORT = 5064
INTERFACE = "127.0.0.1"


class _Part(NamedTuple):
    """One engine, and all that shows it."""

    engine: Engine
    catalogue: Catalogue
    requests: Requests
    views: list[View]


class IocServer:
    """An IOC: the PVs of one or several engines.

    `engines` by name; `prefix` begins every PV name, and ``$(ENGINE)`` in it stands for the engine's name
    (needed with several). `views` are the shapes in which each engine is shown; one with a prefix of its own
    stands in a pair with it. `port` is that of searches
    and connections, 0 takes a free one; `access` says who may write. Raises `ValueError` for PV names that
    collide or are too long.
    """

    def __init__(
        self,
        engines: Mapping[str, Engine],
        prefix: str = PREFIX,
        port: int = PORT,
        interface: str = INTERFACE,
        views: Sequence[MakeView | tuple[MakeView, str]] = (CatalogueView,),
        *,
        access: WriteAccess | None = None,
    ) -> None:
        self._interface = interface
        self._views = [view if isinstance(view, tuple) else (view, prefix) for view in views]
        self._port = port
        self._parts: list[_Part] = []
        self._channels: dict[str, Channel] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        for name, engine in engines.items():
            self._add(engine, name)
        self._stats = IocStats(names.ioc_prefix(prefix), len(self._channels))
        self._serve_too(self._stats.channels)
        for channel in self._channels.values():
            channel.access = access or WriteAccess()

    @property
    def port(self) -> int:
        """Port of searches; after `start` never 0."""
        return self._port

    @property
    def channels(self) -> Mapping[str, Channel]:
        """What is served, by full PV name."""
        return self._channels

    def start(self) -> None:
        """Serve; returns when clients can connect and every value is there.

        Raises `OSError` for a port in use.
        """
        self._thread = threading.Thread(target=self._run, name="repstream ioc loop", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """Close all connections and end the thread; harmless when it does not run."""
        if self._thread is None or self._loop is None:
            return
        if self._thread.is_alive() and self._serving is not None:
            self._loop.call_soon_threadsafe(self._serving.cancel)
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _add(self, engine: Engine, name: str) -> None:
        requests, catalogue = Requests(engine), engine.catalogue
        views: list[View] = []
        for make, prefix in self._views:
            view = make(catalogue, names.prefix_of(prefix, name), requests)
            self._serve_too(view.channels)
            views.append(view)
        self._parts.append(_Part(engine, catalogue, requests, views))

    def _serve_too(self, channels: Mapping[str, Channel]) -> None:
        if twice := self._channels.keys() & channels.keys():
            raise ValueError(f"{min(twice)} would be there twice; put {names.ENGINE_MACRO} into the prefix")
        self._channels |= channels

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._serving = asyncio.current_task()
        server = Server(self._channels, self._interface, self._port)
        publishers: list[Publisher] = []

        def ready() -> None:
            self._port = server.ca_server_port
            self._ready.set()

        try:
            for part in self._parts:
                bindings = [binding for view in part.views for binding in view.bindings]
                publisher = part.requests.publisher = Publisher(part.engine, part.catalogue, bindings)
                publishers.append(publisher)
                await publisher.start()
            stats = asyncio.create_task(self._stats.run(server))
            try:
                await server.serve(ready)
            finally:
                stats.cancel()
        finally:
            for publisher in publishers:
                publisher.close()
            for part in self._parts:
                part.requests.close()
                for view in part.views:
                    view.close()
