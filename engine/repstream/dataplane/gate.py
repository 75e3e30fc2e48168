"""The gate of one acquisition: how many frames it lets through, and what came while it was open. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from repstream.accounting import GapTracker, Verdict
from repstream.messages.frame import Frame
from repstream.parameters.source import SourceConfig

Kind = tuple[tuple[int, ...], str, bool, str]


@dataclass(slots=True)
class Gate:
    """Shut at first. Each opening begins a new series of ids.

    So a detector that numbers from 0 again for each opening is not taken for one that repeats
    itself, and what passes while the gate is shut is not missing. `limit`: at so many frames
    taken the gate shuts; `file_limit`: at so many the acquisition is complete.
    """

    file_limit: int
    source: SourceConfig
    is_open: bool = False
    limit: int = 0
    _kind: Kind | None = None
    _gaps: GapTracker = field(default_factory=GapTracker)
    _earlier: list[GapTracker] = field(default_factory=list)

    def open(self, taken: int, frames: int) -> None:
        """Open for `frames` more than `taken`, or (0) up to the limit of the file."""
        self._earlier.append(self._gaps)
        self._gaps = GapTracker()
        self.limit = min(self.file_limit, taken + frames) if frames else self.file_limit
        self.is_open = True

    def shut(self) -> None:
        self.is_open = False

    def is_duplicate(self, frame_id: int) -> bool:
        """Book a frame that came while the gate was open; whether its id came before."""
        return self._gaps.observe(frame_id) is Verdict.DUPLICATE

    def unfit(self, frame: Frame) -> str:
        """Why a frame cannot go into this file; empty if it can. The first one that can sets the shape."""
        if len(frame.payloads) != 1:
            return "parts"
        kind = (frame.shape, frame.dtype, frame.big_endian, frame.encoding)
        if kind == self._kind:
            return ""
        if self._kind is not None or len(frame.shape) != 2 or not self._wanted(frame):
            return "shape"
        self._kind = kind
        return ""

    @property
    def missing(self) -> int:
        return self._gaps.missing + sum(gaps.missing for gaps in self._earlier)

    @property
    def late(self) -> int:
        return self._gaps.late + sum(gaps.late for gaps in self._earlier)

    @property
    def resets(self) -> int:
        return self._gaps.resets + sum(gaps.resets for gaps in self._earlier)

    def _wanted(self, frame: Frame) -> bool:
        source = self.source
        return (
            source.image_height in (0, frame.shape[0])
            and source.image_width in (0, frame.shape[1])
            and source.image_type in ("any", frame.dtype)
        )
