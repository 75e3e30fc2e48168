"""The process of a user's function: loads a script, and calls its function until the pipeline has gone.

Started by `UserFunction` as ``python -m repstream.processing.function_process --fd N``; N is an inherited
descriptor, one end of a socket pair, by which the memory comes, too.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib.util
import inspect
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np

from repstream.processing import function_wire as wire
from repstream.processing.original_names import offer

NAMES: dict[str, tuple[str, ...]] = {
    "image": ("process_image", "process"),
    "stream": ("process", "process_image"),
    "custom": ("process", "process_image"),
    "camera": (),
}
"""Names of the function in the script, by what it is for; a camera is a class that is called as its file."""

FAREWELL = 0.8
"""Seconds that a camera has to disconnect."""

NO_PULSE = -1
"""The pulse id of an image that has none."""

SPARE = 64 << 20
"""Bytes beyond the limit with which the process says that the limit was reached."""

DECODER = msgspec.msgpack.Decoder(wire.Call)


class Script:
    """A loaded script and its function."""

    def __init__(self, path: Path, kind: wire.Kind) -> None:
        self._kind = kind
        module = _loaded(path)
        names = NAMES[kind] or (path.stem,)
        name = next((each for each in names if hasattr(module, each)), names[0])
        function = getattr(module, name, None)
        if not callable(function):
            raise LookupError(f"there is no {'class' if kind == 'camera' else 'function'} {name}")
        self._camera: Any = None
        self._function: Callable[..., Any] = function
        self._name = name
        self._takes_data = _parameters(function) >= 7

    def call(self, call: wire.Call, view: Mapping[str, Any], data: dict[str, Any], parameters: Any) -> Any:
        """What the function returns, called as its kind is."""
        match self._kind:
            case "image":
                axes = view["x_axis"], view["y_axis"]
                given = [view["image"], call.pulse_id, call.timestamp, *axes, parameters]
                return self._function(*given, *([data] if self._takes_data else []))
            case "stream":
                return self._function(data, call.pulse_id, call.timestamp, parameters)
            case "camera":
                if self._camera is None:
                    camera = self._function(*[parameters][: _parameters(self._function)])
                    camera.connect()
                    self._camera = camera
                return self._camera.read()
            case _:
                return self._function(parameters, call.init)

    def result(self, returned: Any, reply: wire.Area, request: wire.Area) -> wire.Result:
        """What was returned, packed; raises TypeError for what cannot be sent."""
        pulse_id, timestamp = 0, (0, 0)
        if self._kind == "custom" and returned is not None:
            returned, timestamp, pulse_id = _made(returned, self._name)
        if self._kind == "camera":
            returned, timestamp, pulse_id = _seen(returned)
        if returned is None:
            return wire.Result(None, pulse_id, timestamp)
        if not isinstance(returned, Mapping):
            raise TypeError(
                f"{self._name} returned a {type(returned).__name__}; channels are a dictionary, or None"
            )
        items, _ = wire.pack(returned, reply, other=request)
        return wire.Result(items, pulse_id, timestamp)

    def close(self) -> None:
        """Let go of the camera."""
        if self._camera is not None:
            self._camera.disconnect()


class Process:
    """Answers calls."""

    def __init__(
        self, pipe: Connection, request: wire.Area, reply: wire.Area, path: Path, memory: Memory
    ) -> None:
        self._pipe, self._request, self._reply, self._path = pipe, request, reply, path
        self._memory = memory

    def run(self, kind: wire.Kind) -> None:
        """Load the script, then serve until the pipeline has gone, or a call needed too much memory."""
        try:
            script = Script(self._path, kind)
        except BaseException as error:
            return self._say(self._failed(error, ended=True))
        self._say(wire.Ready())
        while True:
            try:
                call = DECODER.decode(self._pipe.recv_bytes())
            except (EOFError, OSError):
                return script.close()
            reply = self._answer(script, call)
            self._say(reply)
            if isinstance(reply, wire.Failed) and reply.ended:
                return script.close()

    def _answer(self, script: Script, call: wire.Call) -> wire.Reply:
        view, data, arrays = (
            wire.unpack(items, self._request) for items in (call.view, call.data, call.arrays)
        )
        try:
            returned = script.call(call, view, data, {**call.parameters, **arrays})
            return script.result(returned, self._reply, self._request)
        except BaseException as error:
            return self._failed(error)

    def _failed(self, error: BaseException, ended: bool = False) -> wire.Failed:
        """Why, with the last line of the user's file on the way there. Without memory nothing goes on."""
        if short := isinstance(error, MemoryError):
            self._memory.use_spare()
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(self._path)]
        line, where = (frames[-1].lineno or 0, frames[-1].name) if frames else (0, "")
        if isinstance(error, SyntaxError) and error.filename == str(self._path):
            line = error.lineno or 0
        kind, text = type(error).__name__, str(error)
        if short:
            kind = "MemoryError"
            text = f"{text or 'there is no more'}; a function may take {self._memory.allowed >> 20} MiB"
        plain = isinstance(error, (TypeError, LookupError)) and not frames
        reason = text if plain else f"{kind}: {text}" if text else kind
        return wire.Failed(reason, line, where, "".join(traceback.format_exception(error)), ended or short)

    def _say(self, reply: wire.Reply) -> None:
        with suppress(OSError):
            self._pipe.send_bytes(msgspec.msgpack.encode(reply))


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise LookupError(f"{path.name} is no Python script")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _parameters(function: Callable[..., Any]) -> int:
    found = inspect.signature(function).parameters.values()
    if any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in found):
        return sys.maxsize
    return sum(one.kind is not inspect.Parameter.KEYWORD_ONLY for one in found)


def _made(returned: Any, name: str) -> tuple[Any, tuple[int, int], int]:
    """What a function that makes its data returned: data, time, pulse id (and a size that nobody needs).

    Time and pulse id may be None: (0, 0) and `NO_PULSE` then.
    """
    try:
        data, timestamp, pulse_id, *_ = returned
        is_number = isinstance(timestamp, (int, float, np.number))
        pair = divmod(round(float(timestamp) * 10**9), 10**9) if is_number else timestamp or (0, 0)
        seconds, nanoseconds = (int(number) for number in pair)
        return data, (seconds, nanoseconds), NO_PULSE if pulse_id is None else int(pulse_id)
    except (TypeError, ValueError):
        raise TypeError(f"{name} returned {returned!r:.80}, not (data, timestamp, pulse_id, size)") from None


def _seen(returned: Any) -> tuple[Any, tuple[int, int], int]:
    """What a camera has read: an image, or image, time (s, or s and ns) and pulse id."""
    image, when, pulse_id = returned if isinstance(returned, tuple) else (returned, None, None)
    if image is None:
        return None, (0, 0), NO_PULSE
    return _made(({"image": np.asarray(image)}, when, pulse_id, None), "read")


class Memory:
    """Limits the data of this process to `allowed` bytes more than it has now."""

    def __init__(self, allowed: int) -> None:
        self.allowed = allowed
        pages = int(Path("/proc/self/statm").read_text().split()[5])
        limit = pages * resource.getpagesize() + allowed
        # Made now: where memory is short there may be none for a tuple.
        self._all = (limit + SPARE, limit + SPARE)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit + SPARE))

    def use_spare(self) -> None:
        """Allow what is needed to say that the limit was reached."""
        resource.setrlimit(resource.RLIMIT_DATA, self._all)


def end_with(descriptor: int, patience: float = 0.0) -> None:
    """End this process when the other end of a socket closes, even while the function is busy.

    `patience`: seconds that it has to end by itself.
    """

    def watch() -> None:
        poll = select.poll()
        poll.register(descriptor, select.POLLRDHUP)
        poll.poll()
        time.sleep(patience)
        os._exit(1)

    threading.Thread(target=watch, name="watch", daemon=True).start()


def main() -> None:
    """Be the process."""
    parser = argparse.ArgumentParser(description="Runs a user's function; started by a pipeline.")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--kind", required=True, choices=NAMES)
    parser.add_argument("--memory", type=int, required=True)
    parser.add_argument("--folder", action="append", default=[])
    options = parser.parse_args()
    with suppress(OSError):
        Path("/proc/self/comm").write_text("repstream-func")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(options.fd)) as link:
        _, (request, reply, dump), _, _ = socket.recv_fds(link, 1, 3)
    # Tells the line of a function that hangs, or ends with the process, wherever it is in compiled code.
    faulthandler.enable(dump, all_threads=False)
    faulthandler.register(signal.SIGUSR1, dump, all_threads=False)
    sys.path[:0] = [str(options.script.parent), *options.folder]
    offer()
    end_with(options.fd, FAREWELL if options.kind == "camera" else 0.0)
    memory = Memory(options.memory)
    pipe, areas = Connection(options.fd), (wire.Area(request), wire.Area(reply, memory.allowed))
    Process(pipe, *areas, options.script, memory).run(options.kind)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
