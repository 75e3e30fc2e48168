"""Colour maps, from the tables that the page uses too; ``tools/colour_maps.py`` makes them."""

from __future__ import annotations

import base64
import json
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

_TABLES: dict[str, str] = json.loads(
    resources.files("repstream_http").joinpath("page/colour-maps.json").read_text("utf-8")
)

NAMES = tuple(_TABLES)
"""The names of all colour maps."""


@cache
def table(name: str) -> NDArray[np.uint8]:
    """Red, green and blue of 256 levels, shape (256, 3); raises `KeyError` for an unknown name."""
    return np.frombuffer(base64.b64decode(_TABLES[name]), np.uint8).reshape(256, 3)
