"""The kernel's socket buffers and queues, and the speed of the links."""

from __future__ import annotations

from collections.abc import Iterator

from repstream_cli.doctor.finding import Finding, fail, ok, warn
from repstream_cli.doctor.plan import readable
from repstream_cli.doctor.site import Site
from repstream_cli.ports import host_and_port

LEAST_BUFFER = 4 * 2**20
"""Bytes of a TCP buffer that Linux allows by itself, and enough for 10 Gbit/s at the distances of a site."""

HICCUP = 0.01
"""Seconds of data that a buffer must hold: as long may a process wait for a core."""

LEAST_LISTENING = 128
LEAST_BACKLOG = 1000
BACKLOG_FOR_FAST = 10_000
FAST = 1e9
"""Bytes a second from which on packets come faster than the usual backlog takes them."""

LINK_SHARE = 0.9
"""Of a link's speed, what is left for the images beside the headers of Ethernet, IP and TCP."""


def buffers(site: Site) -> Iterator[Finding]:
    """What the kernel lets a TCP connection hold: ZMQ leaves that to it."""
    least = LEAST_BUFFER
    if site.plan is not None:
        least = max(least, int(site.plan.bytes_per_second * HICCUP))
    for name, what in (("tcp_rmem", "receive"), ("tcp_wmem", "send")):
        most = site.machine.number(f"/proc/sys/net/ipv4/{name}", 2)
        if most is None:
            continue
        found = f"a TCP connection may have {readable(most)} of {what} buffer (net.ipv4.{name})"
        if most < least:
            yield warn(
                "socket buffers",
                found,
                f"a fast detector needs {readable(least)}; set it, and in /etc/sysctl.d to keep it",
                f"sysctl -w net.ipv4.{name}='4096 131072 {max(least, 16 * 2**20)}'",
            )
        else:
            yield ok("socket buffers", found)


def queues(site: Site) -> Iterator[Finding]:
    """Connections that wait to be accepted, and packets that wait for the kernel."""
    fast = site.plan is not None and site.plan.bytes_per_second > FAST
    for name, what, least in (
        ("somaxconn", "connections may wait to be accepted", LEAST_LISTENING),
        ("netdev_max_backlog", "packets may wait for a core", BACKLOG_FOR_FAST if fast else LEAST_BACKLOG),
    ):
        most = site.machine.number(f"/proc/sys/net/core/{name}")
        if most is None:
            continue  # another network namespace does not show it
        found = f"{most} {what} (net.core.{name})"
        if most < least:
            yield warn("network queues", found, f"raise it to {least}", f"sysctl -w net.core.{name}={least}")
        else:
            yield ok("network queues", found)


def links(site: Site) -> Iterator[Finding]:
    """Does the planned run fit through the network?"""
    if site.plan is None:
        return
    needed = site.plan.bytes_per_second
    place = host_and_port(site.configuration.source.address)
    if place is None or place[0].startswith("127.") or place[0] == "localhost":
        yield ok("network", f"the detector's stream of {readable(needed)}/s does not use the network")
        return
    speeds = {
        name: speed
        for name in site.machine.below("/sys/class/net")
        if site.machine.read(f"/sys/class/net/{name}/operstate") == "up"
        and (speed := site.machine.number(f"/sys/class/net/{name}/speed") or 0) > 0
    }
    if not speeds:
        yield warn(
            "network",
            "no network interface says how fast it is",
            f"make sure that the one to the detector carries {readable(needed)}/s",
            "ip -s link",
        )
        return
    name, speed = max(speeds.items(), key=lambda item: item[1])
    usable = speed * 1e6 / 8 * LINK_SHARE
    found = f"the fastest link, {name}, carries {readable(usable)}/s; the run needs {readable(needed)}/s"
    if needed > usable:
        yield fail("network", found, "take a faster link, compressed images or a lower rate", "ip -s link")
    else:
        yield ok("network", found)
