"""The commands that wait for an acquisition to get somewhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from repstream.link.handles import PendingHandle


@dataclass(slots=True)
class AcquisitionHandles:
    """The commands that wait for something of one acquisition."""

    file: list[PendingHandle] = field(default_factory=list)  # until it waits for images
    gate: list[PendingHandle] = field(default_factory=list)  # until the gate shuts again
    closing: list[PendingHandle] = field(default_factory=list)  # until the file is closed

    @property
    def all(self) -> tuple[list[PendingHandle], ...]:
        return self.file, self.gate, self.closing
