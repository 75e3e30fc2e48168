"""The data plane as a process of its own: started, asked, and noticed when it dies."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Protocol

import msgspec

from repstream import child
from repstream.dataplane import control
from repstream.files.fence import Start
from repstream.parameters.configuration import Configuration
from repstream.service import adopting
from repstream.service.adopting import Child, Process
from repstream.service.start_count import StartCount

log = logging.getLogger(__name__)

END_TIME = 6.0
"""Seconds that a data plane has to end when it is asked to; then it is killed."""


class Plane(Protocol):
    """A data plane. Callbacks come from a thread of its own, one at a time."""

    @property
    def process_id(self) -> int | None:
        """Its process while it lives."""

    @property
    def start(self) -> Start | None:
        """Which start of the engine's data plane the last one was; None where nobody counts."""

    def launch(
        self, on_notice: Callable[[control.Notice], None], on_death: Callable[[str], None], settings: str
    ) -> bool:
        """Start it, or take up the one that lives and runs with `settings` (as in `control.Open`).

        True where it was taken up: `control.Adopted` is its first notice. Does nothing while it lives.
        """

    def send(self, request: control.Request) -> None:
        """Send a request, never waiting; its answer, or the death, comes as a notice."""

    def kill(self) -> None:
        """End it the hard way; `on_death` follows."""

    def close(self) -> None:
        """End it, and wait until it has ended."""


class ProcessPlane:
    """A data plane in a child process (fills `Plane`), which takes configurations of a kind of engine.

    Where `starts` are counted, it goes on for `patience` seconds if this process dies.
    """

    def __init__(
        self, model: type[Configuration], starts: StartCount | None = None, patience: float = 0.0
    ) -> None:
        self._model = model
        self._starts = starts
        self.start: Start | None = None
        self._patience = patience
        self._process: Process | None = None
        self._pipe: Connection | None = None
        self._outgoing: SimpleQueue[control.Request | None] = SimpleQueue()
        self._threads: tuple[threading.Thread, ...] = ()
        self._closing = False

    @property
    def process_id(self) -> int | None:
        process = self._process
        return process.pid if process is not None else None

    def launch(
        self, on_notice: Callable[[control.Notice], None], on_death: Callable[[str], None], settings: str
    ) -> bool:
        if self._process is not None:
            return False
        taken_up = None if self._starts is None else adopting.take_up(self._starts.now, settings)
        process, pipe = taken_up or self._started()
        self.start = None if self._starts is None else self._starts.now
        self._process, self._pipe, self._outgoing = process, pipe, SimpleQueue()
        self._closing = False
        listener = threading.Thread(
            target=self._listen,
            args=(process, pipe, self._outgoing, on_notice, on_death),
            name="data plane listener",
            daemon=True,
        )
        # A pipe whose reader has stopped may hold up who writes: that is a thread of its own.
        sender = threading.Thread(
            target=_send_all, args=(pipe, self._outgoing), name="data plane sender", daemon=True
        )
        self._threads = (sender, listener)
        for thread in self._threads:
            thread.start()
        return taken_up is not None

    def send(self, request: control.Request) -> None:
        self._outgoing.put(request)

    def kill(self) -> None:
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        self._closing = True
        process, pipe, threads = self._process, self._pipe, self._threads
        if process is None or pipe is None:
            return
        # Said before the pipe ends, so that the end is not taken for the death of the service.
        self._outgoing.put(control.Bye(0))
        self._outgoing.put(None)
        sender, listener = threads
        sender.join(1)
        _hang_up(pipe)
        try:
            process.wait(END_TIME)
        except TimeoutError:
            process.kill()
            process.wait()
        listener.join(1)

    def _started(self) -> tuple[Process, Connection]:
        """A new one, with its number, and the pipe to it."""
        options = ["--configuration", self._model.path()]
        if self._starts is not None:
            start = msgspec.json.encode(self._starts.next()).decode()
            options += ["--start", start, "--patience", str(self._patience)]
        process, ours = child.start("repstream.dataplane.process", *options)
        return Child(process), Connection(ours.detach())

    def _listen(
        self,
        process: Process,
        pipe: Connection,
        outgoing: SimpleQueue[control.Request | None],
        on_notice: Callable[[control.Notice], None],
        on_death: Callable[[str], None],
    ) -> None:
        try:
            while True:
                on_notice(control.notices.receive(pipe))
        except (EOFError, OSError):
            pass
        reason = process.wait()
        self._process = self._pipe = None
        outgoing.put(None)
        pipe.close()
        if not self._closing:
            on_death(reason)


def _send_all(pipe: Connection, outgoing: SimpleQueue[control.Request | None]) -> None:
    try:
        while (request := outgoing.get()) is not None:
            control.requests.send(pipe, request)
    except (OSError, ValueError):
        log.debug("the data plane was gone before it was asked")


def _hang_up(pipe: Connection) -> None:
    """End the conversation so that both readers see its end; the descriptor is closed by the listener."""
    try:
        with socket.socket(fileno=pipe.fileno()) as ours:
            try:
                ours.shutdown(socket.SHUT_RDWR)
            finally:
                ours.detach()
    except OSError:
        log.debug("the pipe to the data plane was closed already")
