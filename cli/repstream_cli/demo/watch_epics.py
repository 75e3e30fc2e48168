"""Print what PVs say: ``python -m repstream_cli.demo.watch_epics PV …``, a line ``PV value`` a change.

A process of its own, because Channel Access clients take their settings from the environment.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from caproto.sync.client import block, subscribe


def text(data: Any) -> str:
    """A value as text; character waveforms and enumerations come as bytes or numbers."""
    if len(data) and isinstance(data[0], bytes):
        return data[0].decode(errors="replace")
    return str(data[0]) if len(data) else ""


def main() -> None:
    """Print changes until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    def show(subscription: Any, response: Any) -> None:
        print(subscription.pv_name, text(response.data), flush=True)

    subscriptions = [subscribe(name) for name in sys.argv[1:]]
    for subscription in subscriptions:
        subscription.add_callback(show)
    block(*subscriptions, timeout=10, repeater=False)


if __name__ == "__main__":
    main()
