"""One camera or pipeline while it lives: its process, what that says, and who may change it."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from repstream.child import exit_reason
from repstream.errors import InstanceEnded, InstanceReadOnly, InvalidValue, PortTakenError, Unanswered
from repstream.instances.description import Configuration, InstanceInfo, LogRecord, Statistics
from repstream.instances.launcher import Launcher, Running
from repstream.pipelines import configurations
from repstream.pipelines.control import (
    PORT,
    Answer,
    Ending,
    Input,
    Logged,
    Measured,
    Notice,
    Ready,
    Reconfigure,
    Report,
    Specification,
    Stop,
    Wanted,
)

START_TIME = 20.0
"""Seconds that an instance has until it runs: a camera's server may be slow to answer."""

ANSWER_TIME = 10.0
STOP_TIME = 3.0
"""Seconds that an instance has to answer, and to end."""

LOG_LENGTH = 100
"""Lines of the log that are kept."""


class Instance:
    """A life of an instance, from `start` to its end. Thread-safe; waits only for its own process."""

    def __init__(
        self,
        specification: Specification,
        host: str,
        *,
        read_only: bool,
        find_input: Callable[[Wanted], str],
        on_end: Callable[[Instance], None],
        on_change: Callable[[], None],
        log: deque[LogRecord],
    ) -> None:
        self.specification = specification
        self.read_only = read_only
        self.started = time.time()
        self.exit_code: int | None = None
        self.log = log
        self.ended = threading.Event()
        self._find_input = find_input
        self._on_end, self._on_change = on_end, on_change
        self.beam: dict[str, float | None] = {}
        self._address = f"tcp://{host}:{specification.port}"
        input_port = specification.input_port
        self._input_address = f"tcp://{host}:{input_port}" if input_port else ""
        self._configuration = specification.configuration
        self._ready = threading.Event()
        self._report = Report(Statistics())
        self._reason = self._subject = ""
        self._process: Running | None = None
        self._launched = threading.Event()
        self._changing = threading.Lock()
        self._requests = itertools.count(1)
        self._answers: dict[int, tuple[threading.Event, list[Answer]]] = {}

    @property
    def alive(self) -> bool:
        """Whether it runs; False as soon as it has begun to end."""
        return self._ready.is_set() and not self.ended.is_set()

    @property
    def reason(self) -> str:
        """Why it ended; empty where nothing was wrong."""
        return self._reason

    @property
    def configuration(self) -> dict[str, Any]:
        """The complete configuration that is in force."""
        return dict(self._configuration)

    def start(self, launcher: Launcher) -> None:
        """Start it, and wait until it runs.

        Raises `InstanceEnded` with the reason where it does not, `InvalidValue` where that is its
        configuration, `PortTakenError` where another program was quicker.
        """
        try:
            self._process = launcher.launch(self.specification, self._hear, self._end)
        finally:
            self._launched.set()
        deadline = time.monotonic() + START_TIME
        while not self._ready.wait(0.05) and not self.ended.is_set():
            if time.monotonic() > deadline:
                self._reason = self._reason or f"it did not run within {START_TIME:g} s"
                self.stop()
        if self.ended.is_set():
            if self._subject == PORT:
                raise PortTakenError(self._reason)
            if self._subject:
                raise InvalidValue(self._subject, self._reason)
            raise InstanceEnded(self.specification.name, self._reason or "it ended at once")

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        if self._process is not None:
            self._process.send(Stop())
            self._process.stop(STOP_TIME)
            self.ended.wait(STOP_TIME)

    def reconfigure(self, change: Configuration, replace: bool) -> dict[str, Any]:
        """Have a partial (or, with `replace`, a whole) configuration applied at once; the one in force."""
        name, kind = self.specification.name, self.specification.kind
        if not change:
            raise InvalidValue(name, "an update of the configuration needs at least one key")
        if self.read_only:
            raise InstanceReadOnly(name, "it is shared with others, so nobody may change its configuration")
        with self._changing:
            whole = (
                configurations.complete(kind, change)
                if replace
                else configurations.changed(kind, self._configuration, change)
            )
            self._ask(whole)
            if waiting := configurations.from_next_start(kind, self._configuration, whole):
                text = f"{', '.join(waiting)}: changed, and in force from the next start on"
                self.log.append(LogRecord(time.time(), __name__, "WARNING", text))
            self._configuration = whole
            # Not that of images before the change: the next report has the new one.
            self._report = msgspec.structs.replace(self._report, camera_geometry=None)
        return dict(whole)

    def info(self) -> InstanceInfo:
        """What is known of it now."""
        report, spec = self._report, self.specification
        camera = spec.name if spec.kind == "camera" else str(self._configuration.get("camera_name") or "")
        return InstanceInfo(
            name=spec.name,
            kind=spec.kind,
            stream_address=self._address,
            input_address=self._input_address,
            is_stream_active=self.alive,
            started=self.started,
            config=self.configuration,
            camera_name=camera,
            read_only=self.read_only,
            camera_geometry=report.camera_geometry,
            statistics=report.statistics,
            message=report.message or self._reason,
        )

    def _ask(self, whole: dict[str, Any]) -> None:
        request = next(self._requests)
        answered: tuple[threading.Event, list[Answer]] = (threading.Event(), [])
        self._answers[request] = answered
        try:
            assert self._process is not None
            self._process.send(Reconfigure(request, whole))
            event, answers = answered
            if self.ended.is_set() or not event.wait(ANSWER_TIME):
                if self.ended.is_set():
                    raise InstanceEnded(self.specification.name, self._reason or "it has ended")
                raise Unanswered(self.specification.name, f"no answer within {ANSWER_TIME:g} s")
        finally:
            del self._answers[request]
        if self.ended.is_set() and not answers:
            raise InstanceEnded(self.specification.name, self._reason or "it has ended")
        if answers and answers[0].reason:
            raise InvalidValue(answers[0].subject or self.specification.name, answers[0].reason)

    def _hear(self, notice: Notice) -> None:
        self._book(notice)
        if not isinstance(notice, Logged | Wanted | Answer):
            self._on_change()

    def _book(self, notice: Notice) -> None:
        match notice:
            case Ready():
                self._ready.set()
            case Report():
                self._report = notice
            case Measured():
                self.beam = notice.beam
            case Logged():
                self.log.append(notice.record)
            case Ending():
                self._reason, self._subject = self._reason or notice.reason, notice.subject
            case Answer():
                if (waiting := self._answers.get(notice.request)) is not None:
                    waiting[1].append(notice)
                    waiting[0].set()
            case Wanted():
                # To start a camera may take seconds, and reports must be heard meanwhile.
                threading.Thread(target=self._find, args=(notice,), daemon=True).start()

    def _find(self, wanted: Wanted) -> None:
        try:
            found = Input(self._find_input(wanted))
        except Exception as error:  # whatever the reason is, the instance says it to its user
            found = Input("", str(error))
        self._launched.wait()  # it may have asked before this process knew of it
        if self._process is not None:
            self._process.send(found)

    def _end(self, exit_code: int | None) -> None:
        self.exit_code = exit_code
        if exit_code and not self._reason:
            self._reason = exit_reason(exit_code)
        if self._reason:
            self.log.append(LogRecord(time.time(), __name__, "ERROR", f"it has ended: {self._reason}"))
        self.ended.set()
        for event, _ in list(self._answers.values()):
            event.set()
        self._on_end(self)
        self._on_change()
