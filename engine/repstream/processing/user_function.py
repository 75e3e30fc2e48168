"""A function that a user wrote, in a process of its own.

It may fail, hang, take all memory, change its image in place, return rubbish or end its process: the pipeline
gets the reason, with the line of the user's file, and goes on.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from repstream import child
from repstream.errors import FunctionError
from repstream.processing import function_wire as wire
from repstream.processing.camera import View
from repstream.processing.channels import Channels
from repstream.processing.pipeline import Pulse, Timestamp

MODULE = "repstream.processing.function_process"
DECODER = msgspec.msgpack.Decoder(wire.Reply)
FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<where>\S+)')
DUMP_SECONDS, END_SECONDS = 1.0, 1.0


class Limits(NamedTuple):
    """What a function may take: seconds for a call, seconds to load its script, bytes of memory."""

    seconds: float = 5.0
    load_seconds: float = 60.0
    memory: int = 2 << 30


class Made(NamedTuple):
    """Data of a function that makes them by itself, with their pulse."""

    channels: Channels
    pulse_id: int
    timestamp: Timestamp

    def completed(self, number: int) -> Made:
        """With this number for a pulse id and the present time, where it has none."""
        return self._replace(
            pulse_id=self.pulse_id if self.pulse_id >= 0 else number,
            timestamp=self.timestamp if any(self.timestamp) else divmod(time.time_ns(), 10**9),
        )


class UserFunction:
    """The function of the script at `path`; `kind` says which signature it has.

    ========  ============================================================================================
    image     ``process_image(image, pulse_id, timestamp, x_axis, y_axis, parameters, bsdata)``
    stream    ``process(data, pulse_id, timestamp, parameters)``
    custom    ``process(parameters, init)``, which returns (data, timestamp, pulse_id, size)
    camera    a class called as the file, with ``connect``, ``read`` and ``disconnect``
    ========  ============================================================================================

    They return a dictionary of channels, or None to send nothing; `read` returns an image, or image, time and
    pulse id. In `Made` a pulse id below 0 and a time of (0, 0) mean that there was none. The process starts
    with `start`, or the first call, and again after it ended. Modules are found in the script's folder and in
    `folders`. Not for several threads at once.
    """

    def __init__(
        self,
        path: Path,
        kind: wire.Kind = "image",
        limits: Limits | None = None,
        folders: Sequence[Path] = (),
    ) -> None:
        self._path, self._kind, self._folders = Path(path).resolve(), kind, tuple(folders)
        self._limits = limits or Limits()
        self._running: _Running | None = None

    @property
    def process_id(self) -> int | None:
        """Of its process, None where there is none."""
        return None if self._running is None else self._running.process_id

    def start(self) -> None:
        """Start the process and load the script. Raises FunctionError."""
        if self._running is None:
            self._running = _Running(self._path, self._kind, self._limits, self._folders)
            self._expect(self._limits.load_seconds)

    def __call__(self, view: View, pulse: Pulse, parameters: Mapping[str, Any]) -> Channels | None:
        """The channels of a processed image. Raises FunctionError."""
        return self._called(view._asdict(), pulse, parameters).channels

    def stream(self, pulse: Pulse, parameters: Mapping[str, Any]) -> Channels | None:
        """The channels made of those of a message. Raises FunctionError."""
        return self._called({}, pulse, parameters).channels

    def make(self, parameters: Mapping[str, Any], init: bool) -> Made | None:
        """Data that the function makes by itself; `init` is true the first time. Raises FunctionError."""
        found = self._called({}, Pulse(0, (0, 0)), parameters, init)
        return None if found.channels is None else Made(found.channels, found.pulse_id, found.timestamp)

    def reload(self) -> None:
        """Have the script loaded anew for the next call."""
        self.close()

    def close(self) -> None:
        """End the process, if there is one."""
        if self._running is not None:
            self._running.end()
            self._running = None

    def _called(
        self, view: Mapping[str, Any], pulse: Pulse, parameters: Mapping[str, Any], init: bool = False
    ) -> _Answer:
        self.start()
        running = self._running
        assert running is not None
        running.send(view, pulse, parameters, init)
        result = self._expect(self._limits.seconds)
        assert isinstance(result, wire.Result)
        try:
            channels = None if result.channels is None else running.received(result.channels)
        except (ValueError, TypeError) as error:
            self.close()
            raise self._error(f"its process sent what cannot be read: {error}") from None
        return _Answer(channels, result.pulse_id, result.timestamp)

    def _expect(self, seconds: float) -> wire.Reply:
        """The answer, within so many seconds; the process is ended where there is none."""
        running = self._running
        assert running is not None
        try:
            reply = running.answer(seconds)
        except TimeoutError:
            line, where = running.line()
            self.close()
            raise self._error(f"took longer than {seconds:g} s", line, where) from None
        except (EOFError, OSError, msgspec.MsgspecError):
            line, where = running.line_at_end()
            reason = running.end()
            self._running = None
            raise self._error(f"ended its process ({reason})", line, where) from None
        if isinstance(reply, wire.Failed):
            if reply.ended:
                self.close()
            raise self._error(reply.reason, reply.line, reply.where, reply.traceback)
        return reply

    def _error(self, reason: str, line: int = 0, where: str = "", traceback: str = "") -> FunctionError:
        return FunctionError(self._path.name, line, where, reason, traceback)


class _Answer(NamedTuple):
    channels: Channels | None
    pulse_id: int
    timestamp: Timestamp


class _Running:
    """A process that runs a function."""

    def __init__(self, path: Path, kind: wire.Kind, limits: Limits, folders: Sequence[Path]) -> None:
        self._path = path
        self._request, self._reply = wire.Area(), wire.Area()
        self._dump = os.memfd_create("repstream-function-lines")
        options = ["--script", str(path), "--kind", kind, "--memory", str(limits.memory)]
        for folder in folders:
            options += ["--folder", str(folder)]
        try:
            self._process, ours = child.start(MODULE, *options)
        except OSError as error:
            self._close()
            raise FunctionError(path.name, 0, "", f"its process cannot be started: {error}") from error
        with ours:
            descriptors = [self._request.descriptor, self._reply.descriptor, self._dump]
            socket.send_fds(ours, [b"."], descriptors)
            self._pipe = Connection(ours.detach())

    @property
    def process_id(self) -> int:
        """Of the process."""
        return self._process.pid

    def send(self, view: Mapping[str, Any], pulse: Pulse, parameters: Mapping[str, Any], init: bool) -> None:
        """Put the arrays into the shared memory, and call."""
        arrays = {name: value for name, value in parameters.items() if isinstance(value, np.ndarray)}
        packed, at = [], 0
        for values in (view, pulse.data, arrays):
            items, at = wire.pack(values, self._request, at)
            packed.append(items)
        plain = {name: value for name, value in parameters.items() if name not in arrays}
        call = wire.Call(pulse.id, pulse.timestamp, packed[0], packed[1], plain, packed[2], init)
        with suppress(OSError):  # its end is seen when the answer does not come
            self._pipe.send_bytes(msgspec.msgpack.encode(call))

    def answer(self, seconds: float) -> wire.Reply:
        """What the process says. TimeoutError where that takes too long, EOFError where it ended."""
        if not self._pipe.poll(seconds):
            raise TimeoutError
        reply: wire.Reply = DECODER.decode(self._pipe.recv_bytes())
        return reply

    def received(self, items: wire.Items) -> Channels:
        """The channels of an answer, in memory of their own."""
        return wire.unpack(items, self._reply, other=self._request, copy=True)

    def line(self) -> tuple[int, str]:
        """Where the function is now."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGUSR1)
        until = time.monotonic() + DUMP_SECONDS
        while time.monotonic() < until and os.fstat(self._dump).st_size == 0:
            time.sleep(0.01)
        return self.line_at_end()

    def line_at_end(self) -> tuple[int, str]:
        """Where the function was as the process said so last; (0, "") where it did not."""
        text = os.pread(self._dump, 1 << 16, 0).decode(errors="replace")
        for frame in FRAME.finditer(text):
            if frame["file"] == str(self._path):
                return int(frame["line"]), frame["where"]
        return 0, ""

    def end(self) -> str:
        """End it, and say how it ended."""
        self._pipe.close()
        try:
            status = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._close()
        return child.exit_reason(status)

    def _close(self) -> None:
        self._request.close()
        self._reply.close()
        os.close(self._dump)
