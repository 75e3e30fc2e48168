"""The data plane as a process of its own: started, asked, and noticed when it dies."""

from __future__ import annotations

import itertools
import logging
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from multiprocessing.connection import Connection
from typing import Protocol

from repstream.dataplane import control
from repstream.errors import RepstreamError

log = logging.getLogger(__name__)

ANSWER_TIME = 5.0
"""Seconds within which a data plane answers a request; one that does not is taken for dead."""


class PlaneRefused(RepstreamError):
    """The data plane could not do what it was asked, with its reason."""


class PlaneDead(RepstreamError):
    """The data plane is not there."""


class Plane(Protocol):
    """A data plane. Callbacks come from a thread of its own, one at a time."""

    @property
    def process_id(self) -> int | None:
        """Its process while it lives."""

    def launch(self, on_notice: Callable[[control.Notice], None], on_death: Callable[[str], None]) -> None:
        """Start it; does nothing while it lives."""

    def request(self, build: Callable[[int], control.Request]) -> None:
        """Ask and wait for the answer; raises `PlaneRefused` or `PlaneDead`."""

    def close(self) -> None:
        """End it, and wait until it has ended."""


class ProcessPlane:
    """A data plane in a child process (fills `Plane`)."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._answers: dict[int, Future[str]] = {}
        self._numbers = itertools.count(1)
        self._sending = threading.Lock()
        self._closing = False

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def launch(self, on_notice: Callable[[control.Notice], None], on_death: Callable[[str], None]) -> None:
        if self._process is not None:
            return
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "repstream.dataplane.process", "--fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._pipe = Connection(ours.detach())
        self._closing = False
        threading.Thread(
            target=self._listen,
            args=(self._process, self._pipe, on_notice, on_death),
            name="data plane listener",
            daemon=True,
        ).start()

    def request(self, build: Callable[[int], control.Request]) -> None:
        pipe = self._pipe
        if pipe is None:
            raise PlaneDead("the data plane is not running; initialize starts it again")
        number = next(self._numbers)
        answer: Future[str] = Future()
        self._answers[number] = answer
        try:
            with self._sending:
                control.send(pipe, build(number))
            reason = answer.result(ANSWER_TIME)
        except (OSError, FutureTimeout) as error:
            self.kill()
            raise PlaneDead(f"the data plane does not answer ({type(error).__name__})") from error
        finally:
            self._answers.pop(number, None)
        if reason:
            raise PlaneRefused(reason)

    def kill(self) -> None:
        """End it the hard way; `on_death` follows."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        self._closing = True
        process, pipe = self._process, self._pipe
        if pipe is not None:
            self._take_leave(pipe)
            _hang_up(pipe)
        if process is not None:
            try:
                process.wait(6)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _take_leave(self, pipe: Connection) -> None:
        """Say that the end is meant, so that it is not taken for the death of the service."""
        try:
            with self._sending:
                control.send(pipe, control.Bye(next(self._numbers)))
        except OSError:
            log.debug("the data plane was gone before the farewell")

    def _listen(
        self,
        process: subprocess.Popen[bytes],
        pipe: Connection,
        on_notice: Callable[[control.Notice], None],
        on_death: Callable[[str], None],
    ) -> None:
        try:
            while True:
                notice = control.receive_notice(pipe)
                if isinstance(notice, control.Answer):
                    if (answer := self._answers.get(notice.request)) is not None:
                        answer.set_result(notice.reason)
                else:
                    on_notice(notice)
        except (EOFError, OSError):
            pass
        status = process.wait()
        self._process = self._pipe = None
        for answer in list(self._answers.values()):
            if not answer.done():
                answer.set_result(f"the data plane ended ({_exit_reason(status)})")
        pipe.close()
        if not self._closing:
            on_death(_exit_reason(status))


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


def _exit_reason(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"
