"""Writing buffers at offsets, and reading them, all of each, however many system calls that takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

Buffer = Any
"""Anything contiguous with the buffer protocol: bytes, memoryview, zmq.Frame, numpy array."""

_IOV_MAX = os.sysconf("SC_IOV_MAX")


def write_all(fd: int, data: bytes | bytearray | memoryview, offset: int) -> None:
    """Write all of `data` at `offset`. Raises OSError as the system gives it."""
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done


def read_all(fd: int, size: int, offset: int) -> bytes:
    """Read `size` bytes from `offset` on, fewer only at the end of the file. Raises OSError."""
    data = b""
    while len(data) < size and (more := os.pread(fd, size - len(data), offset + len(data))):
        data += more
    return data


def write_buffers(fd: int, buffers: Sequence[Buffer | None], sizes: Sequence[int], offset: int) -> None:
    """Write all buffers, `sizes` bytes each, one after another from `offset` on, without a copy.

    One that is None is left as it is in the file. Raises OSError as the system gives it; part of the
    buffers may have been written then.
    """
    first = 0
    for hole in [number for number, buffer in enumerate(buffers) if buffer is None]:
        _write_run(fd, buffers[first:hole], sizes[first:hole], offset)
        offset += sum(sizes[first : hole + 1])
        first = hole + 1
    _write_run(fd, buffers[first:], sizes[first:], offset)


def _write_run(fd: int, buffers: Sequence[Buffer], sizes: Sequence[int], offset: int) -> None:
    for first in range(0, len(buffers), _IOV_MAX):
        group, group_sizes = buffers[first : first + _IOV_MAX], sizes[first : first + _IOV_MAX]
        total = sum(group_sizes)
        done = os.pwritev(fd, group, offset)
        if done < total:
            _write_rest(fd, group, group_sizes, done, offset)
        offset += total


def _write_rest(fd: int, buffers: Sequence[Buffer], sizes: Sequence[int], done: int, offset: int) -> None:
    """Go on where a call ended early: a disk nearly full, a signal, or 2 GiB in one call."""
    for buffer, size in zip(buffers, sizes, strict=True):
        if done < size:
            write_all(fd, _as_bytes(buffer)[done:], offset + done)
        done, offset = max(0, done - size), offset + size


def _as_bytes(buffer: Buffer) -> memoryview:
    view = memoryview(buffer)
    # A memoryview of big-endian numbers cannot be cast; this path is rare enough for a copy.
    return view.cast("B") if view.format in ("B", "b", "c") else memoryview(view.tobytes())
