"""Holds one engine on this host: ``python -m repstream.cluster.holder NAME PATIENCE COMMAND …``

It is nobody's child and outlives who launched it. The engine goes on while somebody is connected
to the holder, and for PATIENCE seconds after the last has gone: the next one on this host takes it up.
Then it is ended in good order, with its files closed.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

import msgspec

from repstream.dataplane.line import peer_of
from repstream.errors import ChildError
from repstream.logs import log_to_stderr

log = logging.getLogger(__name__)

START_TIME = 20.0
"""Seconds that who started a holder has to come."""

END_TIME = 20.0
"""Seconds that an engine has to end by itself."""

STOP = b"stop"


class Held(msgspec.Struct, frozen=True):
    """What the holder says to who connects: its process, and since when (Unix seconds) the engine runs."""

    process_id: int
    since: float


def reach(name: str, patience: float, command: Sequence[str]) -> tuple[socket.socket, Held]:
    """Connect to the holder of an engine on this host; where there is none, one starts with `command`.

    The connection ends when the engine has; `STOP` through it ends that. Raises `ChildError`.
    """
    line = [sys.executable, "-m", "repstream.cluster.holder", name, str(patience), *command]
    is_started = False
    while True:
        if (connection := _connected(name)) is not None:
            if (held := _greeting(connection)) is not None:
                return connection, held
            connection.close()  # it has ended meanwhile
        elif is_started:
            raise ChildError(f"engine {name} cannot be held on this host; the log has the reason")
        else:
            is_started = True
            subprocess.run(line, stdin=subprocess.DEVNULL, check=False)


def _place(name: str) -> str:
    return f"\0repstream-engine/{name}"


def _connected(name: str) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(_place(name))
    except OSError:
        connection.close()
        return None
    if peer_of(connection)[1] != os.geteuid():
        connection.close()
        raise ChildError(f"another user holds an engine of the name {name} on this host")
    return connection


def _greeting(connection: socket.socket) -> Held | None:
    """What the holder says first; None from one that was ending."""
    try:
        said = connection.recv(4096)
    except OSError:
        return None
    return msgspec.json.decode(said, type=Held) if said else None


class Holder:
    """Waits for who asks for the engine, and for its end."""

    def __init__(self, name: str, patience: float, command: Sequence[str]) -> None:
        self._name, self._patience = name, patience
        self._place = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._place.bind(_place(name))
        self._place.listen()
        self._askers: dict[int, socket.socket] = {}
        self._engine = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._held = Held(os.getpid(), time.time())
        self._until = time.monotonic() + max(patience, START_TIME)  # who has started it comes first
        self._events = select.poll()
        self._ended = os.pidfd_open(self._engine.pid)
        for descriptor in (self._place.fileno(), self._ended):
            self._events.register(descriptor, select.POLLIN)

    def run(self) -> int:
        """Until the engine has ended; its exit code."""
        signal.signal(signal.SIGTERM, lambda *_: self._engine.terminate())
        while self._engine.poll() is None:
            ready = [descriptor for descriptor, _ in self._events.poll(self._wait)]
            if self._place.fileno() in ready:
                self._let_in()
            for descriptor in ready:
                if descriptor in self._askers:
                    self._hear(descriptor)
            if not self._askers and time.monotonic() >= self._until:
                log.warning("engine %s is ended: nobody asked for it for %.0f s", self._name, self._patience)
                self._end()
        return self._engine.returncode

    @property
    def _wait(self) -> float | None:
        """Milliseconds until something is to be done."""
        return None if self._askers else max(0.0, self._until - time.monotonic()) * 1000 + 1

    def _let_in(self) -> None:
        asker, _ = self._place.accept()
        if peer_of(asker)[1] != os.geteuid():
            asker.close()
            return
        asker.send(msgspec.json.encode(self._held))
        self._askers[asker.fileno()] = asker
        self._events.register(asker.fileno(), select.POLLIN)

    def _hear(self, descriptor: int) -> None:
        try:
            said = self._askers[descriptor].recv(64)
        except OSError:
            said = b""
        if said == STOP:
            self._end()
        if not said:
            self._events.unregister(descriptor)
            self._askers.pop(descriptor).close()
            self._until = time.monotonic() + self._patience

    def _end(self) -> None:
        self._engine.terminate()
        try:
            self._engine.wait(END_TIME)
        except subprocess.TimeoutExpired:
            self._engine.kill()
            self._engine.wait()


def main() -> None:
    """Begin to hold an engine, in a process that is nobody's child.

    A worker of Ray that ends kills its children. Returns when the engine can be asked for.
    """
    log_to_stderr()
    name, patience, *command = sys.argv[1:]
    begun, begins = os.pipe()
    if os.fork():
        os.close(begins)
        sys.exit(0 if os.read(begun, 1) else 1)
    os.setsid()
    os.close(begun)
    holder = Holder(name, float(patience), command)
    os.write(begins, b"1")
    os.close(begins)
    sys.exit(holder.run())


if __name__ == "__main__":
    main()
