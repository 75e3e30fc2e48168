"""The gate of one acquisition: how many frames it lets through, and what came while it was open. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from repstream.accounting import COUNT_LIMIT, Verdict
from repstream.dataplane.storing.placement import Place, Placement
from repstream.files.gaps import GapLog, Range
from repstream.messages.frame import Frame
from repstream.parameters.source import SourceConfig

Kind = tuple[tuple[int, ...], str, bool]


@dataclass(slots=True)
class Gate:
    """Shut at first. Each opening begins a new series of ids.

    So a detector that numbers from 0 again for each opening is not taken for one that repeats
    itself, and what passes while the gate is shut is not missing. `limit`: at so many frames
    taken the gate shuts; `file_limit`: at so many the acquisition is complete. `placement`:
    None where images are stored in the order of their arrival. `compresses`: raw images are
    compressed for the file, so that it takes those that come compressed too.
    """

    file_limit: int
    source: SourceConfig
    placement: Placement | None = None
    compresses: bool = False
    is_open: bool = False
    limit: int = 0
    _kind: Kind | None = None
    _encoding: str = ""
    _gaps: GapLog = field(init=False)
    _earlier: list[GapLog] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._gaps = GapLog(self.source.id_step)

    def open(self, taken: int, frames: int) -> None:
        """Open for `frames` more than `taken`, or (0) up to the limit of the file."""
        self._earlier.append(self._gaps)
        self._gaps = GapLog(self.source.id_step)
        self._begin_series()
        self.limit = min(self.file_limit, taken + frames) if frames else self.file_limit
        self.is_open = True

    def shut(self) -> None:
        self.is_open = False

    def is_duplicate(self, frame_id: int) -> bool:
        """Book a frame that came while the gate was open; whether its id came before."""
        verdict = self._gaps.observe(frame_id)
        if verdict is Verdict.RESET:
            self._begin_series()
        return verdict is Verdict.DUPLICATE

    def continues(self, frames: Sequence[Frame]) -> bool:
        """Whether frames follow the last one without a gap and fit as it did. None is booked."""
        if self.placement is not None or self._kind is None:
            return False
        kinds = {(f.shape, f.dtype, f.big_endian, f.encoding, len(f.payloads)) for f in frames}
        first, step = frames[0].frame_id, self.source.id_step
        return (
            self._gaps.expects(first)
            and kinds == {(*self._kind, self._encoding, 1)}
            and [f.frame_id for f in frames] == list(range(first, first + step * len(frames), step))
        )

    def book_run(self, count: int) -> None:
        """Book so many frames that continue."""
        self._gaps.observe_run(count)

    def unfit(self, frame: Frame) -> str:
        """Why a frame cannot go into this file; empty if it can. The first one that can sets the shape."""
        if len(frame.payloads) != 1:
            return "parts"
        kind = (frame.shape, frame.dtype, frame.big_endian)
        if kind == self._kind:
            same = frame.encoding == self._encoding or (
                self.compresses and {frame.encoding, self._encoding} <= {"", "bitshuffle_lz4"}
            )
            return "" if same else "encoding"
        if self._kind is not None or len(frame.shape) != 2 or not self._wanted(frame):
            return "shape"
        self._kind, self._encoding = kind, frame.encoding
        return ""

    def place(self, frame_id: int) -> Place | None:
        """Where an image goes when its id decides; None where it came too late for a place."""
        assert self.placement is not None
        return self.placement.place(frame_id)

    @property
    def missing(self) -> int:
        return min(self._gaps.missing + sum(gaps.missing for gaps in self._earlier), COUNT_LIMIT)

    @property
    def late(self) -> int:
        return self._gaps.late + sum(gaps.late for gaps in self._earlier)

    @property
    def resets(self) -> int:
        return self._gaps.resets + sum(gaps.resets for gaps in self._earlier)

    @property
    def missing_ids(self) -> list[Range]:
        """The ids that are missing, in the order of the openings."""
        return [gap for gaps in (*self._earlier, self._gaps) for gap in gaps.missing_ids]

    @property
    def series(self) -> int:
        """How many times the numbering began, by an opening or by itself."""
        return self._gaps.series + sum(gaps.series for gaps in self._earlier)

    def _begin_series(self) -> None:
        if self.placement is not None:
            self.placement.begin()

    def _wanted(self, frame: Frame) -> bool:
        source = self.source
        return (
            source.image_height in (0, frame.shape[0])
            and source.image_width in (0, frame.shape[1])
            and source.image_type in ("any", frame.dtype)
        )
