"""All of areaDetector's PVs, by driver and plugin."""

from __future__ import annotations

from typing import NamedTuple

from repstream_epics.areadetector import pictures_table, table
from repstream_epics.areadetector.rows import Row


class Plugin(NamedTuple):
    """A driver or plugin: what it is, what its PVs begin with, its rows."""

    title: str
    prefix: str
    rows: tuple[Row, ...]


GROUPS = (
    Plugin("Driver", table.CAM, table.DRIVER),
    Plugin("HDF5 plugin", table.HDF, table.PLUGIN),
    Plugin("Picture", pictures_table.IMAGE, pictures_table.IMAGES),
    Plugin("Region of the picture", pictures_table.CUT, pictures_table.REGION),
    Plugin("Numbers of the picture", pictures_table.STATS, pictures_table.NUMBERS),
    Plugin("Sums of regions", pictures_table.ROI, pictures_table.STATISTICS),
)

ROWS = tuple(row for group in GROUPS for row in group.rows)
"""Every row."""
