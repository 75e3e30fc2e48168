"""What scripts import as ``processor``: the default function of pipelines, in the signature of scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from repstream.processing.camera import View
from repstream.processing.channels import Channels, analysed


def process_image(  # noqa: PLR0917 (the signature that scripts call)
    image: NDArray[Any],
    pulse_id: int,
    timestamp: tuple[int, int],
    x_axis: NDArray[Any],
    y_axis: NDArray[Any],
    parameters: Mapping[str, Any],
    bsdata: Mapping[str, Any] | None = None,
) -> Channels:
    """Everything about the beam: the channels of a pipeline that names no function."""
    return analysed(View(image, x_axis, y_axis), timestamp, parameters)
