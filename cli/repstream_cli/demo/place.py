"""Where a demo keeps its files: a folder that may hold others', under a name that nobody has yet."""

from __future__ import annotations

from itertools import count
from pathlib import Path


def take(folder: Path) -> str:
    """Make `folder` if need be, and in it the empty log of a name that no file begins with: that name.

    Only the folder itself is made, not those above it, and no file that is there is touched.
    Raises `OSError`.
    """
    folder.mkdir(exist_ok=True)
    names = (f"demo_{number:03d}" for number in count(1))
    for name in names:
        if any(folder.glob(f"{name}[._]*")):
            continue
        try:
            # Another demo may take the same name at the same time: only one can make its log.
            (folder / f"{name}.log").touch(exist_ok=False)
        except FileExistsError:
            continue
        return name
    raise AssertionError("numbers do not end")
