"""Detector, engine, IOC and consumer, kept running as an institute does, and the way back after a fault."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import repstream
from repstream.sources.images import Images
from tests.cli.processes import below
from tests.ports import free_port
from tests.soak.site.detector import Account, Detector
from tests.soak.site.programs import Program, Taken, command_of, taken_by
from tests.storage import Storage

SHAPE, DTYPE = (192, 256), "uint16"
PATIENCE = 90.0
"""Seconds after which something that was to come is said not to come, on a busy machine too."""
TURN = 0.05
MODULES = {
    "data plane": "repstream.dataplane.process",
    "pictures": "repstream.pictures.process",
    "tango": "-m repstream_tango",
    "part": "repstream.dataplane.storing.part",
}
"""The processes below the service, by what is in their command lines."""


@dataclass
class Life:
    """From a start of the repeater to the next: what was sent since `base`, and what was counted of it."""

    base: Account
    counted: dict[str, int] = field(default_factory=dict)


class Late(AssertionError):
    """What was waited for did not come."""


class Beamline:
    """All programs; `lives` are those of the repeater, the last one goes on."""

    def __init__(self, folder: Path, rate: float, dice: Random, storage: Storage | None) -> None:
        self.folder, self.storage, self.dice, self.rate = folder, storage, dice, rate
        self.ports = {
            name: free_port() for name in ("engine", "source", "live", "all", "tango", "epics", "pva", "http")
        }
        self.lives: list[Life] = []
        self.killed: set[int] = set()
        self.detector = Detector(Images(SHAPE, DTYPE, seed=5), rate, self._address("source"), dice)
        self.detector.start()
        self._client: repstream.Client | None = None
        self._reported: dict[str, int] = {}
        self.serve = Program("serve", self._serve(), folder, storage.environment if storage else {})
        self.ioc = Program("ioc", self._ioc(), folder)
        self.http = Program("http", self._http(), folder)
        consume = ("consume", self._address("all"), "-m", "pull", "--json", "-q")
        self.consumer = Program("consumer", self._command(*consume), folder)

    @property
    def programs(self) -> tuple[Program, ...]:
        return self.serve, self.ioc, self.http, self.consumer

    @property
    def client(self) -> repstream.Client:
        """Waits until the engine answers."""
        if self._client is None:
            self.until(self._connects, "the engine to answer")
        assert self._client is not None
        self.until(self._answers, "the engine to answer again")
        return self._client

    def value(self, key: str) -> Any:
        """What is shown now, None where nobody answers."""
        with suppress(repstream.RepstreamError):
            return self._client.read(key) if self._client is not None else None
        return None

    def processes(self) -> dict[str, int]:
        """The processes that are there now, by what they are."""
        found = {program.name: program.pid for program in self.programs}
        for pid in sorted(below(self.serve.pid)):
            command = command_of(pid)
            for name, module in MODULES.items():
                if module in command:
                    found[name] = pid
        return found

    def taken(self) -> Iterator[tuple[str, int, Taken]]:
        for name, pid in self.processes().items():
            if name != "part" and (taken := taken_by(pid)) is not None:
                yield name, pid, taken

    def rest(self, seconds: float) -> None:
        """Let time pass, and start again what has ended."""
        end = time.monotonic() + seconds
        while True:
            self.tend()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(TURN, left))

    def until(self, condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
        end = time.monotonic() + patience
        while not condition():
            if time.monotonic() > end:
                raise Late(f"waited {patience:.0f} s in vain for {what}; {self.value('engine.status')}")
            self.rest(TURN)

    def tend(self) -> None:
        for program in self.programs:
            program.tend()
        if self.lives:
            self._count(self.lives[-1])
        which, written = (self.value(f"writers.main.{name}") for name in ("acquisition_id", "num_written"))
        if which and written is not None:
            self._reported[which] = written

    def reported(self, acquisition_id: Any) -> int:
        """The most images of an acquisition that were ever shown as written."""
        return self._reported.get(acquisition_id, 0)

    def ready(self) -> None:
        """All serve and frames come in; where the repeater has to be started for it, a new life begins.

        The engine answers before the service is up, and a service whose Tango server does not come up
        ends.
        """
        self.until(lambda: self.serve.has_said("serving; "), "the service to be up")
        self.until(self._is_ready, "the repeater to run")

    def settled(self) -> dict[str, Any]:
        """Wait until no acquisition is under way; what the writer and its newest one show then."""
        self.until(self._is_settled, "the acquisition to end")
        catalogue = self.client.catalogue
        return {p.field: self.value(f"writers.main.{p.field}") for p in catalogue.of("writers", 1)}

    def drained(self) -> None:
        """Pause the detector until all that was sent is counted; the last life ends so."""
        life, sent = self.lives[-1], self.detector.pause()

        def is_counted() -> bool:
            self._count(life)
            wanted = sent.since(life.base)
            return life.counted.get("messages", -1) >= wanted.frames + wanted.garbage

        self.until(is_counted, "the last frames to be counted")

    def close(self) -> list[str]:
        """End all; those that did not end by themselves."""
        self.detector.close()
        if self._client is not None:
            self._client.close()
        return [program.name for program in reversed(self.programs) if not program.stop()]

    def _connects(self) -> bool:
        with suppress(repstream.EngineUnreachable):
            self._client = repstream.Client(self._address("engine"), timeout=1)
        return self._client is not None

    def _answers(self) -> bool:
        return self._client is not None and self._client._engine.connected

    def _is_ready(self) -> bool:
        client = self.client
        state = self.value("engine.state")
        if state == "RUNNING" and self.lives:
            return bool(self.value("source.connected"))
        with suppress(repstream.RepstreamError):
            if state == "ERROR":
                client.execute("engine.initialize").wait(20)
            elif state in ("INITIALIZED", "STOPPED"):
                self._begin(client)
        return False

    def _begin(self, client: repstream.Client) -> None:
        """A life: what is sent from now on, to whoever connects now, is for it alone."""
        base = self.detector.pause()
        try:
            client.execute("engine.start").wait(20)
            self.lives.append(Life(base))
        finally:
            self.detector.resume()

    def _is_settled(self) -> bool:
        state = self.value("writers.main.state")
        return state == "READY" or (state == "UNKNOWN" and self.value("engine.state") == "ERROR")

    def _count(self, life: Life) -> None:
        names = ("messages", "received", "malformed", "missing", "duplicates")
        counted = {name: self.value(f"source.{name}") for name in names}
        if None not in counted.values() and self.value("engine.state") == "RUNNING":
            life.counted = counted

    def _address(self, name: str) -> str:
        return f"tcp://127.0.0.1:{self.ports[name]}"

    def _command(self, *arguments: object) -> list[object]:
        return [sys.executable, "-m", "repstream_cli", *arguments]

    def _serve(self) -> list[object]:
        configuration: Mapping[str, object] = {
            "source": {"address": self._address("source")},
            "streams": {
                "live": {"address": self._address("live"), "mode": "PUB"},
                "all": {"address": self._address("all"), "mode": "PUSH", "buffer_size": 100},
            },
            "writers": {"main": {"folder": str(self.folder)}},
            "pictures": {"1": {"stream": "live", "rate": 10.0, "enable": True}},
        }
        config = self.folder / "site.json"
        config.write_text(json.dumps({"schema_version": 1, **configuration}))
        return self._command(
            *("serve", "--config", config, "--settings", self.folder / "settings.json"),
            *("--root", self.folder, "--engine-address", self._address("engine")),
            *("--no-epics", "--no-http", "--tango-port", self.ports["tango"]),
        )

    def _ioc(self) -> list[object]:
        return self._command(
            *("ioc", self._address("engine"), "--port", self.ports["epics"]),
            *("--pva", "--pva-port", self.ports["pva"]),
        )

    def _http(self) -> list[object]:
        program = Path(sys.executable).with_name("repstream-http")
        return [program, self._address("engine"), "--port", self.ports["http"]]
