"""areaDetector's driver (``cam1:``) and HDF5 plugin (``HDF1:``) on an engine: source and first writer."""

from repstream_epics.areadetector.view import AreaDetectorView as AreaDetectorView
