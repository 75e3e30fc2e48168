"""Whether a file is still what its writer made of it, where nothing keeps others from changing it."""

from __future__ import annotations

import os

from repstream.files.raw_io import read_all

HEAD = 96
"""Bytes at the beginning of a file that only its writer changes: the superblock."""


def check_intact(fd: int, head: bytes, size: int) -> None:
    """Raise OSError where the open file is shorter than `size` bytes or does not begin with `head`."""
    found = os.fstat(fd).st_size
    if found < size:
        raise OSError(f"another program cut it to {found} bytes while it was written, {size} were there")
    if read_all(fd, len(head), 0) != head:
        raise OSError("another program wrote over its beginning while it was written")
