"""The run that is planned, as the checks need it: bytes a second, bytes in all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import get_args

from repstream.parameters.pixel_types import PixelType

_BITS = re.compile(r"\d+$")

PIXEL_BYTES = {name: int(_BITS.findall(name)[0]) // 8 for name in get_args(PixelType)}
"""Bytes of a pixel by the name of its type."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Images of `height` x `width` pixels of `pixel_bytes` bytes, `rate` a second, for `duration` seconds."""

    height: int
    width: int
    pixel_bytes: int
    rate: float
    duration: float

    @property
    def image_bytes(self) -> int:
        return self.height * self.width * self.pixel_bytes

    @property
    def bytes_per_second(self) -> float:
        return self.image_bytes * self.rate

    @property
    def total_bytes(self) -> float:
        return self.bytes_per_second * self.duration


def readable(count: float) -> str:
    """A number of bytes for people, in powers of 1,000: ``4.8 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
