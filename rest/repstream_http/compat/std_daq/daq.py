"""The engine as a standard DAQ: what each route does, as plain functions that raise what is refused."""

from __future__ import annotations

import itertools
import json
import os
import platform
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from repstream.errors import InvalidValue, Refused
from repstream.link.history import MOST as MOST_RECORDS
from repstream.link.history import History
from repstream.parameters.catalogue import Group, key_of
from repstream.parameters.complaints import complaint
from repstream.parameters.facts import Value
from repstream.protocol import Engine, Handle, Requester
from repstream.states import ENDED, StartResult, has_failed, has_no_file, is_open, is_ready
from repstream_http.compat.commanding import PATIENCE, configuration, do, first_writer
from repstream_http.compat.std_daq import document, writing

KEPT = "facade.std_daq"
STOP_PATIENCE = 10.0
"""Seconds that a stop waits for the file to be closed; it goes on behind the answer."""
HEARING = 1.0
"""Seconds within which the history has heard of an end that the engine shows."""
LOOK = 0.005
"""Seconds between two looks for the file."""


class Daq:
    """One engine and its history. Thread-safe."""

    def __init__(self, engine: Engine, history: History) -> None:
        self._engine = engine
        self._history = history
        self._starting = threading.Lock()
        self._configuring = threading.Lock()
        self._numbers = itertools.count()

    # --- writing --------------------------------------------------------------------------

    def writer(self) -> dict[str, Any]:
        """The writer object now."""
        return writing.writer(self._fields())

    def start(self, body: Mapping[str, Any], asker: Requester) -> Handle:
        """Take a write request; the file waits for images when this returns.

        Raises `Refused` with the writer's state where that does not allow it. The writer is set up as
        before, then.
        """
        try:
            request = writing.WriteRequest.model_validate(dict(body))
        except ValidationError as error:
            raise InvalidValue("write request", complaint(error, writing.WriteRequest)) from error
        with self._starting:
            handle = self._start(request, asker)
        self._wait_for_file(handle)
        return handle

    def _start(self, request: writing.WriteRequest, asker: Requester) -> Handle:
        fields = self._fields()
        if fields["name"] is None:
            raise Refused("write request", "the engine has no writer 1; configure one")
        if not is_ready(fields["state"]):
            raise Refused("write request", f"the writer is {fields['state']}, not READY; stop it first")
        wanted = request.fields()
        before = {name: fields[name] for name in ("folder", "file_name", "file_template", *wanted)}
        del before["output_file"]
        self._write(wanted, asker)
        try:
            return self._engine.execute(self._key("start"), None, asker)
        except Refused:
            self._write(before, asker)
            raise

    def finished(self) -> dict[str, Any]:
        """The writer object after a request has ended; raises `Refused` where that failed."""
        writer = self.writer()
        if has_failed(writer["acquisition"]["state"]):
            raise Refused("write request", writer["acquisition"]["message"])
        return writer

    def stop(self, asker: Requester) -> dict[str, Any]:
        """End what is written, and find the writer again where it was lost."""
        handle = self._engine.execute(self._key("stop"), None, asker)
        try:
            handle.wait(STOP_PATIENCE)
        except TimeoutError:
            pass
        return self.writer()

    # --- configuration --------------------------------------------------------------------

    def config(self) -> tuple[dict[str, Any] | None, str | None]:
        """The document and its id; both None before the first."""
        kept = str(self._value(KEPT) or "")
        held = document.held(kept, configuration(self._engine), first_writer(self._engine))
        return held, json.loads(kept)["config_id"] if held else None

    def configure(self, given: Mapping[str, Any], asker: Requester, whole: bool = False) -> dict[str, Any]:
        """Change the document in part, or (`whole`) put another in its place; all of it or nothing.

        While frames are repeated the repeater is stopped and started again around it; where that
        cannot be started, the old configuration is.
        """
        with self._configuring:
            held = None if whole else self.config()[0]
            wanted = document.merged(held, given)
            begun = time.time()
            config_id = f"{int(begun * 1000)}-{next(self._numbers)}"
            keys = given if held else document.Document.model_fields
            engine = self._engine
            changes = document.as_changes(wanted, keys, configuration(engine), first_writer(engine))
            shown = document.shown(wanted)
            kept = {"config_id": config_id, "config": shown, "start_time": begun, "stop_time": time.time()}
            changes["facade"] = {"std_daq": json.dumps(kept)}
            self._reconfigure(changes, asker)
            return shown

    def deployment(self) -> dict[str, Any]:
        """How the last configuration was taken: at once, or not at all."""
        kept = str(self._value(KEPT) or "")
        if not kept:
            return {
                "config_id": None,
                "status": "UNKNOWN",
                "message": "No config available",
                "servers": None,
                "stats": None,
            }
        last = json.loads(kept)
        return {
            "config_id": last["config_id"],
            "status": "SUCCESS",
            "message": "Deployment successful",
            "servers": {str(self._value(key_of(Group.ENGINE, 0, "host")) or platform.node()): "Done"},
            "stats": {"start_time": last["start_time"], "stop_time": last["stop_time"]},
        }

    # --- figures and logs -----------------------------------------------------------------

    def stats(self) -> dict[str, Any]:
        """Rates of the input and of the writer."""
        return {
            "detector": self._rates(Group.SOURCE, 0),
            "writer": self._rates(Group.WRITER, writing.SLOT),
        }

    def logs(self, number: int) -> list[dict[str, Any]]:
        """The last acquisitions that produced a file, the newest first."""
        self._hear_of_the_last()
        with_file = (record for record in self._history.last(MOST_RECORDS) if record["full_file_name"])
        return [writing.acquisition(record) for record in itertools.islice(with_file, number)]

    def _hear_of_the_last(self) -> None:
        """Wait for the history, which hears of an end a moment after the engine shows it."""
        fields, end = self._fields(), time.monotonic() + HEARING
        while fields["acq_state"] in ENDED and self._history.find(str(fields["acquisition_id"])) is None:
            if time.monotonic() > end:
                return
            time.sleep(LOOK)

    def file(self, acquisition: str) -> str:
        """The file of an acquisition by its id, or by a run id, of which the last counts.

        Raises `Refused` where there is none.
        """
        fields = self._fields()
        now = {name: fields[name] for name in ("acquisition_id", "acq_run_id", "full_file_name")}
        for field in ("acquisition_id", "acq_run_id"):
            for record in (now, *self._history.last(MOST_RECORDS)):
                if acquisition == record[field] and record["full_file_name"]:
                    return str(record["full_file_name"])
        raise Refused(
            "file", f"no acquisition {acquisition!r:.80} with a file is known; /daq/logs lists them"
        )

    @property
    def roots(self) -> list[Path]:
        """The folders below which files may be looked at and made."""
        roots = str(self._value(key_of(Group.ENGINE, 0, "roots")) or "")
        return [Path(root) for root in roots.split(os.pathsep) if root]

    @property
    def user_id(self) -> int:
        """Whom files are made as; 0 is the service's own user."""
        return int(self._value(self._key("user_id")) or 0)

    # --- the engine -----------------------------------------------------------------------

    def _key(self, field: str) -> str:
        return key_of(Group.WRITER, writing.SLOT, field)

    def _value(self, key: str) -> Value:
        return self._engine.read(key).value

    def _fields(self) -> dict[str, Value]:
        values = self._engine.snapshot().values
        return {p.field: values[p.key] for p in self._engine.catalogue.of(Group.WRITER, writing.SLOT)}

    def _write(self, fields: Mapping[str, Value], asker: Requester) -> None:
        self._engine.write({self._key(field): value for field, value in fields.items()}, asker)

    def _wait_for_file(self, handle: Handle) -> None:
        """Wait until the file is there, or the acquisition has ended; raises `Refused` where it failed."""
        end = time.monotonic() + PATIENCE
        while handle.completion is None and has_no_file(self._value(self._key("acq_state"))):
            if time.monotonic() > end:
                raise Refused(
                    "write request",
                    f"taken, but there is no file after {PATIENCE:.0f} s; /writer/status goes on",
                )
            time.sleep(LOOK)
        end_of_it = handle.completion
        # A file that somebody ended before all images came is no failure of the request.
        if end_of_it is not None and not end_of_it.ok and end_of_it.result != StartResult.INTERRUPTED:
            raise Refused("write request", end_of_it.message)

    def _reconfigure(self, changes: Mapping[str, Any], asker: Requester) -> None:
        if not is_open(self._value(key_of(Group.ENGINE, 0, "state"))):
            do(self._engine, "configure", json.dumps(changes), asker)
            return
        if not is_ready(state := self._fields()["state"]):
            raise Refused("config", f"the writer is {state}; the configuration changes when it is READY")
        before = json.dumps(configuration(self._engine))
        do(self._engine, "stop", None, asker)
        try:
            do(self._engine, "configure", json.dumps(changes), asker)
            do(self._engine, "start", None, asker)
        except Refused:
            do(self._engine, "configure", before, asker)
            do(self._engine, "start", None, asker)
            raise

    def _rates(self, group: str, slot: int) -> dict[str, float]:
        values = self._engine.snapshot().values
        rate, throughput = (values[key_of(group, slot, field)] for field in ("rate", "throughput"))
        return {
            "bytes_per_second": float(throughput or 0) * 1e6,
            "images_per_second": float(rate or 0),
        }
