"""`m_stats`: the rate of a stream, and frames missing from it."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from typing import Any

import zmq

from repstream.accounting import GapTracker
from repstream.mflow.cli.common import Exit, Limits, LiveLine, add_limits, open_source, run
from repstream.mflow.frame_id import frame_id_of
from repstream.mflow.receiver import ReceiveHandler
from repstream.mflow.throughput import ThroughputStatisticsPrinter


class Counter:
    """A handler that decodes no more than the number of each message."""

    def __init__(self) -> None:
        self.gaps = GapTracker()
        self.without_id = 0

    def __call__(self, receiver: ReceiveHandler) -> bool:
        frame_id = frame_id_of(receiver.take())
        if frame_id is None:
            self.without_id += 1
        else:
            self.gaps.observe(frame_id)
        return True

    def figures(self) -> dict[str, int]:
        """What the frame ids say."""
        gaps = self.gaps
        return {
            "missing": gaps.missing,
            "duplicates": gaps.duplicates,
            "late": gaps.late,
            "resets": gaps.resets,
            "without_id": self.without_id,
        }


def main() -> None:
    """Receive a stream and print its rates until Ctrl-C or a limit; then totals and lost frames."""
    parser = argparse.ArgumentParser(prog="m_stats", description="Stream statistic utility")
    parser.add_argument("source", help='Source address - format "tcp://<address>:<port>"')
    parser.add_argument(
        "-m",
        "--mode",
        default="pull",
        choices=["pull", "sub"],
        help="Communication mode - either pull (default) or sub",
    )
    parser.add_argument(
        "-i",
        "--sampling_interval",
        type=float,
        default=0.5,
        help="Interval in seconds at which to sample the stream. If zero, every message is sampled.",
    )
    parser.add_argument("--monitor", action="store_true", help="Show who connects and who goes")
    parser.add_argument("--json", action="store_true", help="Print the totals as JSON, and no rates")
    parser.add_argument("--strict", action="store_true", help="Exit with 1 if frames are missing")
    add_limits(parser)
    sys.exit(run(stats, parser.parse_args()))


def stats(arguments: argparse.Namespace, stop: threading.Event) -> Exit:
    """The tool."""
    stream = open_source(arguments.source, arguments.mode)
    if arguments.monitor:
        stream.register_socket_monitor(_tell)
    printer = ThroughputStatisticsPrinter(sampling_interval=arguments.sampling_interval)
    show_samples = not (arguments.json or arguments.live)
    counter, live, limits = Counter(), LiveLine(arguments.live, "received"), Limits(arguments, stop)
    if not arguments.json:
        print(f"mflow stats started. Sampling interval is {arguments.sampling_interval:.2f} seconds.")
        print("_" * 60, flush=True)
    seen = stream.receiver.statistics
    while not limits.reached(seen.messages_received):
        if stream.receive(handler=counter) is None:
            pass
        elif show_samples:
            printer.save_statistics(seen)
        else:
            printer.statistics.save_statistics(seen)
        live.tick(seen.messages_received, seen.total_bytes_received, f", missing {counter.gaps.missing}")
    live.finish()
    stream.disconnect()
    _print_totals(printer, counter, arguments.json)
    if arguments.strict and counter.gaps.missing:
        return Exit.FAULTS
    return limits.outcome(seen.messages_received)


def _print_totals(printer: ThroughputStatisticsPrinter, counter: Counter, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**printer.statistics.get_statistics(), **counter.figures()}))
        return
    printer.close()
    for name, value in counter.figures().items():
        print(f"{name.replace('_', ' ').capitalize() + ':':<21} {value: >10d} messages")


def _tell(event: dict[str, Any] | None) -> None:
    if event is not None:
        name = zmq.Event(event["event"]).name
        place = event["endpoint"].decode(errors="replace")
        print(f"{time.strftime('%H:%M:%S')} {name} {place}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
