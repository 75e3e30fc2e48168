"""Looking at a writer's folder, which may hang: aside, and said for how long already."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import msgspec

from repstream.errors import Refused
from repstream.service.turn import aside, waited
from repstream.service.waiting import PATIENCE, clock

T = TypeVar("T")


class FolderState(msgspec.Struct, frozen=True):
    """A writer's folder now; `free_space` in GB, None where it is not known.

    `silent_since`: Unix seconds since when the file system has not answered; nothing else is known then.
    """

    exists: bool | None
    writable: bool | None
    free_space: float | None
    silent_since: float | None = None

    def problem(self, folder: str) -> str:
        """What is wrong with it, for people; empty where nothing is."""
        if self.silent_since is not None:
            return f"{folder} does not answer since {clock(self.silent_since)}"
        if not folder:
            return "no folder is set"
        if not self.exists:
            return f"{folder} does not exist"
        return "" if self.writable else f"{folder} is not writable"


class _Begun(NamedTuple):
    """When a call began: for people in Unix seconds, and monotonic."""

    time: float
    clock: float


class Folders:
    """Calls that touch folders, each in a thread of its own, so that those hang alone."""

    def __init__(self) -> None:
        self._under_way: dict[str, list[_Begun]] = {}

    def silent_since(self, folder: str) -> float | None:
        """Since when a folder has not answered, in Unix seconds, where that is worth a word."""
        begun = self._under_way.get(folder)
        return begun[0].time if begun and time.monotonic() - begun[0].clock >= PATIENCE else None

    async def look(self, folder: str, done: Callable[[FolderState], None]) -> None:
        """Have `done` called with the state of a folder; at once where it has not answered the last time."""
        if folder not in self._under_way:
            done(await asyncio.shield(self._call(folder, lambda: folder_state(folder))))
        elif (since := self.silent_since(folder)) is not None:
            done(FolderState(None, None, None, since))

    async def call(self, subject: str, folder: str, function: Callable[[], T]) -> T:
        """The result of what touches a folder; raises `Refused` where that does not answer."""

        def why() -> str:
            since = self.silent_since(folder)
            duration = f" since {clock(since)}" if since else ""
            return f"the folder {folder} does not answer{duration}; nothing was begun"

        if self.silent_since(folder) is not None:
            raise Refused(subject, why())
        return await waited(asyncio.shield(self._call(folder, function)), subject, why)

    def _call(self, folder: str, function: Callable[[], T]) -> asyncio.Future[T]:
        now = _Begun(time.time(), time.monotonic())
        self._under_way.setdefault(folder, []).append(now)
        future = aside(function)
        future.add_done_callback(lambda _: self._answered(folder, now))
        return future

    def _answered(self, folder: str, call: _Begun) -> None:
        calls = self._under_way[folder]
        calls.remove(call)
        if not calls:
            del self._under_way[folder]


def folder_state(folder: str) -> FolderState:
    """Look at a folder; a system call that fails means there is none."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return FolderState(False, False, None)
    free = status.f_bavail * status.f_frsize / 1e9
    return FolderState(True, os.access(folder, os.W_OK | os.X_OK), round(free, 2))
