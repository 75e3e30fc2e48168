"""What the system lets a process have: open files, memory, ZMQ's own limits."""

from __future__ import annotations

from collections.abc import Iterator

import zmq

from repstream_cli.doctor.finding import Finding, fail, ok, warn
from repstream_cli.doctor.plan import readable
from repstream_cli.doctor.site import Site

FEWEST_FILES, ENOUGH_FILES = 256, 4096
"""An engine has about a hundred files open; each client of EPICS, Tango or HTTP takes one or two."""

IO_THREAD = 1e9
"""Bytes a second that one I/O thread of ZMQ moves."""

MOST_OF_MEMORY = 0.8
CALM = 10
"""vm.swappiness up to which the kernel leaves a process's memory alone."""


def open_files(site: Site) -> Iterator[Finding]:
    """The limit of open files."""
    soft, hard = site.machine.open_files()
    found = f"a process may open {soft} files, and raise that to {hard}"
    if soft >= ENOUGH_FILES:
        yield ok("open files", found)
        return
    say = fail if soft < FEWEST_FILES else warn
    advice = f"clients beyond that are refused; allow {ENOUGH_FILES} (LimitNOFILE= in a unit of systemd)"
    yield say("open files", found, advice, f"ulimit -n {ENOUGH_FILES}")


def memory(site: Site) -> Iterator[Finding]:
    """Do the queues fit into the memory, and does it stay there?"""
    available = _available(site)
    if available is not None:
        needed = _queues(site)
        found = f"{readable(available)} of memory are available; full queues take {readable(needed)}"
        if needed > MOST_OF_MEMORY * available:
            yield warn(
                "memory",
                found,
                "the kernel may kill the data plane when all outputs are slow at once; lower buffer_memory",
                "free -h",
            )
        else:
            yield ok("memory", found)
    swaps = (site.machine.read("/proc/swaps") or "").splitlines()[1:]
    swappiness = site.machine.number("/proc/sys/vm/swappiness") or 0
    if swaps and swappiness > CALM:
        yield warn(
            "memory",
            f"memory may be swapped out (vm.swappiness = {swappiness}), which holds frames up",
            "let the kernel swap only when it must",
            f"sysctl -w vm.swappiness={CALM}",
        )
    locked = site.machine.locked_memory()
    yield ok(
        "memory",
        f"{'any amount' if locked < 0 else readable(locked)} of memory may be locked; repstream locks none",
    )


def _available(site: Site) -> int | None:
    """Bytes that a new process may take, by the machine or by its control group."""
    found = [
        int(line.split()[1]) * 1024
        for line in (site.machine.read("/proc/meminfo") or "").splitlines()
        if line.startswith("MemAvailable:")
    ]
    most = site.machine.number("/sys/fs/cgroup/memory.max")
    if most is not None:
        found.append(most - (site.machine.number("/sys/fs/cgroup/memory.current") or 0))
    return min(found, default=None)


def _queues(site: Site) -> int:
    configuration = site.configuration
    budgets = [configuration.source.buffer_memory]
    budgets += [stream.buffer_memory for stream in configuration.streams.values()]
    budgets += [writer.buffer_memory for writer in configuration.writers.values()]
    return sum(budgets) * 2**20


def zmq_limits(site: Site) -> Iterator[Finding]:
    """What libzmq allows and was built with."""
    with zmq.Context() as context:
        most = context.get(zmq.MAX_SOCKETS)
    yield ok("ZMQ", f"libzmq {zmq.zmq_version()} allows {most} sockets in a process")
    if not zmq.has("curve"):
        yield warn(
            "ZMQ", "libzmq was built without CURVE", "install pyzmq's own wheel", "pip install --force pyzmq"
        )
    if site.plan is None:
        return
    threads = site.configuration.source.io_threads
    wanted = int(site.plan.bytes_per_second // IO_THREAD) + 1
    found = f"{threads} I/O threads for {readable(site.plan.bytes_per_second)}/s"
    if threads < wanted:
        yield warn(
            "ZMQ",
            found,
            f"one moves about 1 GB/s; set source.io_threads to {wanted} while the engine is idle",
        )
    else:
        yield ok("ZMQ", found)
