"""Become another program that ends when its parent does, however that ends.

``python -m repstream_cli.end_with_parent PARENT COMMAND …``: the kernel sends SIGTERM when the thread that
started this process is gone (prctl(2), PR_SET_PDEATHSIG, which survives execve), so start it from the
main thread.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become the given command, which gets SIGTERM when the parent ends."""
    parent, *command = sys.argv[1:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        sys.exit("the parent has gone already")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
