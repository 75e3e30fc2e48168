"""Which frames fit into the file of one acquisition. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from repstream.messages.frame import Frame
from repstream.parameters.source import SourceConfig


class Fit:
    """Images of one shape, type, byte order and choice of channels, which the first one that fits sets.

    `compresses`: raw images are compressed for the file, so that it takes those that come
    compressed too.
    """

    def __init__(self, source: SourceConfig, compresses: bool = False) -> None:
        self._source = source
        self._compresses = compresses
        self._kind: tuple[tuple[int, ...], str, bool, tuple[str, ...]] | None = None
        self._encoding = ""

    def unfit(self, frame: Frame) -> str:
        """Why a frame cannot go into this file; empty if it can."""
        if len(frame.payloads) != 1 and not frame.channels:
            return "parts"
        kind = (frame.shape, frame.dtype, frame.big_endian, frame.channels)
        if kind == self._kind:
            return "" if frame.encoding == self._encoding or self._may_pack(frame) else "encoding"
        if self._kind is not None or len(frame.shape) != 2 or not self._is_wanted(frame):
            return "shape"
        self._kind, self._encoding = kind, frame.encoding
        return ""

    def all_like_the_first(self, frames: Sequence[Frame]) -> bool:
        """Whether all of them fit and are even encoded as the first one was."""
        if self._kind is None:
            return False
        like, images = (*self._kind, self._encoding), len(self._kind[-1]) or 1
        for f in frames:  # written out: `all` takes longer
            found = (f.shape, f.dtype, f.big_endian, f.channels, f.encoding)
            if found != like or len(f.payloads) != images:
                return False
        return True

    def _may_pack(self, frame: Frame) -> bool:
        """Whether what comes raw is stored as what comes compressed is."""
        return self._compresses and {frame.encoding, self._encoding} <= {"", "bitshuffle_lz4"}

    def _is_wanted(self, frame: Frame) -> bool:
        source = self._source
        return (
            source.image_height in (0, frame.shape[0])
            and source.image_width in (0, frame.shape[1])
            and source.image_type in ("any", frame.dtype)
        )
