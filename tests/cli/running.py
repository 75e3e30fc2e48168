"""Runs of the real command line, ended with the test."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import pytest

from repstream_cli.main import main
from tests.ports import free_port as free_port


def repstream(*arguments: object, timeout: float = 90) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "repstream_cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def run_here(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What a command says and returns, without the second that a process of its own takes to begin."""
    command = ["repstream", *map(str, arguments)]
    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as end:
            main()
    code = end.value.code
    assert code is None or isinstance(code, int)
    return subprocess.CompletedProcess(command, code or 0, stdout.getvalue(), stderr.getvalue())


@contextmanager
def started(
    *arguments: object, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on meanwhile; it gets SIGTERM at the end if it is still there."""
    command = [sys.executable, "-m", "repstream_cli", *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.communicate(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise
