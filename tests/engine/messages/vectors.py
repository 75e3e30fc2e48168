"""Recorded messages, as packed in tests/data/messages (see the README there)."""

from __future__ import annotations

import io
import json
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

DATA = Path(__file__).parents[2] / "data" / "messages"


@dataclass
class Vector:
    """`messages`: the parts of each message; `expected` and `arrays`: what decoding gives."""

    messages: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    expected: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def first(self) -> list[bytes]:
        return self.messages[0]


@cache
def load(family: str) -> dict[str, Vector]:
    """All vectors of a family by name."""
    vectors: dict[str, Vector] = defaultdict(Vector)
    with zipfile.ZipFile(DATA / f"{family}.zip") as packed:
        for name in sorted(packed.namelist()):
            path, content = PurePosixPath(name), packed.read(name)
            vector = vectors[path.parent.name]
            if path.suffix == ".raw":
                vector.messages[int(path.stem.split("_")[0])].append(content)
            elif path.suffix == ".json":
                vector.expected = json.loads(content)
            else:
                with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                    vector.arrays = dict(arrays)
    return dict(vectors)
