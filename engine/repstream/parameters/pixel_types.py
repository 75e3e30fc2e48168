"""The types that a pixel may have, by their numpy names, without byte order."""

from __future__ import annotations

from typing import Literal

PixelType = Literal[
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
]
