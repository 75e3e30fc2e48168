"""The axes of the goniometer in a file: NeXus' transformations, with a position for each image. Pure.

The detector says where its axes start and how far they go from one image to the next, the writer's
settings how they lie: without vectors there is no geometry, and none is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from repstream.files.columns import Column
from repstream.parameters.goniometer import KEY, StatedAxis, stated_axes
from repstream.parameters.json_text import parse_object

TRANSFORMATIONS = "/entry/sample/transformations"

DETECTORS = ("omega", "chi", "phi", "kappa", "two_theta")
"""The axes that DECTRIS knows."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its position at id 0, the step to the next id, what NeXus says of it."""

    name: str
    start: float
    increment: float
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"{TRANSFORMATIONS}/{self.name}"

    @property
    def column(self) -> Column:
        """Its positions, one an image."""
        values = partial(_positions, self.start, self.increment)
        return Column(self.name, np.dtype("<f8"), values, self.attributes, self.path)


def axes(settings: Mapping[str, Any], reported: Mapping[str, Any]) -> tuple[Axis, ...]:
    """The axes from the base to the sample; none where a vector or a position is not known.

    `settings` as in `ExperimentConfig`, `reported` the detector's own configuration.
    """
    stated = parse_object(str(settings.get("nexus_metadata", ""))).get(KEY, {})
    found: list[Axis] = []
    for axis in stated_axes(stated):
        known = positions(reported, axis.name)
        start = known.get("start") if axis.start is None else axis.start
        increment = known.get("increment", 0.0) if axis.increment is None else axis.increment
        if start is None:
            return ()
        found.append(Axis(axis.name, start, increment, _attributes(axis, found)))
    return tuple(found)


def positions(reported: Mapping[str, Any], axis: str) -> dict[str, float]:
    """``start`` and ``increment`` of an axis as the detector says them: v1 in fields, v2 in an object."""
    nested = reported.get("goniometer")
    own = nested.get(axis) if isinstance(nested, Mapping) else None
    found = {}
    for what in ("start", "increment"):
        value = own.get(what) if isinstance(own, Mapping) else reported.get(f"{axis}_{what}")
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[what] = float(value)
    return found


def _attributes(axis: StatedAxis, before: list[Axis]) -> dict[str, Any]:
    return {
        "units": axis.units,
        "transformation_type": axis.kind,
        "vector": list(axis.vector),
        "offset": list(axis.offset),
        "offset_units": "m",
        "depends_on": before[-1].path if before else ".",
    }


def _positions(start: float, increment: float, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = start + increment * rows["image_id"].astype("<f8")
    return found
