"""The pictures' process, seen from the service: started, instructed, watched, and restarted."""

from __future__ import annotations

import os
import platform
import socket
import struct
import subprocess
import threading
import time
from collections import deque
from multiprocessing.connection import Connection, wait

from repstream import child
from repstream.dataplane import control as plane
from repstream.parameters import slots, storage
from repstream.parameters.catalogue import Group
from repstream.parameters.configuration import Configuration
from repstream.parameters.facts import Status
from repstream.parameters.picture import PictureAddress, PictureResults, PictureStatus
from repstream.pictures import control
from repstream.service.context import ServiceContext
from repstream.service.keeper import Keeper
from repstream.states import is_open

SILENCE = 5.0
"""Seconds without a sign of life after which the process is taken for hung, and ended."""

START_TIME = 30.0
"""The same for its start: a busy machine takes long to import."""

PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before it is started again: longer and longer, until it has lived for `STEADY` seconds."""

STEADY = 60.0

WAITING_OPENINGS = 1000
"""Openings of gates that may wait for the process while it is not there."""

END_TIME = 2.0
"""Seconds that a process which has hung up may take to end."""


class PictureKeeper(Keeper):
    """Keeps the process for the pictures of one engine running, as long as a picture has a stream.

    `address` is where it serves pictures; a free port, once taken, is kept. It holds up nothing: what
    goes to the process and comes from it goes through a thread of its own.
    """

    def __init__(self, context: ServiceContext, address: str) -> None:
        self._context = context
        self._asked_address = self._address = address
        self._wanted: tuple[int, Configuration | None] = (0, None)  # replaced as a whole
        self._heard: dict[str, plane.Opening] = {}
        self._openings: deque[control.Gate] = deque(maxlen=WAITING_OPENINGS)
        self._last_frames = ""
        self._ending = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="pictures keeper", daemon=True)

    def start(self) -> None:
        """Begin with the configuration held now; to be called in the owner's thread, as `close` is not."""
        self._wanted = (0, self._context.configuration)
        self._context.followers.append(self._follow)
        self._thread.start()

    def close(self) -> None:
        """End the process."""
        self._ending = True
        os.eventfd_write(self._wake, 1)
        if self._thread.is_alive():
            self._thread.join(END_TIME + 1)

    def _follow(self, before: Configuration, now: Configuration) -> None:
        """Take a configuration.

        What was counted under other settings is no longer shown: a slot whose settings changed has no
        numbers until its image has been counted anew.
        """
        self._wanted = (self._wanted[0] + 1, now)
        for name, config in now.pictures.items():
            if before.pictures.get(name) != config:
                self._context.show(PictureResults(), Group.PICTURE, int(name))
        os.eventfd_write(self._wake, 1)

    def hear(self, notice: plane.Notice) -> None:
        """Hand on what went through gates, and where last frames are; to be called in the owner's thread."""
        if isinstance(notice, plane.GateNotice):
            self._hear_opening(notice.slot, notice.acquisition_id, notice.opening)
        elif isinstance(notice, plane.AcquisitionNotice):
            self._hear_opening(notice.slot, notice.acquisition_id, notice.report.opening)
        elif isinstance(notice, plane.Report):
            for slot, report in notice.writers.items():
                self._hear_opening(slot, report.acquisition_id, report.opening)
            if notice.last_frames not in ("", self._last_frames):
                self._last_frames = notice.last_frames
                os.eventfd_write(self._wake, 1)

    def _hear_opening(self, slot: int, acquisition_id: str, opening: plane.Opening | None) -> None:
        writer = slots.name_at(self._context.configuration, Group.WRITER, slot)
        followed = {picture.gate_writer for picture in self._context.configuration.pictures.values()}
        if opening is None or writer is None or writer not in followed or self._heard.get(writer) == opening:
            return
        self._heard[writer] = opening
        self._openings.append(control.Gate(writer, acquisition_id, opening))
        os.eventfd_write(self._wake, 1)

    # --- the keeper's thread --------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        while not self._ending:
            if not self._needed:
                self._context.owner.post(self._show_all, PictureStatus(), PictureAddress())
                self._pause(None)
                continue
            begin = time.monotonic()
            reason = self._live()
            if self._ending or not reason:
                continue
            failures = 0 if time.monotonic() - begin > STEADY else failures + 1
            if failures > 1:
                self._address = self._asked_address  # the port may have been taken meanwhile
            self._context.owner.post(self._report, reason)
            self._pause(PAUSES[min(failures, len(PAUSES) - 1)])

    @property
    def _needed(self) -> bool:
        _, wanted = self._wanted
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
        process, pipe = _launch(self._address, type(self._context.configuration))
        try:
            with pipe:
                reason = self._converse(pipe)
            return "" if reason is None else reason or _exit_reason(process)
        finally:
            process.kill()  # it has nothing to save
            process.wait()

    def _converse(self, pipe: Connection) -> str | None:
        """Until the process is no longer needed (None), has gone (empty), or does not answer (a reason)."""
        sent, asked_at, patience, heard = -1, "", START_TIME, time.monotonic()
        while self._needed and not self._ending:
            try:
                if sent != self._wanted[0]:
                    sent = self._tell(pipe)
                if asked_at != (address := self._last_frames):
                    control.requests.send(pipe, control.LastFrames(address))
                    asked_at = address
                while self._openings:
                    control.requests.send(pipe, self._openings.popleft())
                left = heard + patience - time.monotonic()
                if left > 0 and pipe not in wait([pipe, self._wake], left):
                    self._clear()
                    continue
                if left > 0:
                    self._take(control.notices.receive(pipe))
                    heard, patience = time.monotonic(), SILENCE
                    continue
            except BlockingIOError:  # stopped within a message
                pass
            except (EOFError, OSError):
                return ""
            return f"did not answer for {patience:.0f} s and was ended"
        return None

    def _tell(self, pipe: Connection) -> int:
        generation, wanted = self._wanted
        assert wanted is not None
        control.requests.send(pipe, control.Follow(generation, storage.dump(wanted)))
        return generation

    def _take(self, notice: control.Notice) -> None:
        if isinstance(notice, control.Ready):
            self._address = notice.address
            # On all networks it is reached by the name of this host.
            reachable = notice.address.replace("tcp://0.0.0.0:", f"tcp://{platform.node()}:", 1)
            self._context.owner.post(self._show_all, PictureAddress(address=reachable))
        elif isinstance(notice, control.Numbers):
            self._context.owner.post(self._put_numbers, notice)

    # --- in the owner's thread ------------------------------------------------------------------

    def _put_numbers(self, notice: control.Numbers) -> None:
        if notice.generation != self._wanted[0]:
            return  # counted under other settings
        running = is_open(self._context.state)
        fields = notice.fields if running else {**notice.fields, "age": None}
        self._context.put_fields(Group.PICTURE, notice.slot, fields)

    def _show_all(self, *statuses: Status) -> None:
        for slot in self._context.catalogue.slots(Group.PICTURE):
            for status in statuses:
                self._context.show(status, Group.PICTURE, slot)

    def _report(self, reason: str) -> None:
        self._context.note_error(f"the pictures' process {reason}; it is started again")
        self._show_all(PictureStatus(state="failed", message=f"the pictures' process {reason}"))

    def _clear(self) -> None:
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            pass


def _launch(address: str, model: type[Configuration]) -> tuple[subprocess.Popen[bytes], Connection]:
    process, ours = child.start(
        "repstream.pictures.process", "--address", address, "--configuration", model.path()
    )
    # Nobody waits for ever for the rest of a message.
    limit = struct.pack("@qq", round(SILENCE), 0)
    for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        ours.setsockopt(socket.SOL_SOCKET, direction, limit)
    return process, Connection(ours.detach())


def _exit_reason(process: subprocess.Popen[bytes]) -> str:
    try:
        status = process.wait(END_TIME)
    except subprocess.TimeoutExpired:
        return "closed its connection and did not end"
    return f"{'was' if status < 0 else 'ended with'} {child.exit_reason(status)}"
