"""Make the tables of the page's colour maps: ``python tools/colour_maps.py`` (needs matplotlib).

Each is 256 times red, green and blue, base64. The maps are matplotlib's own (licence: CC0 for viridis,
inferno and magma; the others are of its own licence, which is BSD-like), and a plain grey.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import matplotlib
import numpy as np

PAGE = Path(__file__).parent.parent / "rest/repstream_http/page/colour-maps.json"
NAMES = {
    "grey": "gray",
    "grey-inverted": "gray_r",
    "viridis": "viridis",
    "inferno": "inferno",
    "magma": "magma",
    "cividis": "cividis",
    "turbo": "turbo",
    "hot": "afmhot",
}


def table(name: str) -> str:
    """One map as text."""
    colours = matplotlib.colormaps[name](np.linspace(0, 1, 256))[:, :3]
    return base64.b64encode(np.round(colours * 255).astype(np.uint8).tobytes()).decode()


if __name__ == "__main__":
    tables = {shown: table(name) for shown, name in NAMES.items()}
    PAGE.write_text(json.dumps(tables, indent=0) + "\n", "utf-8")
