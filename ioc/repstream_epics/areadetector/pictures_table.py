"""areaDetector's plugins over the first picture: ``image1:``, ``ROI1:``, ``Stats1:`` and ``ROIStat1:``.

Names are those of ADCore's templates NDStdArrays, NDROI, NDStats, NDROIStat and NDROIStatN.
"""

from __future__ import annotations

from repstream_epics.areadetector import conversions as c
from repstream_epics.areadetector.rows import Action, Counted, Fixed, Form, Kept, Row, Type
from repstream_epics.areadetector.table import DISABLE_ENABLE, NO_YES, PORT, arrays, kept_number, plugin

IMAGE, ROI, CUT, STATS = "image1:", "ROIStat1:", "ROI1:", "Stats1:"
_CUT_PORT = "REPSTREAM.ROI1"
REGIONS = range(1, 5)
_P = c.PICTURE
_READ = Form.READBACK
_NAME_LENGTH = 40

_SIZES = {
    f"{IMAGE}ArraySizeX": "Width of the picture",
    f"{IMAGE}ArraySizeY": "Height of the picture",
    f"{IMAGE}ArraySize0": "Width of the picture",
    f"{IMAGE}ArraySize1": "Height of the picture",
    f"{IMAGE}UniqueId": "Id of the picture's frame",
}
"""Rows of a plugin that are of the picture here, which may be smaller than the image."""


def _image() -> tuple[Row, ...]:
    common = arrays(IMAGE, "REPSTREAM.IMAGE1", f"{_P}pictures", _P, has_setpoints=False)
    return (
        Row(f"{IMAGE}ArrayData", "Picture", Type.IMAGE, Action.ARRAY_DATA, Form.SETPOINT, shown=True),
        *(row for row in common if row.name not in _SIZES),
        *(Row(name, title, Type.LONG, Action.PICTURED, _READ) for name, title in _SIZES.items()),
        Row(f"{IMAGE}DataType", "Type of the pixels", Type.CHOICE, c.PICTURE_TYPE, _READ, c.DATA_TYPES),
        Row(f"{IMAGE}EnableCallbacks", "Take pictures", Type.SWITCH, Fixed("Enable"), strings=DISABLE_ENABLE),
        *plugin(IMAGE, "NDPluginStdArrays"),
        *_shared(IMAGE),
    )


def _shared(group: str) -> tuple[Row, ...]:
    return (
        Row(f"{group}MinCallbackTime", "Time between pictures", Type.DOUBLE, c.PICTURE_PERIOD, unit="s"),
        Row(f"{group}QueueSize", "Length of the queue", Type.LONG, Fixed(1)),
        Row(f"{group}DroppedArrays", "Pictures lost", Type.LONG, Counted(f"{_P}malformed")),
    )


def _counting(group: str, port: str, type_name: str, of: str) -> tuple[Row, ...]:
    """What plugins have that count images; they count also while nobody looks, or not."""
    return (
        *arrays(group, port, f"{_P}pictures", _P, has_setpoints=False),
        Row(f"{group}DataType", "Type of the pixels", Type.CHOICE, c.PICTURE_TYPE, _READ, c.DATA_TYPES),
        Row(
            f"{group}EnableCallbacks",
            "Count also unseen",
            Type.SWITCH,
            c.switch(f"{_P}enable", DISABLE_ENABLE),
            strings=DISABLE_ENABLE,
        ),
        *plugin(group, type_name, of),
        *_shared(group),
    )


def _cut() -> tuple[Row, ...]:
    """The region of the picture, in pixels of the image."""

    def size(name: str, size: str, first: str) -> Row:
        return Row(f"{CUT}Size{name}", f"Its {size}", Type.LONG, c.region_size(size, first, size))

    return (
        *_counting(CUT, _CUT_PORT, "NDPluginROI", PORT),
        Row(f"{CUT}MinX", "First column", Type.LONG, c.same(f"{_P}region_x")),
        Row(f"{CUT}MinY", "First row", Type.LONG, c.same(f"{_P}region_y")),
        Row(f"{CUT}MinZ", "First colour", Type.LONG, Fixed(0)),
        size("X", "width", "x"),
        size("Y", "height", "y"),
        Row(f"{CUT}SizeZ", "Colours", Type.LONG, Fixed(1)),
        Row(f"{CUT}MaxSizeX", "Image width", Type.LONG, c.image_size("width"), _READ),
        Row(f"{CUT}MaxSizeY", "Image height", Type.LONG, c.image_size("height"), _READ),
        Row(f"{CUT}BinX", "Columns taken together, and rows", Type.LONG, c.same(f"{_P}binning")),
        Row(f"{CUT}BinY", "Rows taken together, and columns", Type.LONG, c.same(f"{_P}binning")),
        Row(f"{CUT}BinZ", "Colours taken together", Type.LONG, Fixed(1)),
        Row(f"{CUT}Scale", "Divisor of the pixels", Type.DOUBLE, Kept(1.0, 0, 1e9)),
        *(
            Row(
                f"{CUT}Enable{axis}",
                f"Cut along {axis}",
                Type.SWITCH,
                Fixed("Enable"),
                strings=DISABLE_ENABLE,
            )
            for axis in "XYZ"
        ),
    )


def _whole() -> tuple[Row, ...]:
    """Numbers of the picture's pixels before they are reduced."""
    switches = {"Statistics": "Yes", "Centroid": "Yes", "Profiles": "No", "Histogram": "No"}
    numbers = {
        "MinValue": ("Minimum", "minimum"),
        "MaxValue": ("Maximum", "maximum"),
        "MeanValue": ("Mean", "mean"),
        "Total": ("Sum", "sum"),
        "Net": ("Sum without background", "sum"),
        "CentroidX": ("Column of the centre", "centre_x"),
        "CentroidY": ("Row of the centre", "centre_y"),
        "SigmaX": ("Width across the columns", "width_x"),
        "SigmaY": ("Width across the rows", "width_y"),
    }
    return (
        *_counting(STATS, "REPSTREAM.STATS1", "NDPluginStats", _CUT_PORT),
        *(
            Row(f"{STATS}Compute{name}", f"Compute: {name.lower()}", Type.SWITCH, Fixed(word), strings=NO_YES)
            for name, word in switches.items()
        ),
        *(
            Row(f"{STATS}{name}", title, Type.DOUBLE, c.text(f"{_P}{key}"), _READ)
            for name, (title, key) in numbers.items()
        ),
        Row(f"{STATS}BgdWidth", "Width of the background", Type.LONG, Fixed(0)),
        Row(
            f"{STATS}CentroidThreshold",
            "Least intensity that counts for the centre",
            Type.DOUBLE,
            c.same(f"{_P}centre_threshold"),
        ),
        Row(f"{STATS}ProfileSizeX", "Length of profiles", Type.LONG, Fixed(0), _READ),
        Row(f"{STATS}ProfileSizeY", "Length of profiles", Type.LONG, Fixed(0), _READ),
        kept_number(f"{STATS}CursorX", "Column of the cursor", 0),
        kept_number(f"{STATS}CursorY", "Row of the cursor", 0),
        kept_number(f"{STATS}HistSize", "Bins of a histogram", 256, 1),
        Row(f"{STATS}HistMin", "Its begin", Type.DOUBLE, Kept(0.0, -1e300, 1e300)),
        Row(f"{STATS}HistMax", "Its end", Type.DOUBLE, Kept(255.0, -1e300, 1e300)),
    )


def _region(n: int) -> tuple[Row, ...]:
    group, key = f"{ROI}{n}:", f"{_P}roi{n}_"
    return (
        Row(f"{group}Use", "Counted", Type.SWITCH, c.region_use(key), strings=NO_YES),
        Row(f"{group}Name", "Name", Type.CHARS, c.same(f"{key}name"), length=_NAME_LENGTH),
        Row(f"{group}MinX", "First column", Type.LONG, c.same(f"{key}x")),
        Row(f"{group}MinY", "First row", Type.LONG, c.same(f"{key}y")),
        Row(f"{group}SizeX", "Width", Type.LONG, c.same(f"{key}width")),
        Row(f"{group}SizeY", "Height", Type.LONG, c.same(f"{key}height")),
        Row(f"{group}MaxSizeX", "Image width", Type.LONG, c.image_size("width"), _READ),
        Row(f"{group}MaxSizeY", "Image height", Type.LONG, c.image_size("height"), _READ),
        Row(f"{group}BgdWidth", "Width of the background", Type.LONG, Fixed(0)),
        Row(f"{group}MinValue", "Minimum", Type.DOUBLE, c.text(f"{key}minimum"), _READ),
        Row(f"{group}MaxValue", "Maximum", Type.DOUBLE, c.text(f"{key}maximum"), _READ),
        Row(f"{group}MeanValue", "Mean", Type.DOUBLE, c.text(f"{key}mean"), _READ),
        Row(f"{group}Total", "Sum", Type.DOUBLE, c.text(f"{key}sum"), _READ),
        Row(f"{group}Net", "Sum without background", Type.DOUBLE, c.text(f"{key}sum"), _READ),
    )


def _statistics() -> tuple[Row, ...]:
    return (
        *_counting(ROI, "REPSTREAM.ROISTAT1", "NDPluginROIStat", PORT),
        *(row for n in REGIONS for row in _region(n)),
    )


IMAGES, STATISTICS, REGION, NUMBERS = _image(), _statistics(), _cut(), _whole()
