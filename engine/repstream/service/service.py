"""The service: the engine in this process (fills `protocol.Engine`)."""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Mapping
from queue import Empty

from repstream.dataplane import control
from repstream.errors import InvalidValue, Refused, RepstreamError, UnknownKey
from repstream.files.paths import resolve_roots
from repstream.link.handles import PendingHandle
from repstream.link.publisher import Registration
from repstream.parameters import slots
from repstream.parameters.catalogue import Catalogue, Command, Group, build
from repstream.parameters.configuration import Configuration
from repstream.parameters.facts import Kind, Value
from repstream.protocol import Event, Reading, Requester, Snapshot
from repstream.service.access import ControlLock
from repstream.service.acquisitions import FolderState, Preparation, folder_state
from repstream.service.configuring import Configurator
from repstream.service.core import Core, Death
from repstream.service.options import ServiceOptions
from repstream.service.repeater import Repeater
from repstream.service.settings import Settings
from repstream.service.supervisor import Plane, ProcessPlane
from repstream.service.writers import Writer
from repstream.version import __version__

log = logging.getLogger(__name__)

TICK = 1.0
"""Seconds between heartbeats and looks at the folders."""


class Service:
    """One engine. `start` it before use; `close` ends its data plane and its threads."""

    def __init__(self, options: ServiceOptions, plane: Plane | None = None) -> None:
        self._options = options
        self._roots = resolve_roots([str(root) for root in options.roots])
        self._catalogue = build(slots={Group.STREAM: options.max_streams, Group.WRITER: options.max_writers})
        self._settings = None if options.settings is None else Settings(options.settings, self._on_unsaved)
        try:
            configuration = slots.assign(self._initial(), self._catalogue)
        except BaseException:
            self._release_settings()
            raise
        keep = (lambda _: None) if self._settings is None else self._settings.keep
        self._core = Core(self._catalogue, configuration, plane or ProcessPlane(), options.name, keep)
        self._lock = ControlLock()
        self._repeater = Repeater(self._core)
        preparation = Preparation(options.name, self._roots)
        self._writers = {
            slot: Writer(self._core, self._repeater, slot, preparation)
            for slot in self._catalogue.slots(Group.WRITER)
        }
        self._configurator = Configurator(
            self._core, self._roots, options.settings, lambda slot: self._writers[slot].may_begin
        )
        self._started = time.monotonic()
        self._worker = threading.Thread(target=self._work, name=f"{options.name} service", daemon=True)

    # --- life -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the threads and the data plane; the repeater is INITIALIZED then."""
        with self._core.lock:
            self._core.put(
                {
                    "engine.name": self._options.name,
                    "engine.version": __version__,
                    "engine.host": platform.node(),
                    "engine.roots": os.pathsep.join(map(str, self._roots)),
                    "engine.config_file": str(self._options.settings or ""),
                }
            )
            self._core.put(self._core.configured_values())
            self._core.publisher.start()
            self._worker.start()
            self._repeater.initialize()

    def close(self) -> None:
        """End acquisitions as interrupted, end the data plane, save, end the threads."""
        self._core.plane.close()
        self._core.inbox.put(None)
        self._worker.join(5)
        self._release_settings()
        self._core.publisher.close()

    # --- protocol.Engine ------------------------------------------------------------------

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue

    def snapshot(self) -> Snapshot:
        with self._core.lock:
            return self._core.board.snapshot()

    def read(self, key: str) -> Reading:
        with self._core.lock:
            known = slots.key_with_slot(self._core.configuration, key)
            if known not in self._core.board.values:
                raise UnknownKey(key, "there is no such parameter; the catalogue lists them")
            return Reading(self._core.board.values[known], self._core.board.time_of(known))

    def write(self, values: Mapping[str, Value], requester: Requester) -> None:
        with self._core.lock:
            what = ", ".join(f"{key} = {value!r:.60}" for key, value in values.items())
            try:
                for key in values:
                    self._lock.check(key, requester)
                self._configurator.write(values)
            except RepstreamError as error:
                log.warning("%s wrote %s: %s", requester, what, error)
                self._note_command(f"write: {error}", requester)
                raise
            log.info("%s wrote %s", requester, what)
            self._note_command(f"write {what}", requester)

    def execute(self, command: str, argument: Value, requester: Requester) -> PendingHandle:
        with self._core.lock:
            record = self._command(command)
            name = slots.key_with_name(self._core.configuration, record.key)
            try:
                if record.name not in ("stop", "unlock"):
                    self._lock.check(name, requester)
                handle = self._do(record, _argument(record, name, argument), requester)
            except RepstreamError as error:
                log.warning("%s gave %s: %s", requester, name, error)
                self._note_command(f"{name}: {error}", requester)
                raise
            log.info("%s gave %s", requester, name)
            self._note_command(name, requester)
            return handle

    def subscribe(self, callback: Callable[[Event], None]) -> Registration:
        return self._core.publisher.subscribe(callback)

    # --- commands -------------------------------------------------------------------------

    def _command(self, given: str) -> Command:
        key = slots.key_with_slot(self._core.configuration, given)
        if (record := self._catalogue.commands.get(key)) is None:
            raise UnknownKey(given, "there is no such command; the catalogue lists them")
        return record

    def _do(self, record: Command, argument: Value, requester: Requester) -> PendingHandle:
        handle = self._core.begin(record.key)
        if record.group == Group.WRITER:
            self._do_writer(record, argument, requester, handle)
        else:
            self._do_engine(record, argument, requester, handle)
        if not record.waits:
            self._core.end([handle], True, "done")
        return handle

    def _do_engine(
        self, record: Command, argument: Value, requester: Requester, handle: PendingHandle
    ) -> None:
        text = str(argument or "")
        match record.name:
            case "initialize":
                self._initialize()
            case "start":
                self._repeater.start()
                self._found()
                self._core.end([handle], True, "running")
            case "stop":
                self._repeater.stop(handle)
            case "reset":
                self._repeater.reset()
                self._found()
            case "configure":
                self._configurator.configure(text, record.key)
                self._repeater.enter_after(record.name)
            case "load_config":
                self._configurator.load(text, record.key)
                self._repeater.enter_after(record.name)
            case "save_config":
                self._configurator.save(text, record.key)
            case "lock":
                self._lock.take(requester)
                self._core.put({"engine.locked_by": str(requester)})
            case "unlock":
                self._lock.give_back(requester, force=text == "force")
                self._core.put({"engine.locked_by": ""})

    def _do_writer(
        self, record: Command, argument: Value, requester: Requester, handle: PendingHandle
    ) -> None:
        writer = self._writers[record.slot]
        if writer.name is None:
            raise Refused(record.key, "there is no writer in this slot; configure adds one")
        match record.name:
            case "arm":
                writer.arm(handle, requester)
            case "start":
                writer.start(handle, requester, int(argument or 0))
            case "stop" | "abort":
                writer.end(handle, discard=record.name == "abort")
            case "flush":
                writer.flush()

    def _initialize(self) -> None:
        self._repeater.initialize()
        self._found()

    def _found(self) -> None:
        for writer in self._writers.values():
            writer.on_found()

    def _note_command(self, what: str, requester: Requester) -> None:
        self._core.put({"engine.last_command": what[:255], "engine.last_command_by": str(requester)})

    # --- the worker's thread --------------------------------------------------------------

    def _work(self) -> None:
        due = time.monotonic()
        while True:
            try:
                notice = self._core.inbox.get(timeout=max(0.0, due - time.monotonic()))
                if notice is None:
                    return
                self._guarded(self._take, notice)
            except Empty:
                due = time.monotonic() + TICK
                self._guarded(self._tick)

    def _guarded(self, function: Callable[..., None], *arguments: control.Notice | Death) -> None:
        try:
            function(*arguments)
        except Exception:  # the worker must outlive any fault of ours, and say it
            log.exception("the service failed to handle a notice")

    def _take(self, notice: control.Notice | Death) -> None:
        with self._core.lock:
            match notice:
                case control.Report():
                    self._on_report(notice)
                case control.AcquisitionNotice():
                    self._writers[notice.slot].on_notice(notice)
                case control.GateNotice():
                    self._writers[notice.slot].on_gate(notice)
                case control.Closed():
                    self._on_report(notice.report)
                    self._repeater.on_closed(notice)
                case control.Note():
                    log.log(notice.level, notice.message)
                case Death():
                    for writer in self._writers.values():
                        writer.on_lost(notice.reason)
                    self._repeater.on_death(notice.reason)

    def _on_report(self, report: control.Report) -> None:
        found: dict[str, Value] = {}
        for slot, told in (*report.behind.items(), *report.writers.items()):
            found |= self._writers[slot].told(told, report.time)
        self._repeater.on_report(report, found)
        for slot in report.writers:
            self._writers[slot].on_report()

    def _tick(self) -> None:
        folders = self._look_at_folders()
        with self._core.lock:
            beat = int(self._core.board.values["engine.heartbeat"] or 0) + 1
            self._core.put(
                {
                    "engine.heartbeat": beat % 2**31,
                    "engine.uptime": round(time.monotonic() - self._started, 1),
                    "engine.losing": self._repeater.losing,
                }
            )
            for slot, folder in folders.items():
                if self._writers[slot].name is not None:
                    self._writers[slot].tick(folder)

    def _look_at_folders(self) -> dict[int, FolderState]:
        """Outside the lock: a file system that hangs must not hold up the engine."""
        with self._core.lock:
            folders = {s: w.configuration.folder for s, w in self._writers.items() if w.name is not None}
        return {slot: folder_state(folder) for slot, folder in folders.items()}

    def _initial(self) -> Configuration:
        kept = None if self._settings is None else self._settings.load()
        return kept or self._options.configuration or Configuration()

    def _release_settings(self) -> None:
        if self._settings is not None:
            self._settings.close()

    def _on_unsaved(self, reason: str) -> None:
        with self._core.lock:
            self._core.note_error(reason)


def _argument(record: Command, name: str, given: Value) -> Value:
    """The argument as the command declares it; raises `InvalidValue`."""
    declared = record.argument
    if declared is None:
        if given is not None:
            raise InvalidValue(name, f"takes no argument, but was given {given!r}")
        return None
    if given is None or given == "":
        if declared.optional:
            return None
        raise InvalidValue(name, f"needs an argument: {declared.text}")
    if declared.kind is Kind.INT:
        if isinstance(given, bool) or not isinstance(given, int | float) or given != int(given):
            raise InvalidValue(name, f"needs a whole number, not {given!r}")
        if declared.minimum is not None and not declared.minimum <= given <= (declared.maximum or given):
            raise InvalidValue(
                name, f"needs a number from {declared.minimum:.0f} to {declared.maximum:.0f}, not {given!r}"
            )
        return int(given)
    if not isinstance(given, str):
        raise InvalidValue(name, f"needs a text, not {given!r}")
    return given
