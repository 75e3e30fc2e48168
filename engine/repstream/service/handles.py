"""The commands that wait for an acquisition to get somewhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from repstream.link.handles import PendingHandle


@dataclass(slots=True)
class AcquisitionHandles:
    """The commands that wait for something of one acquisition."""

    file: list[PendingHandle] = field(default_factory=list)  # until it waits for images
    gate: list[PendingHandle] = field(default_factory=list)  # until the gate shuts again
    images: list[PendingHandle] = field(default_factory=list)  # until all images are in the closed file
    stop: list[PendingHandle] = field(default_factory=list)  # until the file is closed
    abort: list[PendingHandle] = field(default_factory=list)  # until nothing is open any more

    @property
    def wanting_images(self) -> tuple[list[PendingHandle], ...]:
        return self.file, self.gate, self.images
