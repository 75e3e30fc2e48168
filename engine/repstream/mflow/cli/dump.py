"""`m_dump`: keep the messages of a stream as files, or show them."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from repstream.errors import StorageError, ToolError
from repstream.mflow.cli.common import Exit, Limits, LiveLine, add_limits, open_source, run
from repstream.mflow.receiver import Part, ReceiveHandler
from repstream.mflow.recording import Recorder

Keep = Callable[[int, Sequence[Part], float], None]


def main() -> None:
    """Receive a stream until Ctrl-C or a limit, and keep or show every part of every message."""
    parser = argparse.ArgumentParser(prog="m_dump", description="Stream dump utility")
    parser.add_argument("source", help='Source address - format "tcp://<address>:<port>"')
    parser.add_argument("folder", nargs="?", type=Path, help="Destination folder; without, the screen")
    parser.add_argument(
        "-m", "--mode", default="pull", help="Communication mode - either pull (default) or sub"
    )
    parser.add_argument(
        "-s",
        "--skip",
        default=0,
        type=int,
        help="Skip sub-messages starting from this number (including number)",
    )
    parser.add_argument("--timing", action="store_true", help="Keep when each message came, in times.csv")
    parser.add_argument(
        "--overwrite", action="store_true", help="Delete what the folder holds of messages first"
    )
    add_limits(parser)
    sys.exit(run(dump, parser.parse_args()))


def dump(arguments: argparse.Namespace, stop: threading.Event) -> Exit:
    """The tool."""
    keep = _keeping(arguments)
    stream = open_source(arguments.source, arguments.mode)
    live, limits = LiveLine(arguments.live, "dumped"), Limits(arguments, stop)
    seen, begin = stream.receiver.statistics, 0.0
    try:
        while not limits.reached(seen.messages_received):
            message = stream.receive(handler=ReceiveHandler.take)
            if message is not None:
                now = time.monotonic()
                begin = begin or now
                parts = message.data[: arguments.skip - 1] if arguments.skip > 0 else message.data
                keep(seen.messages_received - 1, parts, now - begin)
            live.tick(seen.messages_received, seen.total_bytes_received)
    except StorageError as error:
        raise ToolError(str(error), Exit.FAULTS) from error
    finally:
        live.finish()
        stream.disconnect()
    return limits.outcome(seen.messages_received)


def _keeping(arguments: argparse.Namespace) -> Keep:
    if arguments.folder is None:
        return _show
    try:
        return Recorder(arguments.folder, timing=arguments.timing, overwrite=arguments.overwrite).write
    except StorageError as error:
        raise ToolError(f"{error} (--overwrite deletes recorded ones)") from error


def _show(_number: int, parts: Sequence[Part], _seconds: float) -> None:
    for part in parts:
        print(bytes(part), flush=True)


if __name__ == "__main__":
    main()
