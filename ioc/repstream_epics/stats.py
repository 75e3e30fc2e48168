"""`IocStats`: the IOC about itself, under the names of iocStats (devIocStats), once a second."""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from repstream.version import __version__
from repstream_epics import names
from repstream_epics.channels import Channel, DoubleChannel, Head, LongChannel, StringChannel
from repstream_epics.states import NO_ALARM

PERIOD = 1.0
_TIME = "%m/%d/%Y %H:%M:%S"
_UNLIMITED = (0.0, 0.0)
_LONGS = {
    "HEARTBEAT": "Counts the seconds; stands still: dead",
    "CA_CLNT_CNT": "Clients",
    "CA_CONN_CNT": "Connected channels of all clients",
    "RECORD_CNT": "PVs",
    "FD_CNT": "Open files and sockets",
    "FD_MAX": "Open files and sockets, at most",
    "PROCESS_ID": "Process id",
}
_DOUBLES = {
    "IOC_CPU_LOAD": ("Processor time of the process", "%"),
    "MEM_USED": ("Memory of the process", "bytes"),
    "LOAD": ("Load of the host, one minute", ""),
}
_TEXTS = {
    "UPTIME": "Time since the start",
    "STARTTOD": "Time of the start",
    "TOD": "Time now",
    "HOSTNAME": "Host",
    "EPICS_VERS": "Version of repstream",
}


class Connections(Protocol):
    """What a server knows of its clients."""

    def clients(self) -> tuple[int, int]:
        """How many clients there are, and how many channels they have open."""


class IocStats:
    """The PVs, by full name, behind `prefix`; `records`: how many PVs the IOC has in all."""

    def __init__(self, prefix: str, records: Callable[[], int]) -> None:
        self._prefix = prefix
        self._started, self._since = time.time(), time.monotonic()
        self._beat = 0
        self._spent = (time.monotonic(), time.process_time())
        made: list[Channel] = [
            *(LongChannel(self._head(n, "longin", t), _UNLIMITED, None) for n, t in _LONGS.items()),
            *(
                DoubleChannel(self._head(n, "ai", text, unit), _UNLIMITED, None, 1)
                for n, (text, unit) in _DOUBLES.items()
            ),
            *(StringChannel(self._head(n, "stringin", text)) for n, text in _TEXTS.items()),
        ]
        self.channels: Mapping[str, Channel] = {channel.pvname: channel for channel in made}
        self._records = records

    def _head(self, name: str, record: str, text: str, unit: str = "") -> Head:
        return Head(names.check(self._prefix + name), record, text, unit=unit)

    async def run(self, connections: Connections) -> None:
        """Publish until cancelled."""
        while True:
            now = time.time()
            for name, value in self._values(connections, now).items():
                await self.channels[self._prefix + name].show(value, NO_ALARM, now)
            await asyncio.sleep(PERIOD)

    def _values(self, connections: Connections, now: float) -> Mapping[str, int | float | str]:
        clients, channels = connections.clients()
        self._beat += 1
        return {
            "HEARTBEAT": self._beat,
            "CA_CLNT_CNT": clients,
            "CA_CONN_CNT": channels,
            "RECORD_CNT": self._records(),
            "FD_CNT": sum(1 for _ in Path("/proc/self/fd").iterdir()),
            "FD_MAX": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            "PROCESS_ID": os.getpid(),
            "IOC_CPU_LOAD": self._load(),
            "MEM_USED": _memory(),
            "LOAD": os.getloadavg()[0],
            "UPTIME": _duration(time.monotonic() - self._since),
            "STARTTOD": _clock(self._started),
            "TOD": _clock(now),
            "HOSTNAME": platform.node()[:39],
            "EPICS_VERS": __version__,
        }

    def _load(self) -> float:
        before, (wall, spent) = self._spent, (time.monotonic(), time.process_time())
        self._spent = wall, spent
        elapsed = wall - before[0]
        return 100 * (spent - before[1]) / elapsed if elapsed > 0 else 0.0


def _memory() -> float:
    resident = int(Path("/proc/self/statm").read_text().split()[1])
    return float(resident * resource.getpagesize())


def _clock(when: float) -> str:
    return datetime.fromtimestamp(when).strftime(_TIME)


def _duration(seconds: float) -> str:
    """As iocStats writes it: ``2 days, 03:04:05``."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    clock = f"{hour:02}:{minute:02}:{second:02}"
    return f"{days} day{'s' * (days > 1)}, {clock}" if days else clock
