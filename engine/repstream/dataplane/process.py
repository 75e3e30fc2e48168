"""The data plane's process: ``python -m repstream.dataplane.process --fd N``.

N is an inherited file descriptor, one end of a socket pair; the service holds the other. The
process ends when that end is closed, at the latest after five seconds; with ``--patience`` it goes on
as long as that for another service, if anything is open.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from repstream.dataplane.line import Line
from repstream.dataplane.router import Router
from repstream.files.fence import Start
from repstream.garbage_collection import spare_frames
from repstream.logs import log_to_stderr
from repstream.parameters.configuration import Configuration, at_path

SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread that computes lets the loop go on, which gives way at each message.

With Python's own 5 ms the loop waits for the writers' threads: 1.5 times slower at 4 kB a frame,
1.1 at 123 kB (one stream and one writer on two cores).
"""

END_TIME = 4.5
"""Seconds from the end of the service to that of this process, even where a disk hangs."""


def main() -> None:
    """Run the data plane until the service ends it or has gone."""
    parser = argparse.ArgumentParser(description="Data plane of repstream; started by the service.")
    parser.add_argument("--fd", type=int, required=True, help="inherited end of the service's socket pair")
    parser.add_argument("--configuration", default=Configuration.path(), help="class of the configuration")
    parser.add_argument("--start", default="null", help="which start of the engine this is, as JSON")
    parser.add_argument("--patience", type=float, default=0.0, help="seconds to go on without a service")
    arguments = parser.parse_args()
    log_to_stderr()
    with suppress(PermissionError):  # already the leader of a session
        os.setsid()
    with suppress(OSError):
        Path("/proc/self/comm").write_text("repstream-data")
    sys.setswitchinterval(SWITCH_INTERVAL)
    spare_frames()
    start = msgspec.json.decode(arguments.start, type=Start | None)
    with closing(Line(Connection(arguments.fd), start, arguments.patience)) as line:
        router = Router(line, _end_in_time, at_path(arguments.configuration))
        # Ctrl-C in the terminal is for the service, which then closes this process orderly.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: router.end())
        router.run()


def _end_in_time() -> None:
    timer = threading.Timer(END_TIME, os._exit, (1,))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    main()
