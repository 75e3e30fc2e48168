"""What the tools share: limits, interruption, a live line, exit codes."""

from __future__ import annotations

import argparse
import enum
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import zmq

from repstream.errors import ToolError
from repstream.mflow.addresses import binds
from repstream.mflow.mflow import BIND, CONNECT, PUB, PULL, PUSH, SUB, Stream, connect

POLL = 200
"""A tool notices within this time (ms) that it should end."""

LIVE_PERIOD = 0.5


class Exit(enum.IntEnum):
    """What the exit code says; the same as of `repstream`'s commands."""

    OK = 0
    FAULTS = 1  # something is wrong with what was seen, or could not be done
    USAGE = 2  # an argument is wrong; nothing was done
    NOTHING = 3  # nothing, or less than asked for, came in time


@contextmanager
def until_interrupted() -> Iterator[threading.Event]:
    """An event that is set by Ctrl-C or SIGTERM. Main thread only."""
    stop = threading.Event()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(tool: Callable[[argparse.Namespace, threading.Event], Exit], arguments: argparse.Namespace) -> int:
    """Run a tool until it ends or is interrupted; its exit code."""
    try:
        with until_interrupted() as stop:
            return tool(arguments, stop)
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does; nobody would read a message.
        sys.stdout = None
        return Exit.OK


def add_limits(parser: argparse.ArgumentParser, *, receiving: bool = True) -> None:
    """The options that end a tool by itself, and its live line."""
    parser.add_argument(
        "-n", "--number", type=_whole, default=0, help="End after this number of messages (0: never)"
    )
    parser.add_argument(
        "-t", "--time", type=_seconds, default=0.0, help="End after this time in seconds (0: never)"
    )
    if receiving:
        parser.add_argument(
            "--timeout",
            type=_seconds,
            default=0.0,
            help="End when nothing came for this time in seconds (0: never)",
        )
    parser.add_argument(
        "--live", action="store_true", help="Show totals and rates in one line on standard error"
    )


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no time in seconds")
    return value


class Limits:
    """Says when a tool has done what it was asked to."""

    def __init__(self, arguments: argparse.Namespace, stop: threading.Event) -> None:
        self._stop = stop
        self._number: int = arguments.number
        self._time: float = arguments.time
        self._timeout: float = getattr(arguments, "timeout", 0.0)
        self._begin = self._heard = time.monotonic()
        self._count = 0

    def reached(self, count: int) -> bool:
        """Whether to end, after `count` messages."""
        if self._stop.is_set() or (self._number and count >= self._number):
            return True
        now = time.monotonic()
        if count != self._count:
            self._count, self._heard = count, now
        return bool(
            (self._time and now - self._begin >= self._time)
            or (self._timeout and now - self._heard >= self._timeout)
        )

    def outcome(self, count: int) -> Exit:
        """The exit code after `count` messages: less than asked for, unless the user ended it, is NOTHING."""
        wanted = 0 if self._stop.is_set() else self._number
        return Exit.NOTHING if count == 0 or count < wanted else Exit.OK


class LiveLine:
    """Messages and bytes so far and a second, in one line on standard error that is written over."""

    def __init__(self, enabled: bool, what: str) -> None:
        self._enabled = enabled
        self._what = what
        self._time = time.monotonic()
        self._last = (0, 0)

    def tick(self, messages: int, nbytes: int, more: str = "") -> None:
        """Show the line if it is due."""
        if not self._enabled:
            return
        elapsed = time.monotonic() - self._time
        if elapsed >= LIVE_PERIOD:
            rate, data_rate = (messages - self._last[0]) / elapsed, (nbytes - self._last[1]) / elapsed / 1e6
            self._time, self._last = self._time + elapsed, (messages, nbytes)
            text = f"{self._what} {messages} messages, {rate:.1f} Hz, {data_rate:.1f} MB/s"
            print(f"\r\x1b[K{text}{more}", end="", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Leave the line."""
        if self._enabled:
            print(file=sys.stderr)


def open_source(address: str, mode: str, queue_size: int = 100) -> Stream:
    """A stream to receive from; ``*`` for the host binds."""
    kind = BIND if binds(address) else CONNECT
    with _failing():
        return connect(address, kind, SUB if mode == "sub" else PULL, queue_size, receive_timeout=POLL)


def open_sink(address: str, mode: str, linger: int) -> Stream:
    """A bound stream to send buffers to that do not change; `linger` in ms."""
    with _failing():
        return connect(
            address, BIND, PUB if mode == "pub" else PUSH, linger=linger, copy=False, send_timeout=POLL
        )


def send_message(stream: Stream, parts: Sequence[Any]) -> bool:
    """Send a whole message; False where nobody takes it for a while."""
    try:
        stream.send(parts[0], send_more=len(parts) > 1)
    except zmq.Again:
        return False
    for number, part in enumerate(parts[1:], 2):
        stream.send(part, send_more=number < len(parts))
    return True


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise ToolError(str(error)) from error
