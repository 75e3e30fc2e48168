"""The pictures' process, seen from the service: started, told what to do, watched, and started again."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection, wait

from repstream.parameters import storage
from repstream.parameters.catalogue import Group
from repstream.parameters.configuration import Configuration
from repstream.parameters.facts import Value
from repstream.parameters.picture import RESULTS
from repstream.pictures import control
from repstream.service.core import Core
from repstream.states import RepeaterState

log = logging.getLogger(__name__)

SILENCE = 5.0
"""Seconds without a sign of life after which the process is taken for hung, and ended."""

START_TIME = 30.0
"""The same for its start: a busy machine takes long to import."""

PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before it is started again: longer and longer, until it has lived for `STEADY` seconds."""

STEADY = 60.0

END_TIME = 2.0
"""Seconds that it has to end in when it is no longer wanted."""


class PictureKeeper:
    """Keeps the process for the pictures of one engine running, as long as a picture has a stream.

    `address` is where it serves pictures; a free port, once taken, is kept. It holds up nothing: what
    it is told by `follow` goes through a thread of its own, and so does what comes back.
    """

    def __init__(self, core: Core, address: str) -> None:
        self._core = core
        self._address = address
        self._wanted: Configuration | None = None
        self._generation = 0
        self._ending = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="pictures keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the process."""
        self._ending = True
        os.eventfd_write(self._wake, 1)
        if self._thread.is_alive():
            self._thread.join(END_TIME + 1)

    def follow(self, before: Configuration | None, now: Configuration) -> None:
        """Take a configuration; whoever calls holds the core's lock.

        What was counted under other settings is no longer told: a slot whose settings changed has no
        numbers until its image has been counted anew.
        """
        self._wanted = now
        self._generation += 1
        for name, config in now.pictures.items():
            if before is not None and before.pictures.get(name) != config:
                self._core.put_fields(Group.PICTURE, int(name), dict.fromkeys(RESULTS))
        os.eventfd_write(self._wake, 1)

    # --- the keeper's thread --------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        while not self._ending:
            if not self._needed:
                self._tell_all({"state": "off", "message": "", "address": ""})
                self._pause(None)
                continue
            begin = time.monotonic()
            reason = self._live()
            if self._ending or not reason:
                continue
            failures = 0 if time.monotonic() - begin > STEADY else failures + 1
            self._report(reason)
            self._pause(PAUSES[min(failures, len(PAUSES)) - 1] if failures else PAUSES[0])

    @property
    def _needed(self) -> bool:
        wanted = self._wanted
        return wanted is not None and any(picture.stream for picture in wanted.pictures.values())

    def _pause(self, seconds: float | None) -> None:
        """Wait so long, or until something is said, but for a pause no shorter."""
        if seconds is None:
            wait([self._wake])
            self._clear()
            return
        end = time.monotonic() + seconds
        while not self._ending and (left := end - time.monotonic()) > 0:
            wait([self._wake], left)
            self._clear()

    def _live(self) -> str:
        """One life of the process, from its start to its end; why it ended, empty where that was meant."""
        process, pipe = _launch(self._address)
        with pipe:
            try:
                return self._converse(process, pipe) or _end(process, pipe)
            finally:
                process.kill()
                process.wait()

    def _converse(self, process: subprocess.Popen[bytes], pipe: Connection) -> str:
        told, patience, heard = -1, START_TIME, time.monotonic()
        try:
            while self._needed and not self._ending:
                if told != self._generation:
                    told = self._tell(pipe)
                left = heard + patience - time.monotonic()
                if left <= 0:
                    return f"did not answer for {patience:.0f} s and was ended"
                ready = wait([pipe, self._wake], left)
                self._clear()
                if pipe in ready:
                    self._take(control.receive_notice(pipe))
                    heard, patience = time.monotonic(), SILENCE
        except (EOFError, OSError):
            return _exit_reason(process.wait())
        return ""

    def _tell(self, pipe: Connection) -> int:
        with self._core.lock:
            generation, wanted = self._generation, self._wanted
        assert wanted is not None
        control.send(pipe, control.Follow(generation, storage.dump(wanted)))
        return generation

    def _take(self, notice: control.Notice) -> None:
        if isinstance(notice, control.Ready):
            self._address = notice.address
            self._tell_all({"address": notice.address})
        elif isinstance(notice, control.Numbers):
            with self._core.lock:
                if notice.generation == self._generation:
                    fields = self._complete(notice.fields)
                    self._core.put_fields(Group.PICTURE, notice.slot, fields)

    def _complete(self, fields: dict[str, Value]) -> dict[str, Value]:
        """Numbers of another image leave none of the last one behind."""
        running = self._core.board.values["engine.state"] == RepeaterState.RUNNING.value
        found = {**fields, "age": fields.get("age") if running else None}
        return {**dict.fromkeys(RESULTS), **found} if "image_id" in found else found

    def _report(self, reason: str) -> None:
        with self._core.lock:
            self._core.note_error(f"the pictures' process {reason}; it is started again")
        self._tell_all({"state": "failed", "message": f"the pictures' process {reason}", "picture_rate": 0.0})

    def _tell_all(self, fields: dict[str, Value]) -> None:
        with self._core.lock:
            for slot in self._core.catalogue.slots(Group.PICTURE):
                self._core.put_fields(Group.PICTURE, slot, fields)

    def _clear(self) -> None:
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            pass


def _launch(address: str) -> tuple[subprocess.Popen[bytes], Connection]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "repstream.pictures.process",
                "--fd",
                str(theirs.fileno()),
                "--address",
                address,
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    return process, Connection(ours.detach())


def _end(process: subprocess.Popen[bytes], pipe: Connection) -> str:
    """Hang up, and wait a moment for the process to end."""
    pipe.close()
    try:
        process.wait(END_TIME)
    except subprocess.TimeoutExpired:
        log.warning("the pictures' process did not end by itself")
    return ""


def _exit_reason(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"
