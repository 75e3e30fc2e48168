"""A client of the load test: ``DEVICE poll|subscribe|die RECEIVED EVERY_NTH``; ends with the last values."""

from __future__ import annotations

import sys
import time
from typing import Any

import tango

ATTRIBUTES = 60
FINAL = ("SourceReceived", "Stream1EveryNth")
PATIENCE = 60.0


def main(device: str, way: str, received: int, every_nth: int) -> None:
    proxy = tango.DeviceProxy(device)
    names = [str(n) for n in proxy.get_attribute_list() if "Image" not in str(n)][:ATTRIBUTES]
    names = list(dict.fromkeys((*names, *FINAL)))
    seen: dict[str, Any] = {}
    subscriptions = []

    def take(event: Any) -> None:
        if not event.err:
            seen[event.attr_value.name.lower()] = event.attr_value.value

    if way != "poll":
        subscriptions = [proxy.subscribe_event(n, tango.EventType.CHANGE_EVENT, take) for n in names]
    print("ready", flush=True)
    end = time.monotonic() + PATIENCE
    while way == "die" or [seen.get(name.lower()) for name in FINAL] != [received, every_nth]:
        if time.monotonic() > end:
            sys.exit(f"the last values seen were {seen}")
        if way == "poll":
            seen |= {read.name.lower(): read.value for read in proxy.read_attributes(names)}
        time.sleep(0.1)
    for subscription in subscriptions:
        proxy.unsubscribe_event(subscription)
    print("seen", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
