"""`IocServer`: engines as PVs over Channel Access, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence

from repstream.lifetime import Running
from repstream.protocol import Engine
from repstream_epics import names
from repstream_epics.access import WriteAccess
from repstream_epics.channels import Channel
from repstream_epics.network import Server
from repstream_epics.part import Part, check_new
from repstream_epics.projection import CatalogueView
from repstream_epics.stats import IocStats
from repstream_epics.view import MakeView

PREFIX = "X:REPSTREAM:"
PORT = 5064
INTERFACE = "127.0.0.1"


class IocServer(Running):
    """An IOC: the PVs of one or several engines, which may come and go while it serves.

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
        self._parts: dict[str, Part] = {}
        self._access = access or WriteAccess()
        self._channels: dict[str, Channel] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._server: Server | None = None
        self._stats = IocStats(names.ioc_prefix(prefix), lambda: len(self._channels))
        for name, engine in engines.items():
            self._enter(name, Part(name, engine, self._views))
        self._serve_too(self._stats.channels)

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

    def close(self) -> None:
        """Close all connections and end the thread; harmless when it does not run."""
        if self._thread is None or self._loop is None:
            return
        if self._thread.is_alive() and self._serving is not None:
            self._loop.call_soon_threadsafe(self._serving.cancel)
        self._thread.join()

    def add(self, name: str, engine: Engine) -> None:
        """Show one more engine; clients can connect to its PVs when this returns.

        Raises `ValueError` for names that collide or are too long; nothing has changed then.
        """
        part = Part(name, engine, self._views)
        try:
            self._in_loop(self._show(name, part))
        except ValueError:
            part.close()
            raise

    def remove(self, name: str) -> None:
        """Show an engine no more; clients of its PVs are disconnected, and find them when they return.

        Nothing happens where none of this name is shown.
        """
        self._in_loop(self._hide(name))

    def _in_loop(self, work: Coroutine[None, None, None]) -> None:
        """Have something done by the thread that serves, and wait for it."""
        assert self._loop is not None, "the IOC does not serve yet"
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _show(self, name: str, part: Part) -> None:
        assert self._server is not None
        check_new(self._channels, part.channels)
        await part.open()
        self._enter(name, part)
        self._server.offer(part.channels)

    async def _hide(self, name: str) -> None:
        assert self._server is not None
        part = self._parts.pop(name, None)
        if part is None:
            return
        for each in part.channels:
            del self._channels[each]
        await self._server.withdraw(part.channels)
        part.close()

    def _enter(self, name: str, part: Part) -> None:
        self._serve_too(part.channels)
        self._parts[name] = part

    def _serve_too(self, channels: Mapping[str, Channel]) -> None:
        check_new(self._channels, channels)
        self._channels |= channels
        for channel in channels.values():
            channel.access = self._access

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
        server = self._server = Server(self._channels, self._interface, self._port)

        def ready() -> None:
            self._port = server.ca_server_port
            self._ready.set()

        try:
            for part in self._parts.values():
                await part.open()
            stats = asyncio.create_task(self._stats.run(server))
            try:
                await server.serve(ready)
            finally:
                stats.cancel()
        finally:
            for part in self._parts.values():
                part.close()
