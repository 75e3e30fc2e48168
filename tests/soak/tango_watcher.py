"""Clients of a Tango device: ``DEVICE poll|subscribe HOW_MANY LAST NAME…``, a thread or subscription each.

Prints ``ready``, then, once every one of them has seen LAST in every NAME, what it saw as JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

import tango

PERIOD = 0.1
POLLED = 60
"""Attributes of a poll."""
PATIENCE = 60.0
"""Seconds without news after which the last values do not come any more."""


class Seen:
    """What came, of one client; values rise, so one that falls came out of order."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.values: dict[str, int] = {}
        self.count = self.fallen = self.late = self.errors = 0
        self.durations: list[float] = []
        self.news = time.monotonic()

    def take(self, name: str, value: Any) -> None:
        self.count += 1
        if value is None:
            return
        name = name.lower()
        before = self.values.get(name, 0)
        self.fallen += int(value) < before
        self.values[name] = int(value)
        if int(value) != before:
            self.news = time.monotonic()

    def quantile(self, share: float) -> float:
        """Seconds that this share of the polls took at most."""
        ordered = sorted(self.durations)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0

    def facts(self) -> dict[str, Any]:
        """What was seen, as JSON has it."""
        told = {fact: getattr(self, fact) for fact in ("count", "fallen", "late", "errors", "is_done")}
        return told | {
            "median": self.quantile(0.5),
            "p99": self.quantile(0.99),
            "longest": self.quantile(1.0),
        }

    @property
    def is_done(self) -> bool:
        return bool(self.values) and set(self.values.values()) == {self.last}


def poll(device: str, names: list[str], more: list[str], seen: Seen, ready: threading.Barrier) -> None:
    proxy = tango.DeviceProxy(device)
    ready.wait()
    due = time.monotonic()
    while not seen.is_done and time.monotonic() < seen.news + PATIENCE:
        due += PERIOD
        begin = time.monotonic()
        for read in proxy.read_attributes([*names, *more]):
            if read.name in names:
                seen.take(read.name, read.value)
        now = time.monotonic()
        seen.durations.append(now - begin)
        seen.late += now > due
        time.sleep(max(0.0, due - now))
        due = max(due, now)


def subscribe(device: str, names: list[str], seen: Seen, ready: threading.Barrier) -> None:
    proxy = tango.DeviceProxy(device)

    def take(event: Any) -> None:
        if event.err:
            seen.errors += 1
        else:
            seen.take(event.attr_value.name, event.attr_value.value)

    ids = [proxy.subscribe_event(name, tango.EventType.CHANGE_EVENT, take) for name in names]
    ready.wait()  # what comes with a subscription may be newer than events that are on their way
    while not seen.is_done and time.monotonic() < seen.news + PATIENCE:
        time.sleep(PERIOD)
    for number in ids:
        proxy.unsubscribe_event(number)


def main(device: str, way: str, how_many: int, last: int, names: list[str]) -> None:
    all_seen = [Seen(last) for _ in range(how_many)]
    listed = [str(n) for n in tango.DeviceProxy(device).get_attribute_list() if "Image" not in str(n)]
    more = [name for name in listed if name not in names][: POLLED - len(names)]
    ready = threading.Barrier(how_many + 1)
    threads = [
        threading.Thread(target=poll, args=(device, names, more, seen, ready))
        if way == "poll"
        else threading.Thread(target=subscribe, args=(device, names, seen, ready))
        for seen in all_seen
    ]
    for thread in threads:
        thread.start()
    ready.wait()
    print("ready", flush=True)
    for thread in threads:
        thread.join()
    print(json.dumps([seen.facts() for seen in all_seen]), flush=True)


if __name__ == "__main__":
    with tango.EnsureOmniThread():
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
