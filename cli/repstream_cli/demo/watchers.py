"""The acquisition seen through EPICS and HTTP, by clients as users have them."""

from __future__ import annotations

import json
import sys
import threading
import urllib.error
import urllib.request

from repstream.lifetime import Running
from repstream.parameters.writer_status import AcquisitionStatus
from repstream_cli import addresses
from repstream_cli.children import Child
from repstream_cli.stack import Stack

PERIOD = 0.2
"""Seconds between two HTTP requests."""


class EpicsWatcher(Running):
    """Monitors of a few PVs over Channel Access; `values` by PV name without prefix."""

    def __init__(self, stack: Stack) -> None:
        assert stack.options.epics is not None
        self._prefix = stack.options.epics.prefix
        self.values: dict[str, str] = {}
        names = [f"{self._prefix}{name}" for name in ("Wr1:NumWritten_RBV", "Wr1:AcqState_RBV")]
        command = [sys.executable, "-m", "repstream_cli.demo.watch_epics", *names]
        self._child = Child("epics client", command, names[0], addresses.epics_environment(stack), self._take)

    def start(self) -> None:
        self._child.start()

    def close(self) -> None:
        self._child.close()

    @property
    def written(self) -> int:
        return int(float(self.values.get("Wr1:NumWritten_RBV", "0")))

    @property
    def state(self) -> str:
        return self.values.get("Wr1:AcqState_RBV", "?")

    def _take(self, line: str) -> None:
        name, _, value = line.partition(" ")
        if name.startswith(self._prefix):
            self.values[name.removeprefix(self._prefix)] = value


class HttpWatcher(Running):
    """Polls the writer's parameters as `curl` would; `seen` is its newest acquisition, None at first."""

    def __init__(self, stack: Stack, writer: str) -> None:
        self._url = f"{addresses.http_url(stack)}/api/v1/parameters?group=writers"
        self._head = f"writers.{writer}."
        self.seen: AcquisitionStatus | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="http client", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _poll(self) -> None:
        # No proxy of the environment may stand between this machine and itself.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while not self._stop.wait(PERIOD):
            try:
                with opener.open(self._url, timeout=5) as answer:
                    tree = json.load(answer)
            except (urllib.error.URLError, TimeoutError, ValueError):
                continue
            self.seen = AcquisitionStatus.of(tree["values"], self._head)
