"""Real Channel Access clients, each in a process of its own: pyepics, and the tools of EPICS base."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from queue import Queue
from typing import Any, Self

from tests.ports import free_port as free_port

# Held for the whole run: while its port is taken, libca starts no repeater, which would outlive the test.
REPEATER = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
REPEATER.bind(("127.0.0.1", 0))

WORKER = Path(__file__).with_name("pyepics_worker.py")
TOOLS = Path(sys.executable).parent


def environment(port: int) -> dict[str, str]:
    """Of a client that finds servers on this host's `port` only, and sends no broadcast."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("EPICS_")},
        "EPICS_CA_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_SERVER_PORT": str(port),
        "EPICS_CA_REPEATER_PORT": str(REPEATER.getsockname()[1]),
        "EPICS_CA_MAX_SEARCH_PERIOD": "60",
    }


def tool(port: int, name: str, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run caget, caput or cainfo to its end."""
    command = [str(TOOLS / name), *arguments]
    return subprocess.run(
        command, env=environment(port), capture_output=True, text=True, timeout=timeout, check=False
    )


@contextmanager
def running_tool(
    environment: dict[str, str], name: str, *arguments: str, stdout: Any = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[str]]:
    """A tool of EPICS base while inside; it is a script that starts the program, and both are ended."""
    with subprocess.Popen(
        [str(TOOLS / name), *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=stdout,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class Pyepics:
    """The worker process and requests to it."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            env=environment(port),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._answers: dict[int, Queue[dict[str, Any]]] = {}
        self._watched: dict[str, list[Queue[Any]]] = {}
        self._numbers = count(1)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def ask(self, do: str, *args: Any) -> Queue[dict[str, Any]]:
        """Send a request; its answer comes into the queue."""
        number = next(self._numbers)
        answers: Queue[dict[str, Any]] = Queue()
        self._answers[number] = answers
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "do": do, "args": args}) + "\n")
        self._process.stdin.flush()
        return answers

    def do(self, do: str, *args: Any) -> Any:
        """Send a request and wait; raises `RuntimeError` with the client's own error."""
        answer = self.ask(do, *args).get(timeout=90)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def value(self, pv: str) -> Any:
        return self.do("get", pv)["value"]

    @contextmanager
    def watch(self, pv: str) -> Iterator[Queue[Any]]:
        """Every update of a PV while inside."""
        updates: Queue[Any] = Queue()
        first = pv not in self._watched
        self._watched.setdefault(pv, []).append(updates)
        if first:
            self.do("watch", pv)
        try:
            yield updates
        finally:
            self._watched[pv].remove(updates)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            if "watch" in answer:
                for updates in self._watched.get(answer["watch"], ()):
                    updates.put(answer)
            else:
                self._answers.pop(answer["id"]).put(answer)
