"""Child processes of the engine: a module of ours, joined by a socket that it is given as ``--fd``."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys


def start(
    module: str, *options: str, new_session: bool = True
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start `module`; the process, and our end of its socket.

    With `new_session` it gets no signal from the terminal. Raises OSError where it cannot be started.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "--fd", str(theirs.fileno()), *options],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=new_session,
        )
    return process, ours


def exit_reason(status: int) -> str:
    """``killed by SIGKILL`` or ``exit status 1``, of the return code of a process that has ended."""
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"
