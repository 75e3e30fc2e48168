"""Log lines of a process whose standard error is not read."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from repstream.logs import FORMAT, FORMAT_VARIABLE, MOST_WAITING

NUMBER = MOST_WAITING + 5_000

MANY = f"""
import logging
from repstream.logs import log_to_stderr
log_to_stderr()
log = logging.getLogger("many")
for number in range({NUMBER}):
    log.info("line %d", number)
print("done", flush=True)
input()
"""

FEW = """
import logging
from repstream.logs import log_to_stderr
log_to_stderr(logging.WARNING)
log_to_stderr()
log = logging.getLogger("few")
log.info("not this")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("an error of %s \\udc80", "mine")
"""

WAITING = """
import logging, signal
from repstream.logs import log_to_stderr
log_to_stderr()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("ready", flush=True)
signal.sigwait([signal.SIGTERM])
logging.warning("ended")
"""


@contextmanager
def running(script: str) -> Iterator[tuple[subprocess.Popen[str], IO[str], IO[str], IO[str]]]:
    pipes = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=pipes, stdout=pipes, stderr=pipes, text=True
    ) as of:
        assert of.stdin and of.stdout and of.stderr
        fcntl.fcntl(of.stderr, fcntl.F_SETPIPE_SZ, 4096)
        try:
            yield of, of.stdin, of.stdout, of.stderr
        finally:
            of.kill()


def test_who_logs_goes_on_although_nobody_reads_and_lines_left_out_are_counted() -> None:
    with running(MANY) as (process, stdin, stdout, stderr):
        assert stdout.readline() == "done\n"
        lines = []
        while "left out" not in (line := stderr.readline()):
            lines.append(int(line.split()[-1]))
        assert lines == list(range(len(lines)))
        assert MOST_WAITING <= len(lines) < NUMBER
        assert line == f"{NUMBER - len(lines)} log lines were left out: nobody took them\n"
        stdin.write("\n")
        stdin.flush()
        assert process.wait(30) == 0


def test_a_process_ends_although_nobody_reads() -> None:
    with running(MANY) as (process, stdin, stdout, _):
        assert stdout.readline() == "done\n"
        stdin.write("\n")
        stdin.flush()
        assert process.wait(30) == 0


def test_the_last_lines_are_written_before_the_end() -> None:
    with running(FEW) as (process, _, _, stderr):
        lines = stderr.read().splitlines()
        assert process.wait(30) == 0
    assert lines[0].endswith("ERROR few: an error of mine \\udc80")
    assert lines[1].startswith("Traceback")
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert FORMAT.startswith("%(asctime)s")


@pytest.mark.parametrize("attempt", range(3))
def test_signals_reach_the_thread_that_waits_for_them(attempt: int) -> None:
    with running(WAITING) as (process, _, stdout, stderr):
        assert stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert stderr.read().endswith("WARNING root: ended\n")


def test_json_has_a_line_for_each_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FORMAT_VARIABLE, "json")
    with running(FEW) as (process, _, _, stderr):
        (line,) = map(json.loads, stderr.read().splitlines())
        assert process.wait(30) == 0
    assert (line["level"], line["logger"], line["process"]) == ("error", "few", process.pid)
    assert line["text"] == "an error of mine \udc80"
    assert line["traceback"].endswith("ZeroDivisionError: division by zero")
    assert "acquisition_id" not in line
