"""Images as PNG in the colours of cam_server, and as bytes in JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from fastapi import Response
from numpy.typing import NDArray

from repstream.errors import InvalidValue
from repstream.pictures import rendering
from repstream_http.pictures import colours

RAINBOW = "rainbow"
"""The colour map where none is asked for."""


def png(image: NDArray[Any], query: Mapping[str, str]) -> Response:
    """The image as PNG, brightest at its maximum.

    Query: `scale` (0 to 1: the means of blocks of pixels), `min_value` (is subtracted, less is dark),
    `max_value` (more is as bright), `colormap` (`rainbow` or one of the page's). Raises `InvalidValue`.
    """
    shown = image.astype(np.float64)
    if (scale := _number(query, "scale")) is not None:
        shown = _scaled(shown, scale)
    if (low := _number(query, "min_value")) is not None:
        shown = np.maximum(shown - low, 0)
    if (high := _number(query, "max_value")) is not None:
        shown = np.minimum(shown, high)
    table = _table(query.get("colormap") or RAINBOW)
    brightest = float(np.nanmax(shown, initial=0.0))
    return Response(rendering.png(table[rendering.brightness(shown, 0.0, brightest)]), media_type="image/png")


def as_bytes(image: NDArray[Any]) -> dict[str, Any]:
    """The field `image`: base64 of the pixels in C order, shape [height, width], type as ``<u2``."""
    return {
        "bytes": base64.b64encode(np.ascontiguousarray(image).data).decode(),
        "shape": list(image.shape),
        "dtype": image.dtype.str,
    }


def _number(query: Mapping[str, str], name: str) -> float | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise InvalidValue(name, f"{text!r:.80} is not a number")
    return number


def _scaled(image: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    if not 0 < scale <= 1:
        raise InvalidValue("scale", f"{scale:g} is not above 0 and at most 1: images are made smaller only")
    block = round(1 / scale)
    height, width = (max(1, size // block) for size in image.shape)
    rows, columns = (min(block, size) for size in image.shape)
    cut = image[: height * rows, : width * columns]
    found: NDArray[np.float64] = cut.reshape(height, rows, width, columns).mean((1, 3))
    return found


def _table(name: str) -> NDArray[np.uint8]:
    if name == RAINBOW:
        return _rainbow()
    if name not in colours.NAMES:
        raise InvalidValue(
            "colormap", f"must be one of {', '.join((RAINBOW, *colours.NAMES))}, not {name!r:.80}"
        )
    return colours.table(name)


def _rainbow() -> NDArray[np.uint8]:
    """matplotlib's map of this name: red |2x - 1/2|, green sin(πx), blue cos(πx/2)."""
    x = np.linspace(0, 1, 256)
    channels = np.stack([np.abs(2 * x - 0.5), np.sin(np.pi * x), np.cos(np.pi * x / 2)], axis=1)
    levels: NDArray[np.uint8] = (np.clip(channels, 0, 1) * 255).astype(np.uint8)
    return levels
