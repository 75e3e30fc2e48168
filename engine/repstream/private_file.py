"""Files of keys and tokens: for their owner alone, in a folder of the same kind, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

OWNER_ONLY = 0o600
OTHERS = 0o077
"""The rights that nobody but the owner may have."""


def home() -> Path:
    """Where the files of this user are that nobody gave another place."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "repstream"


def is_exposed(path: Path) -> bool:
    """Whether others than its owner may read or change a file that is there."""
    return path.is_file() and bool(path.stat().st_mode & OTHERS)


def write(path: Path, data: bytes, mode: int = OWNER_ONLY) -> None:
    """Put a file in place of the one that has its name; its folder is made. Raises OSError.

    It is never there with less than all of `data`, nor for a moment with more rights than `mode`.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
