"""The gate of one acquisition: how many frames it lets through. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Gate:
    """Shut at first. `limit`: at so many frames taken it shuts; `file_limit`: then the file is full."""

    file_limit: int
    is_open: bool = False
    limit: int = 0

    def open(self, taken: int, frames: int) -> None:
        """Open for `frames` more than `taken`, or (0) up to the limit of the file."""
        self.limit = min(self.file_limit, taken + frames) if frames else self.file_limit
        self.is_open = True

    def shut(self) -> None:
        self.is_open = False
