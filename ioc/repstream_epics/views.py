"""Which views an IOC shows: the catalogue's own always, others where their prefix is given."""

from __future__ import annotations

from repstream_epics.areadetector import AreaDetectorView
from repstream_epics.projection import CatalogueView
from repstream_epics.view import MakeView


def chosen(area_detector: str = "") -> tuple[MakeView | tuple[MakeView, str], ...]:
    """The views for `IocServer`; `area_detector` is the prefix of areaDetector's PVs."""
    return (CatalogueView, *([(AreaDetectorView, area_detector)] if area_detector else []))
