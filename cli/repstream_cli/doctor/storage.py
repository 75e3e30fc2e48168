"""The folders for files: may be written, have room, lock, are fast enough."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from repstream_cli.doctor.finding import Finding, fail, ok, warn
from repstream_cli.doctor.plan import Plan, readable
from repstream_cli.doctor.site import Site

LITTLE = 10e9
"""Bytes of free space below which a folder is nearly full, where nothing is planned."""

BLOCK = 4 * 2**20
PROBE, LONG_PROBE = 64 * 2**20, 512 * 2**20
"""Bytes that are written to see how fast that is; the long one where a run is planned."""
PROBE_TIME = 3.0
"""Seconds after which the probe ends, however little it wrote."""
SHARE_OF_FREE = 0.1
"""Of the free space, what the probe takes at most."""
RESERVE = 1.3
"""How much faster than the detector a disk must be, so that other work on it does no harm."""


def roots(site: Site) -> Iterator[Finding]:
    """Every folder below which files may be written."""
    if site.engine is not None and not site.engine.here:
        yield ok("storage", f"the folders are those of {site.engine.host}: run `repstream doctor` there")
        return
    for root in site.roots:
        yield from folder(root, site)


def folder(root: Path, site: Site) -> Iterator[Finding]:
    """One of them."""
    try:
        free, nodes = _free(root)
        with tempfile.TemporaryFile(dir=root, prefix=".repstream-doctor-") as probe:
            os.pwrite(probe.fileno(), bytes(4096), 0)
            os.fsync(probe.fileno())
    except OSError as error:
        yield fail(
            "storage",
            f"{root} cannot be written: {error.strerror}",
            "make the folder, let this user write there, or free some space",
            f"df -h {root}; ls -ld {root}; id",
        )
        return
    yield space(root, free, nodes, site.plan)
    yield locking(root)
    yield speed(root, free, _kind(root, site), site.plan)


def shared_memory(site: Site) -> Iterator[Finding]:
    """Is there room for the ring buffers of the configuration, with images of the planned size?"""
    configuration = site.configuration
    slots = [stream.ring_slots for stream in configuration.streams.values() if is_ring(stream.address)]
    if is_ring(configuration.source.address):
        slots.append(configuration.source.ring_slots)
    if site.plan is None or not slots:
        return
    where = site.machine.root / "dev/shm"
    needed = sum(slots) * site.plan.image_bytes
    try:
        free, _ = _free(where)
    except OSError as error:
        found = f"ring buffers want {where}: {error.strerror}"
        yield fail("storage", found, "mount it", "mount -t tmpfs tmpfs /dev/shm")
        return
    found = f"{where} has {readable(free)} free; ring buffers with {sum(slots)} slots take {readable(needed)}"
    if needed > free:
        advice = "lower ring_slots, or make it larger where the machine has the memory"
        yield fail("storage", found, advice, f"mount -o remount,size={needed} /dev/shm")
    else:
        yield ok("storage", found)


def is_ring(address: str) -> bool:
    """Whether an address is that of a ring buffer in shared memory."""
    return address.startswith("ring://")


def space(root: Path, free: int, nodes: int | None, plan: Plan | None) -> Finding:
    """Is there room for the planned run, or for any?"""
    found = f"{root} has {readable(free)} free"
    if nodes == 0:
        return fail(
            "storage", f"{root} has no room for another file (inodes)", "remove files", f"df -i {root}"
        )
    if plan is None:
        if free < LITTLE:
            return warn("storage", found, "make room, or name another --root", f"df -h {root}")
        return ok("storage", found)
    found += f"; the run writes {readable(plan.total_bytes)}"
    if plan.total_bytes > free:
        lasts = free / plan.bytes_per_second
        return fail("storage", f"{found} and fills it after {lasts:.0f} s", "make room", f"df -h {root}")
    return ok("storage", found)


def locking(root: Path) -> Finding:
    """Does a lock keep a second writer away?"""
    descriptor, name = tempfile.mkstemp(dir=root, prefix=".repstream-doctor-")
    second = -1
    try:
        second = os.open(name, os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return ok("storage", f"{root} locks files")
    except OSError as error:
        found = f"{root} does not lock files: {error.strerror}"
    else:
        found = f"{root} gives the lock of a file to two at once"
    finally:
        os.close(descriptor)
        if second >= 0:
            os.close(second)
        Path(name).unlink()
    advice = "a second program could change a file while it is written; mount it with locks"
    return warn("storage", found, advice, f"findmnt -T {root}")


def speed(root: Path, free: int, kind: str, plan: Plan | None) -> Finding:
    """How fast is what is written on the disk?"""
    limit = min(PROBE if plan is None else LONG_PROBE, max(BLOCK, int(free * SHARE_OF_FREE)))
    try:
        rate = _write(root, limit)
    except OSError as error:
        found = f"{root} took only part of {readable(limit)}: {error.strerror}"
        return fail("storage", found, "make room", f"df -h {root}; quota -s")
    found = f"{root} ({kind}) takes {readable(rate)}/s"
    if plan is None:
        return ok("storage", found)
    needed = plan.bytes_per_second
    found += f"; the run needs {readable(needed)}/s"
    if rate < needed:
        advice = "frames would be lost; take a faster disk, compression, several parts or a lower rate"
        return fail("storage", found, advice, f"iostat -x 1; findmnt -T {root}")
    if rate < RESERVE * needed:
        return warn("storage", found, "that leaves little for other work on it", "iostat -x 1")
    return ok("storage", found)


def _write(root: Path, limit: int) -> float:
    """Bytes a second that reach the disk under `root`."""
    block = os.urandom(BLOCK)  # no file system makes it smaller
    with tempfile.TemporaryFile(dir=root, prefix=".repstream-doctor-") as probe:
        begin, done = time.monotonic(), 0
        while done < limit and time.monotonic() - begin < PROBE_TIME:
            done += os.pwrite(probe.fileno(), block, done)
        os.fdatasync(probe.fileno())
        return done / max(time.monotonic() - begin, 1e-9)


def _free(root: Path) -> tuple[int, int | None]:
    """Bytes free for this user, and files; None where the file system does not count them."""
    seen = os.statvfs(root)
    return seen.f_bavail * seen.f_frsize, seen.f_favail if seen.f_files else None


def _kind(root: Path, site: Site) -> str:
    """The type of the file system, such as ext4 or nfs4."""
    mounts = []
    for line in (site.machine.read("/proc/self/mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        with suppress(IndexError, ValueError):
            point = Path(before.split()[4].replace("\\040", " "))
            if root.resolve().is_relative_to(point):
                mounts.append((len(point.parts), after.split()[0]))
    return max(mounts, default=(0, "unknown file system"), key=lambda mount: mount[0])[1]
