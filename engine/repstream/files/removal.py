"""Files of an acquisition that took no image, which nobody wants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from repstream.files.publish import is_same_file
from repstream.files.users import acting_as


@contextmanager
def removed_after(paths: Iterable[Path], user_id: int = 0) -> Iterator[None]:
    """Remove, as `user_id`, the files that have these names now, once the block has closed them.

    A file that has one of the names by then and is another one stays. Raises OSError where one cannot be
    found or removed.
    """
    states = {path: path.lstat() for path in paths}
    yield
    with acting_as(user_id):
        for path, state in states.items():
            if is_same_file(path, state):
                path.unlink()
