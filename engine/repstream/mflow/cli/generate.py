"""`m_generate`: a stream of messages of any size, to measure what a link can carry."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from typing import Any

import numpy as np

from repstream.errors import ToolError
from repstream.messages import array_1_0
from repstream.mflow.cli.common import (
    Exit,
    Limits,
    LiveLine,
    add_limits,
    open_sink,
    run,
    send_message,
)
from repstream.mflow.receiver import Statistics
from repstream.mflow.throughput import ThroughputStatisticsPrinter

MEBIBYTE = 1 << 20
WIDTH = 1024


def main() -> None:
    """Send messages until Ctrl-C or a limit, printing the rate."""
    parser = argparse.ArgumentParser(prog="m_generate", description="Stream generation utility")
    parser.add_argument(
        "-a",
        "--address",
        default="tcp://*:9999",
        help='Address - format "tcp://<address>:<port>" (default: "tcp://*:9999")',
    )
    parser.add_argument("-s", "--size", default=1.0, type=float, help="Size of data to send (MB)")
    parser.add_argument(
        "-m", "--mode", default="push", help="Communication mode - either push (default) or pub"
    )
    parser.add_argument("-r", "--rate", default=0.0, type=float, help="Messages a second (0: all that go)")
    parser.add_argument(
        "-f", "--format", default="raw-1.0", choices=["raw-1.0", "array-1.0"], help="Format of the messages"
    )
    add_limits(parser, receiving=False)
    sys.exit(run(generate, parser.parse_args()))


def generate(arguments: argparse.Namespace, stop: threading.Event) -> Exit:
    """The tool."""
    if not 0 < arguments.size <= 4096 or arguments.rate < 0:
        raise ToolError("the size must be above 0 and at most 4096 MB, the rate 0 or more")
    nbytes = max(4, int(arguments.size * MEBIBYTE))
    stream = open_sink(arguments.address, arguments.mode, linger=5000)
    print(f"Sending messages of size {arguments.size:f} MB", flush=True)
    printer, statistics = ThroughputStatisticsPrinter(), Statistics()
    live, limits = LiveLine(arguments.live, "sent"), Limits(arguments, stop)
    data = np.zeros(nbytes, np.uint8)
    begin, sent = time.monotonic(), 0
    while not limits.reached(sent):
        if arguments.rate and stop.wait(max(0.0, begin + sent / arguments.rate - time.monotonic())):
            break
        if not send_message(stream, _message(arguments.format, sent, data)):
            continue
        sent += 1
        # The data only, as the size on the command line.
        statistics.messages_received = sent
        statistics.total_bytes_received += nbytes
        if not arguments.live:
            printer.save_statistics(statistics)
        live.tick(sent, statistics.total_bytes_received)
    live.finish()
    if stop.is_set():
        print("Terminated by user.")
    printer.statistics.save_statistics(statistics)
    printer.close()
    stream.disconnect()
    return limits.outcome(sent)


def _message(htype: str, number: int, data: np.ndarray[Any, Any]) -> list[Any]:
    if htype == "array-1.0":
        whole = data[: data.size // WIDTH * WIDTH] if data.size >= WIDTH else data
        return array_1_0.encode(number, whole.reshape(-1, min(WIDTH, whole.size)))
    header = {"htype": "raw-1.0", "type": "int32", "shape": [1, data.size // 4], "frame": number}
    return [json.dumps(header).encode(), data]


if __name__ == "__main__":
    main()
