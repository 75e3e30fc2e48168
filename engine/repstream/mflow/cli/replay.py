"""`m_replay`: send what `m_dump` kept."""

from __future__ import annotations

import argparse
import itertools
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from repstream.errors import StorageError, ToolError
from repstream.mflow.cli.common import (
    Exit,
    Limits,
    LiveLine,
    add_limits,
    open_sink,
    run,
    send_message,
)
from repstream.mflow.mflow import BIND, connect
from repstream.mflow.recording import TIMES, messages_in, times_in

LINGER = 60_000
"""Most ms to get the last messages out to consumers that are there."""


def main() -> None:
    """Send the messages of a folder."""
    parser = argparse.ArgumentParser(prog="m_replay", description="Stream replay utility")
    parser.add_argument("folder", type=Path, help="Folder with the messages")
    parser.add_argument(
        "-a",
        "--address",
        default="tcp://*:9999",
        help='Address - format "tcp://<address>:<port>" (default: "tcp://*:9999")',
    )
    parser.add_argument(
        "-m", "--mode", default="push", help="Communication mode - either push (default) or pub"
    )
    parser.add_argument("--timing", action="store_true", help="Send as they came, by the times.csv of m_dump")
    parser.add_argument(
        "--speed", type=float, default=1.0, help="With --timing: factor by which to go faster"
    )
    parser.add_argument("-r", "--rate", type=float, default=0.0, help="Messages a second (0: all that go)")
    parser.add_argument("--wait", type=float, default=0.0, help="Seconds before the first (for -m pub)")
    parser.add_argument("--loop", action="store_true", help="Begin again at the end")
    add_limits(parser, receiving=False)
    sys.exit(run(replay, parser.parse_args()))


def replay(arguments: argparse.Namespace, stop: threading.Event) -> Exit:
    """The tool."""
    if arguments.speed <= 0 or arguments.rate < 0 or arguments.wait < 0:
        raise ToolError("the speed must be above 0, the rate and the wait 0 or more")
    recorded = _plan(arguments)
    stream = open_sink(arguments.address, arguments.mode, LINGER)
    live, limits = LiveLine(arguments.live, "sent"), Limits(arguments, stop)
    stop.wait(arguments.wait)
    sent = nbytes = 0
    try:
        for paths in _in_time(recorded, arguments, stop):
            parts = [path.read_bytes() for path in paths]
            while not limits.reached(sent) and not send_message(stream, parts):
                live.tick(sent, nbytes)
            if limits.reached(sent):
                break
            _tell(paths)
            sent, nbytes = sent + 1, nbytes + sum(map(len, parts))
            live.tick(sent, nbytes)
    except OSError as error:
        raise ToolError(f"{error.filename}: {error.strerror}", Exit.FAULTS) from error
    finally:
        live.finish()
        if stop.is_set():
            stream.socket.linger = 0
        stream.disconnect()
    return limits.outcome(sent)


def replay_folder(bind_address: str, folder: str | Path, mode: int) -> None:
    """Send the messages of a folder to those that connect; `mode` is PUSH or PUB of `repstream.mflow`.

    Raises ValueError for a folder that cannot be read or holds no messages, RuntimeError for an
    address that cannot be bound.
    """
    try:
        recorded = messages_in(Path(folder))
    except StorageError as error:
        raise ValueError(str(error)) from error
    if not recorded:
        raise ValueError(f"{folder}: holds no messages (NNNNNN_MMM.raw)")
    with connect(bind_address, BIND, mode, linger=LINGER) as stream:
        for _, paths in recorded:
            send_message(stream, [path.read_bytes() for path in paths])
            _tell(paths)


def _in_time(
    recorded: Sequence[tuple[Sequence[Path], float]], arguments: argparse.Namespace, stop: threading.Event
) -> Iterator[Sequence[Path]]:
    """The files of each message when it is due, again and again with `--loop`."""
    pause = 1 / arguments.rate if arguments.rate else 0.0
    for _ in itertools.count() if arguments.loop else (0,):
        begin = 0.0
        for number, (paths, seconds) in enumerate(recorded):
            due = number * pause if pause else seconds / arguments.speed
            stop.wait(max(0.0, begin + due - time.monotonic()))
            yield paths
            # Time begins when somebody takes the first message.
            begin = begin or time.monotonic() - due
        stop.wait(pause)


def _plan(arguments: argparse.Namespace) -> list[tuple[list[Path], float]]:
    """The files of each message, and how long after the first it came (s)."""
    try:
        recorded = messages_in(arguments.folder)
        if not recorded:
            raise ToolError(f"{arguments.folder}: holds no messages (NNNNNN_MMM.raw)")
        times = times_in(arguments.folder) if arguments.timing else {number: 0.0 for number, _ in recorded}
        return [(paths, times[number]) for number, paths in recorded]
    except StorageError as error:
        raise ToolError(str(error)) from error
    except KeyError as error:
        raise ToolError(f"{arguments.folder}: no time of message {error.args[0]} in {TIMES}") from error


def _tell(paths: Sequence[Path]) -> None:
    for path in paths:
        print(f"Sending {path.name} [{path is not paths[-1]}]")


if __name__ == "__main__":
    main()
