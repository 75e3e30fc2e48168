"""areaDetector's driver and plugins on an engine: source, first writer and first picture."""

from repstream_epics.areadetector.view import AreaDetectorView

__all__ = ["AreaDetectorView"]
