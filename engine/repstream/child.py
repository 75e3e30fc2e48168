"""Child processes of the engine: a module of ours, joined by a socket that it is given as ``--fd``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

SECRET_VARIABLES = frozenset(
    {
        "REPSTREAM_KEY",
        "REPSTREAM_HTTP_READ_TOKEN",
        "REPSTREAM_HTTP_CHANGE_TOKEN",
        "REPSTREAM_HTTP_TOKEN",
        "REPSTREAM_REDIS",
    }
)
"""What the environment may hold that is for servers alone: no process that is started needs it."""


WAIT_ASLEEP = {"OMP_WAIT_POLICY": "passive"}
"""Threads of OpenMP, which pack images, otherwise spin while they wait, on cores that others need."""


def environment() -> dict[str, str]:
    """The environment without secrets: for processes of ours, users' functions and commands."""
    ours = {name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES}
    return WAIT_ASLEEP | ours


def start(
    module: str, *options: str, new_session: bool = True
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start `module`; the process, and our end of its socket.

    With `new_session` it gets no signal from the terminal. It gets none of the secrets in our environment.
    Raises OSError where it cannot be started.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "--fd", str(theirs.fileno()), *options],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env=environment(),
            start_new_session=new_session,
        )
    return process, ours


def exit_reason(status: int) -> str:
    """``killed by SIGKILL`` or ``exit status 1``, of the return code of a process that has ended."""
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"
