"""areaDetector's driver and plugins on an engine: source, first writer and first picture."""

from repstream_epics.areadetector.view import AreaDetectorView as AreaDetectorView
