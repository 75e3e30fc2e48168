"""Messages and bytes a second, sampled from the statistics of a stream."""

from __future__ import annotations

import time
from argparse import Namespace
from collections import deque
from collections.abc import MutableSequence
from typing import Any, Protocol


class Counted(Protocol):
    """The part of a stream's statistics that is sampled."""

    @property
    def total_bytes_received(self) -> int: ...

    @property
    def messages_received(self) -> int: ...


class ThroughputStatistics:
    """Rates over at least `sampling_interval` seconds each, and over all.

    Samples go to `buffer` (default: the last 100), state to attributes of `namespace`; both
    may be those of a `multiprocessing.Manager`.
    """

    MB_FACTOR = 1 / 10**6
    """Megabytes a byte."""

    def __init__(
        self,
        buffer: MutableSequence[dict[str, float]] | None = None,
        namespace: Any = None,
        sampling_interval: float = 0.2,
    ) -> None:
        self.sampling_interval = sampling_interval
        self._buffer = deque(maxlen=100) if buffer is None else buffer
        self.n = Namespace() if namespace is None else namespace
        self.n.initial_time = time.monotonic()
        nothing = {"total_bytes_received": 0, "messages_received": 0, "time": self.n.initial_time}
        self.n.last_sampled_statistics = nothing
        self.n.last_received_statistics = nothing

    def save_statistics(self, message_statistics: Counted) -> bool:
        """Take in the statistics of a stream; True if they made a new sample."""
        received = {
            "total_bytes_received": message_statistics.total_bytes_received,
            "messages_received": message_statistics.messages_received,
            "time": time.monotonic(),
        }
        self.n.last_received_statistics = received
        if received["time"] - self.n.last_sampled_statistics["time"] > self.sampling_interval:
            return self._sample()
        return False

    def flush(self) -> bool:
        """Make a sample of what came since the last one, however short; False if nothing did."""
        return self._sample()

    def get_last_sampled_statistics(self) -> dict[str, float] | None:
        """The newest sample: `message_rate` (Hz) and `data_rate` (bytes a second)."""
        return self._buffer[-1] if len(self._buffer) else None

    def get_statistics_raw(self) -> MutableSequence[dict[str, float]]:
        """All samples that are kept, the oldest first."""
        return self._buffer

    def get_statistics(self) -> dict[str, float]:
        """Totals and averages since the beginning; empty when nothing came."""
        received = self.n.last_received_statistics
        elapsed = received["time"] - self.n.initial_time
        messages, nbytes = received["messages_received"], received["total_bytes_received"]
        if not messages or elapsed <= 0:
            return {}
        return {
            "average_data_rate": nbytes / elapsed,
            "average_message_rate": messages / elapsed,
            "average_message_size": nbytes / messages,
            "messages_received": messages,
            "total_bytes_received": nbytes,
            "total_elapsed_time": elapsed,
        }

    def _sample(self) -> bool:
        last, received = self.n.last_sampled_statistics, self.n.last_received_statistics
        elapsed = received["time"] - last["time"]
        if elapsed <= 0:
            return False
        nbytes = received["total_bytes_received"] - last["total_bytes_received"]
        messages = received["messages_received"] - last["messages_received"]
        self._buffer.append({"message_rate": messages / elapsed, "data_rate": nbytes / elapsed})
        self.n.last_sampled_statistics = received
        return True


class ThroughputStatisticsPrinter:
    """Prints each sample, and a summary at the end, as lines that scripts may read."""

    def __init__(self, sampling_interval: float = 0.2) -> None:
        self.statistics = ThroughputStatistics(sampling_interval=sampling_interval)

    def save_statistics(self, message_statistics: Counted) -> None:
        """Take in the statistics of a stream, after each message."""
        if self.statistics.save_statistics(message_statistics):
            self.print_statistics()

    def print_statistics(self) -> None:
        """Print the newest sample, if there is one."""
        sample = self.statistics.get_last_sampled_statistics()
        if sample is not None:
            data_rate = sample["data_rate"] * self.statistics.MB_FACTOR
            print(f"Data rate: {data_rate: >10.3f} MB/s    Message rate: {sample['message_rate']: >10.3f} Hz")

    def print_summary(self) -> None:
        """Print totals and averages."""
        found, mega = self.statistics.get_statistics(), self.statistics.MB_FACTOR
        if found:
            print("_" * 60)
            print(f"Total elapsed time:   {found['total_elapsed_time']: >10.3f} s")
            print(f"Average message size: {found['average_message_size'] * mega: >10.3f} MB")
            print(f"Total bytes received: {found['total_bytes_received'] * mega: >10.3f} MB")
            print(f"Average data rate:    {found['average_data_rate'] * mega: >10.3f} MB/s")
            print(f"Messages received:    {found['messages_received']: >10d} messages")
            print(f"Average message rate: {found['average_message_rate']: >10.3f} Hz")
        else:
            print("No messages received.")
        print("_" * 60)

    def close(self, print_summary: bool = True) -> None:
        """Print what was not printed yet, and the summary."""
        if self.statistics.flush():
            self.print_statistics()
        if print_summary:
            self.print_summary()
