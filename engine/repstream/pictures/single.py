"""Single images, of files or of streams, as pictures: reduced by the same functions as those of slots."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.pictures.picture import Box, Picture, Statistics, View
from repstream.processing import binning, regions
from repstream.processing.clean import clean
from repstream.processing.statistics import saturation_of

RULE = "maximum"
"""How pixels are taken together unless the viewer asks for another rule: single bright ones stay visible."""


def picture_of(image: NDArray[Any], image_id: int, view: View, moment: float = 0.0) -> Picture:
    """What `view` asks for of an image (two dimensions) with the time `moment` (Unix seconds)."""
    box = view.box or Box()
    whole = clean(image.astype(image.dtype.newbyteorder("="), copy=False))
    rows, columns = regions.clipped(whole.shape, box.y, box.x, box.height, box.width)
    part = whole.part((rows, columns))
    step = regions.step_for(part.shape, view.size)
    nothing = binning.nothing_good(part, step) if part.bad is not None else None
    saturation = saturation_of(image.dtype)
    return Picture(
        slot=0,
        number=1,
        image_id=image_id,
        time=moment,
        received=moment,
        full_shape=whole.shape,
        dtype=image.dtype.name,
        origin=(rows.start, columns.start),
        step=(step, step),
        data=np.ascontiguousarray(binning.RULES[view.rule or RULE](part, step)),
        statistics=Statistics(0, 0, None, None, None, 0, 0, saturation, None, None),
        bad=nothing if nothing is not None and nothing.any() else None,
    )
