"""The standard DAQ's ring buffer: names, sizes and places of its shared memory and its metadata stream.

A ring has no header. Its name, the size of an image and the number of slots say where image i lies:
in slot i % slots, which begins at slot × bytes of an uncompressed image.
"""

from __future__ import annotations

import re
from pathlib import Path

from repstream.errors import Refused

SCHEME = "ring://"

SHARED_MEMORY = Path("/dev/shm")
"""Where Linux keeps POSIX shared memory (shm_overview(7)).

Opened as files, which need no mapping: reading or writing beyond the end gives an error then, where a
mapping that its owner has cut ends the process (SIGBUS).
"""

PAGE = 2 << 20
"""Bytes that the size of a ring is a multiple of."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,89}")
"""One path element, short enough for the address of a Unix socket (107 bytes)."""


def ring_name(address: str, subject: str) -> str:
    """The name in ``ring://<detector_name>-<suffix>``. Raises `Refused` about `subject` for any other."""
    name = address.removeprefix(SCHEME)
    if not _NAME.fullmatch(name):
        raise Refused(
            subject,
            f"{address!r} names no ring buffer: must be ring://<detector_name>-<suffix>, such as"
            " ring://eiger-image, of at most 90 letters, digits, '_', '-' and '.'",
        )
    return name


def segment_path(name: str) -> Path:
    """The shared memory of a ring."""
    return SHARED_MEMORY / name


def metadata_path(name: str) -> Path:
    """The Unix socket of a ring's metadata stream."""
    return Path("/tmp") / name


def segment_bytes(slots: int, nbytes: int) -> int:
    """Size of a ring whose images take `nbytes` bytes uncompressed."""
    return -(-slots * nbytes // PAGE) * PAGE
