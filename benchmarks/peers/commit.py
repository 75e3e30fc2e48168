"""This project as it was at a commit, in an environment of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import environments
from benchmarks.peers.environments import PeerMissingError

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("plane_peer.py")


@dataclass(frozen=True)
class Figures:
    """What one run shows: frames a second, and CPU time of the data plane for a frame in s."""

    rate: float
    cpu_seconds: float


@dataclass(frozen=True)
class Build:
    """A tree of the project and the interpreter that runs it."""

    name: str
    tree: Path
    python: str

    @contextmanager
    def running(self, what: str, *arguments: object) -> Iterator[Callable[[], Figures]]:
        """Its data plane in the lane or the writer of its own benchmarks, until the block ends.

        Yields a function that makes one run.
        """
        with subprocess.Popen(
            [self.python, str(SCRIPT), what, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.tree,
            env={**os.environ, "PYTHONPATH": str(self.tree)},
        ) as process:
            try:
                _line(process)
                yield lambda: _run(process)
            finally:
                assert process.stdin is not None
                process.stdin.close()
                process.wait(environments.PATIENCE_SECONDS)


THIS = Build("this tree", ROOT, sys.executable)


def at(commit: str) -> Build:
    """The project at a commit, made on demand. Raises `PeerMissingError` with the reason."""
    full = _git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").decode().strip()
    name = f"commit-{full[:12]}"
    tree = environments.FOLDER / f"{name}-tree"
    if not tree.exists():
        with tarfile.open(fileobj=io.BytesIO(_git("archive", full))) as archive:
            archive.extractall(tree, filter="data")
    python = environments.python(name, ("-c", str(tree / "constraints.txt"), "-e", str(tree)))
    return Build(f"commit {full[:7]}", tree, python)


def _git(*arguments: str) -> bytes:
    found = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    if found.returncode:
        reason = found.stderr.decode().strip() or "no such commit here"
        raise PeerMissingError(f"git {' '.join(arguments)}: {reason}")
    return found.stdout


def _run(process: subprocess.Popen[str]) -> Figures:
    assert process.stdin is not None
    process.stdin.write("run\n")
    process.stdin.flush()
    return Figures(*map(float, _line(process).split()))


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} has ended")
    return line
