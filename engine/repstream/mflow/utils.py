"""What goes round a stream: merging, throughput, and who is connected."""

from __future__ import annotations

from repstream.mflow.merge import Merge, RoundRobinStrategy
from repstream.mflow.monitors import (
    ConnectionCountMonitor,
    SocketEventListener,
    no_clients_timeout_notifier,
)
from repstream.mflow.throughput import ThroughputStatistics, ThroughputStatisticsPrinter

__all__ = [
    "ConnectionCountMonitor",
    "Merge",
    "RoundRobinStrategy",
    "SocketEventListener",
    "ThroughputStatistics",
    "ThroughputStatisticsPrinter",
    "no_clients_timeout_notifier",
]
