"""The shared memory of a ring that is ours: made, filled and removed.

The lock of flock(2) that its owner holds on it says that a ring lives. The kernel drops it when the
owner ends, however that happens, so what a crash left behind is recognised without a process id that
may be another's by now. Owners that take no lock, as the standard DAQ's own services, are found by
their metadata stream, which answers.
"""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import stat
from pathlib import Path

from repstream.errors import Refused
from repstream.sources.ring_layout import metadata_path, segment_bytes, segment_path

log = logging.getLogger(__name__)

MODE = 0o777
"""Consumers run as other users; that of the standard DAQ's own rings."""


class RingSegment:
    """The ring `name` with `slots` slots, from making to removal.

    It has its size as soon as that of an image is known (`fit`). Raises `Refused` about `subject`
    where another owner lives, or it cannot be made; nothing is left then.
    """

    def __init__(self, name: str, slots: int, subject: str) -> None:
        self._path = segment_path(name)
        self._slots = slots
        self._nbytes = 0
        try:
            refuse_living(name, subject)
            self._remove_stale(subject)
            self._fd = self._make()
        except OSError as error:
            reason = (
                f"cannot make the ring {self._path}: {error.strerror}; the user of the service must "
                "be able to write there, and nobody else may have made it"
            )
            raise Refused(subject, reason) from error

    def fit(self, nbytes: int) -> None:
        """Make the ring one of images of `nbytes` bytes. Raises OSError where there is no room for it.

        One that has another size already is made anew: to cut it would end whoever has mapped it.
        """
        if nbytes == self._nbytes:
            return
        wanted = segment_bytes(self._slots, nbytes)
        room = os.fstatvfs(self._fd)
        held = os.fstat(self._fd).st_blocks * 512
        if wanted > room.f_bavail * room.f_frsize + held:
            raise OSError(
                f"{self._slots} slots of {nbytes} bytes take {wanted}, more than {self._path.parent} has free"
            )
        if self._nbytes:
            self._unlink()
            old, self._fd = self._fd, self._make()
            os.close(old)
        os.ftruncate(self._fd, wanted)
        self._nbytes = nbytes

    def write(self, image_id: int, data: memoryview) -> None:
        """Put an image into its slot. Raises OSError where memory has run out."""
        offset = image_id % self._slots * self._nbytes
        while data:
            count = os.pwrite(self._fd, data, offset)
            data, offset = data[count:], offset + count

    def remove(self) -> None:
        """Unlink the ring; who has it open keeps it."""
        self._unlink()
        os.close(self._fd)

    def _unlink(self) -> None:
        if is_at(self._path, os.fstat(self._fd)):
            self._path.unlink(missing_ok=True)

    def _make(self) -> int:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Not by the mode of `open`, from which the umask takes away.
            os.fchmod(fd, MODE)
        except OSError:
            self._path.unlink(missing_ok=True)
            os.close(fd)
            raise
        return fd

    def _remove_stale(self, subject: str) -> None:
        """Remove what a dead owner left."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_at(self._path, os.fstat(fd)):
                log.warning("removed the ring %s, whose owner has died", self._path)
                self._path.unlink()
        except BlockingIOError:
            raise Refused(
                subject, f"the ring {self._path} belongs to another process that lives; name another one"
            ) from None
        finally:
            os.close(fd)


def refuse_living(name: str, subject: str) -> None:
    """Raise `Refused` where somebody publishes the metadata of ring `name`, or its address is no socket.

    libzmq would take the address of either away without a word.
    """
    path = metadata_path(name)
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise Refused(subject, f"{path} is in the way of the ring's metadata stream; remove it")
    with socket.socket(socket.AF_UNIX) as peer:
        # One that is there and does not take us at once has a full queue: it lives.
        peer.setblocking(False)
        try:
            peer.connect(str(path))
        except ConnectionRefusedError:
            return
        except BlockingIOError:
            pass
    raise Refused(
        subject, f"another process publishes the metadata of ring {name} at {path}; name another one"
    )


def is_at(path: Path, file: os.stat_result) -> bool:
    """Whether the path still names this file."""
    try:
        return os.path.samestat(path.lstat(), file)
    except OSError:
        return False
