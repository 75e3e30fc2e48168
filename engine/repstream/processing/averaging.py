"""Means of images that follow each other, in double precision; an image of another shape begins anew."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mean = NDArray[np.float64]


class BlockMean:
    """The mean of each `number` images, handed out with the last of them; nothing with the others."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._sum: Mean | None = None
        self._added = 0

    def __call__(self, image: NDArray[Any]) -> Mean | None:
        if self._sum is None or self._sum.shape != image.shape:
            self._sum, self._added = image.astype(np.float64), 1
        else:
            self._sum += image
            self._added += 1
        if self._added < self._number:
            return None
        mean, self._sum = self._sum, None
        mean /= self._number
        return mean


class RunningMean:
    """The mean of the last `number` images, or of those that there were yet."""

    def __init__(self, number: int) -> None:
        self._images: deque[NDArray[Any]] = deque(maxlen=number)

    def __call__(self, image: NDArray[Any]) -> Mean:
        if self._images and self._images[0].shape != image.shape:
            self._images.clear()
        # A copy: the memory of an image may be used again for the next one.
        self._images.append(image.copy())
        # Added anew each time: a sum that is carried on gathers rounding errors for ever.
        mean = self._images[0].astype(np.float64)
        for other in list(self._images)[1:]:
            mean += other
        mean /= len(self._images)
        return mean
