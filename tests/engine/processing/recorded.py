"""Images, results and messages recorded from the servers that cameras and pipelines take the place of."""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ZIP = Path(__file__).parents[2] / "data" / "cam_server" / "recorded.zip"
TIMESTAMP = (1000, 500000000)


@cache
def document(name: str) -> Any:
    with zipfile.ZipFile(ZIP) as packed:
        return json.loads(packed.read(f"{name}.json"))


@cache
def arrays(name: str) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(ZIP) as packed, np.load(io.BytesIO(packed.read(f"{name}.npz"))) as found:
        return dict(found)


def number(value: Any) -> Any:
    """A recorded number: those that are not finite are text."""
    return float(value) if value in ("nan", "inf", "-inf") else value
