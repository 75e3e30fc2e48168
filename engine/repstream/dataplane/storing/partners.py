"""Who writes a file beside the data plane: a process that it starts, or a service that runs already."""

from __future__ import annotations

import logging
import socket
import struct
import subprocess
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Protocol

from repstream import child
from repstream.dataplane.control import AcquisitionPlan
from repstream.errors import StorageError

PATIENCE = 5.0
"""Seconds that a process which has said that it is done may take to end."""

log = logging.getLogger(__name__)


class Partner(Protocol):
    """The other end of `pipe`, whose end is its end."""

    pipe: Connection
    process_id: int

    def why_ended(self, path: object) -> str:
        """A sentence about the end of the pipe of who writes `path`."""

    def close(self, path: object) -> None:
        """Let go of it; a process of ours has ended when this returns."""


class StartedProcess:
    """A process of ours, started for one file."""

    def __init__(self) -> None:
        self._process, ours = child.start("repstream.dataplane.storing.part", new_session=False)
        self.pipe = Connection(ours.detach())
        self.process_id = self._process.pid

    def why_ended(self, path: object) -> str:
        return f"the process that writes {path} ended: {self._exit_reason()}"

    def close(self, path: object) -> None:
        self.pipe.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            log.warning("the process that writes %s does not end and is killed", path)
            self._process.kill()
            self._process.wait()

    def _exit_reason(self) -> str:
        try:
            return child.exit_reason(self._process.wait(PATIENCE))
        except subprocess.TimeoutExpired:
            return "it has closed its pipe"


class RunningService:
    """A service that listens at a Unix socket (`part_service`). Raises StorageError where none does."""

    def __init__(self, address: str) -> None:
        self._address = address
        with socket.socket(socket.AF_UNIX) as peer:
            try:
                peer.connect(address)
            except OSError as error:
                raise StorageError(f"no service listens at {address}: {error.strerror}") from error
            credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            self.process_id = struct.unpack("3i", credentials)[0]
            self.pipe = Connection(peer.detach())

    def why_ended(self, path: object) -> str:
        return f"the service at {self._address} (process {self.process_id}), which writes {path}, ended"

    def close(self, path: object) -> None:
        with suppress(OSError):
            self.pipe.close()


def partner_for(plan: AcquisitionPlan, name: str) -> Partner:
    """Who writes the part or the metadata called `name` of an acquisition. Raises StorageError."""
    return RunningService(plan.part_services + name) if plan.part_services else StartedProcess()
