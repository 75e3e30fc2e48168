"""Instances as processes of this machine, forked from one that is kept ready."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle

import msgspec

from repstream import child
from repstream.errors import ChildError
from repstream.pipelines import control
from repstream.pipelines.control import Notice, Request, Specification
from repstream.pipelines.forking import Forked, Gone, Warm

log = logging.getLogger(__name__)

FORK_TIME = 20.0
"""Seconds that the process which is forked from has at most, its own start included."""

IMPROVE_AFTER = 10.0
"""Seconds until numba is loaded: a server that starts has other things to do."""

EXIT_TIME = 5.0
"""Seconds from the end of an instance's pipe until its exit code is known."""


class LocalRunning:
    """A process here; fills `Running`."""

    def __init__(
        self,
        process_id: int,
        pipe: Connection,
        on_notice: Callable[[Notice], None],
        on_end: Callable[[int | None], None],
    ) -> None:
        self.process_id = process_id
        self._pipe = pipe
        self._sending = threading.Lock()
        self._gone = threading.Event()
        self._exit_code: int | None = None
        self._on_notice, self._on_end = on_notice, on_end
        self._ended = threading.Event()

    def listen(self) -> None:
        """Begin to hear it."""
        threading.Thread(target=self._listen, name=f"instance {self.process_id}", daemon=True).start()

    def send(self, request: Request) -> None:
        with self._sending, suppress(OSError, ValueError):
            control.requests.send(self._pipe, request)

    def stop(self, patience: float) -> None:
        if not self._ended.wait(patience):
            with suppress(ProcessLookupError):
                os.kill(self.process_id, signal.SIGKILL)
            self._ended.wait(EXIT_TIME)

    def gone(self, exit_code: int | None) -> None:
        """It has ended, says who forked it."""
        self._exit_code = exit_code
        self._gone.set()

    def _listen(self) -> None:
        with suppress(EOFError, OSError, msgspec.DecodeError):
            while True:
                self._on_notice(control.notices.receive(self._pipe))
        self._gone.wait(EXIT_TIME)
        with self._sending:
            self._pipe.close()
        self._ended.set()
        self._on_end(self._exit_code)


class LocalLauncher:
    """Fills `Launcher`. The process that is forked from is started at once, and anew if it dies.

    Where numba is installed another one takes its place after a while that has loaded it, which takes too
    long to begin with. `host` is the name or address of this machine for clients; left out, its name.
    """

    def __init__(self, host: str = "") -> None:
        self.host = host or socket.gethostname()
        self._lock = threading.Lock()
        self._zygote: _ZygoteLink | None = None
        self._replaced: list[_ZygoteLink] = []
        self._closing = threading.Event()
        self._link()
        if importlib.util.find_spec("numba") is not None:
            threading.Thread(target=self._improve, name="compiled zygote", daemon=True).start()

    def launch(
        self,
        specification: Specification,
        on_notice: Callable[[Notice], None],
        on_end: Callable[[int | None], None],
    ) -> LocalRunning:
        running = self._link().fork(specification, on_notice, on_end)
        running.listen()
        return running

    def wait_until_warm(self, timeout: float) -> bool:
        """Wait until instances start in milliseconds, at most `timeout` seconds; whether they do."""
        link = self._link()
        return link.warm.wait(timeout) and link.alive

    def close(self) -> None:
        with self._lock:
            self._closing.set()
            zygotes = [*self._replaced, *([self._zygote] if self._zygote is not None else [])]
            self._replaced, self._zygote = [], None
        for zygote in zygotes:
            zygote.close()

    def _link(self) -> _ZygoteLink:
        with self._lock:
            if self._closing.is_set():
                raise ChildError("no instance is started any more: the server is being stopped")
            if self._zygote is None or not self._zygote.alive:
                self._zygote = _ZygoteLink()
            return self._zygote

    def _improve(self) -> None:
        """Fork from a process with compiled code, as soon as there is one."""
        if self._closing.wait(IMPROVE_AFTER):
            return
        better = _ZygoteLink("--compiled")
        while not (warm := better.warm.wait(0.2)) and not self._closing.is_set():
            pass
        with self._lock:
            if warm and better.alive and not self._closing.is_set():
                if self._zygote is not None:
                    self._replaced.append(self._zygote)  # its instances end with their own pipes
                self._zygote = better
                return
        better.close()


class _ZygoteLink:
    """The process that is forked from, and the thread that hears it."""

    def __init__(self, *options: str) -> None:
        self._process, ours = child.start("repstream.pipelines.zygote", *options)
        self._pipe = Connection(ours.detach())
        self._asking = threading.Lock()
        self._forked: threading.Event = threading.Event()
        self.warm = threading.Event()
        self._process_id = 0
        self._running: dict[int, LocalRunning] = {}
        self._early: dict[int, int] = {}
        self._book = threading.Lock()
        self.alive = True
        threading.Thread(target=self._listen, name="zygote", daemon=True).start()

    def fork(
        self,
        specification: Specification,
        on_notice: Callable[[Notice], None],
        on_end: Callable[[int | None], None],
    ) -> LocalRunning:
        ours, theirs = socket.socketpair()
        with self._asking, theirs:
            self._forked.clear()
            try:
                control.specifications.send(self._pipe, specification)
                send_handle(self._pipe, theirs.fileno(), None)
            except OSError as error:
                ours.close()
                raise ChildError(f"no process can be started: {error}") from error
            if not self._forked.wait(FORK_TIME) or not self.alive:
                ours.close()
                raise ChildError("the process that starts instances does not answer")
            process_id = self._process_id
        running = LocalRunning(process_id, Connection(ours.detach()), on_notice, on_end)
        with self._book:
            if process_id in self._early:
                running.gone(self._early.pop(process_id))
            else:
                self._running[process_id] = running
        return running

    def close(self) -> None:
        """End it; it has no instances any more."""
        with suppress(OSError), socket.socket(fileno=os.dup(self._pipe.fileno())) as ours:
            ours.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(EXIT_TIME)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                match msgspec.msgpack.decode(self._pipe.recv_bytes(), type=Warm | Forked | Gone):
                    case Warm():
                        self.warm.set()
                    case Forked(process_id):
                        self._process_id = process_id
                        self._forked.set()
                    case Gone() as gone:
                        self._bury(gone)
        self.alive = False
        self.warm.set()
        self._forked.set()
        self._process.wait()
        with self._book:
            left, self._running = list(self._running.values()), {}
        for running in left:
            running.gone(None)

    def _bury(self, gone: Gone) -> None:
        with self._book:
            running = self._running.pop(gone.process_id, None)
            if running is None:
                self._early[gone.process_id] = gone.exit_code
        if running is not None:
            running.gone(gone.exit_code)
