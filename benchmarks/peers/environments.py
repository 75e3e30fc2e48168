"""Environments of the peers, made on demand, so that none of them rules what another may need."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".venv-peers"

REQUIREMENTS = {
    "mflow": ("psi-mflow==1.0.0", "pyzmq", "numpy"),
    "pvapy": ("pvapy==5.6.0", "numpy"),
}


class PeerMissingError(Exception):
    """A peer's environment cannot be made here."""


PATIENCE_SECONDS = 30.0
"""What a peer has to end in."""


def python(name: str, requirements: Sequence[str] = ()) -> str:
    """The interpreter of a peer's environment: by name, or with what pip is given.

    Raises `PeerMissingError` with the reason.
    """
    folder = FOLDER / name
    interpreter, made = folder / "bin" / "python", folder / ".made"
    if not made.exists():
        print(f"making the environment of {name} in {folder}", file=sys.stderr, flush=True)
        venv.create(folder, with_pip=True, clear=True)
        command = [str(interpreter), "-m", "pip", "install", "--quiet", *(requirements or REQUIREMENTS[name])]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode:
            raise PeerMissingError(f"{name}: {found.stderr.strip().splitlines()[-1]}")
        made.touch()
    return str(interpreter)
