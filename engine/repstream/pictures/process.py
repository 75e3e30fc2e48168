"""The pictures' process: ``python -m repstream.pictures.process --fd N --address A``.

N is an inherited file descriptor, one end of a socket pair; the service holds the other. The process
ends when that end is closed.
"""

from __future__ import annotations

import argparse
import os
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from repstream.logs import log_to_stderr
from repstream.parameters.configuration import Configuration, at_path
from repstream.pictures.loop import Loop

NICENESS = 5
"""Where the processor is short, frames come first."""


def main() -> None:
    """Serve pictures until the service ends this process or has gone."""
    parser = argparse.ArgumentParser(description="Pictures of repstream; started by the service.")
    parser.add_argument("--fd", type=int, required=True, help="inherited end of the service's socket pair")
    parser.add_argument("--address", required=True, help="where pictures are served")
    parser.add_argument("--configuration", default=Configuration.path(), help="class of the configuration")
    arguments = parser.parse_args()
    log_to_stderr()
    with suppress(OSError):
        Path("/proc/self/comm").write_text("repstream-pict")
    with suppress(OSError):
        os.nice(NICENESS)
    # Ctrl-C in the terminal is for the service, whose end then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Loop(Connection(arguments.fd), arguments.address, at_path(arguments.configuration)).run()


if __name__ == "__main__":
    main()
