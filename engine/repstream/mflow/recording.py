"""Messages in a folder: a file for each part, and when each message came.

Message 3, part 0 is ``000003_000.raw``. `TIMES` has a line ``message,seconds`` for each message,
seconds since the first one; it exists only where asked for.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from repstream.errors import StorageError

TIMES = "times.csv"
_NAME = re.compile(r"(\d+)_(\d+)\.raw")


class Recorder:
    """Writes messages into a folder, which is made where it does not exist.

    A file has its name only once it is whole, a line of `TIMES` comes after all files of its
    message: whatever interrupts a recording, nothing in it is cut off. Raises `StorageError`,
    also for a folder that holds messages already, unless to `overwrite` these.
    """

    def __init__(self, folder: Path, *, timing: bool = False, overwrite: bool = False) -> None:
        self._folder = folder
        self._times = folder / TIMES if timing else None
        with _storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            earlier = _parts_in(folder)
            if earlier and not overwrite:
                raise StorageError(f"{folder} holds {len(earlier)} recorded parts already")
            for path in [*earlier, folder / TIMES]:
                path.unlink(missing_ok=True)
            if self._times is not None:
                self._times.write_text("message,seconds\n")

    def write(self, number: int, parts: Iterable[Any], seconds: float) -> None:
        """Keep the parts of one message; `seconds` since the first one."""
        written: list[Path] = []
        try:
            with _storing(self._folder):
                for i, part in enumerate(parts):
                    path = self._folder / f"{number:06d}_{i:03d}.raw"
                    _write_whole(path, part)
                    written.append(path)
                if self._times is not None:
                    with self._times.open("a") as times:
                        times.write(f"{number},{seconds:.9f}\n")
        except StorageError:
            for path in written:
                with suppress(OSError):
                    path.unlink()
            raise


def messages_in(folder: Path) -> list[tuple[str, list[Path]]]:
    """Number and files of each message of a folder, in order. Raises `StorageError`."""
    messages: dict[str, list[Path]] = {}
    with _storing(folder):
        for path in _parts_in(folder):
            messages.setdefault(path.name.split("_")[0], []).append(path)
    return list(messages.items())


def times_in(folder: Path) -> dict[str, float]:
    """Seconds since the first message, by a message's number as in the names of its files.

    Raises `StorageError` where there is no `TIMES`, or one that does not read as such.
    """
    times: dict[str, float] = {}
    try:
        with _storing(folder), (folder / TIMES).open(newline="") as lines:
            for row in csv.DictReader(_whole_lines(lines)):
                times[f"{int(row['message']):06d}"] = float(row["seconds"])
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise StorageError(f"{folder / TIMES}: not times of messages: {error}") from error
    return times


def _whole_lines(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if line.endswith("\n"))


def _parts_in(folder: Path) -> Sequence[Path]:
    found = {path: _NAME.fullmatch(path.name) for path in folder.iterdir()}
    named = {path: match for path, match in found.items() if match and path.is_file()}
    return sorted(named, key=lambda path: tuple(map(int, named[path].groups())))


def _write_whole(path: Path, content: Any) -> None:
    unfinished = path.with_suffix(".tmp")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


@contextmanager
def _storing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{error.filename or place}: {error.strerror}") from error
