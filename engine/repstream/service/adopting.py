"""Taking up a data plane whose service has died, in the middle of what it does."""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Protocol

from repstream import child
from repstream.dataplane import control
from repstream.dataplane.line import meeting_place, peer_of
from repstream.files.fence import Start

log = logging.getLogger(__name__)

ANSWER_TIME = 10.0
"""Seconds that a data plane which lives has to answer; one that stands still is killed."""

END_TIME = 6.0
"""Seconds that it has to close its files where it cannot be taken up."""


class Process(Protocol):
    """The process of a data plane."""

    @property
    def pid(self) -> int: ...

    def kill(self) -> None:
        """End it the hard way."""

    def wait(self, timeout: float | None = None) -> str:
        """How it ended, when it has; raises `TimeoutError`."""


class Child:
    """A process that this one has started (fills `Process`)."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float | None = None) -> str:
        try:
            return child.exit_reason(self._process.wait(timeout))
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error


class Adopted:
    """A process that another one has started (fills `Process`); `ProcessLookupError` where it is gone."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd = os.pidfd_open(pid)

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            os.close(self._fd)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._fd, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> str:
        ended = select.poll()
        ended.register(self._fd, select.POLLIN)
        if not ended.poll(None if timeout is None else timeout * 1000):
            raise TimeoutError
        return "ended, nobody knows how: the service that started it had died before"


def take_up(start: Start, configuration: str) -> tuple[Process, Connection] | None:
    """The data plane of this `start` and the pipe to it, where it lives and runs with `configuration`.

    Its `control.Adopted` comes through the pipe first. One that lives and cannot be taken up has ended,
    with its files closed if it answers, when this returns None.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(meeting_place(start))
        pid, user = peer_of(connection)
        if user != os.geteuid():
            raise ProcessLookupError
        process = Adopted(pid)
    except OSError:
        connection.close()
        return None
    pipe = Connection(connection.detach())
    reason = _ask(pipe, control.Adopt(0, start, configuration))
    if not reason:
        log.warning("the earlier data plane goes on as process %d", pid)
        return process, pipe
    log.warning("the earlier data plane, process %d, is ended: it %s", pid, reason)
    _end(process, pipe)
    return None


def _ask(pipe: Connection, request: control.Adopt) -> str:
    """Why it cannot be taken up; empty where it can."""
    try:
        control.requests.send(pipe, request)
        if not pipe.poll(ANSWER_TIME):
            return "does not answer"
        answer = control.notices.receive(pipe)
    except (OSError, EOFError):
        return "is ending"
    return answer.reason if isinstance(answer, control.Answer) else "speaks another version of the protocol"


def _end(process: Process, pipe: Connection) -> None:
    with pipe, suppress(OSError, TimeoutError):
        control.requests.send(pipe, control.Bye(0))
        process.wait(END_TIME)
    process.kill()
    process.wait()
