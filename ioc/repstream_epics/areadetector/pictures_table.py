"""areaDetector's plugins that show pictures: ``image1:`` and ``ROIStat1:``, over the first picture.

Names are those of ADCore's templates NDStdArrays, NDROIStat and NDROIStatN.
"""

from __future__ import annotations

from repstream_epics.areadetector import conversions as c
from repstream_epics.areadetector.rows import Action, Counted, Fixed, Form, Row, Type
from repstream_epics.areadetector.table import DISABLE_ENABLE, NO_YES, arrays, plugin

IMAGE, ROI = "image1:", "ROIStat1:"
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
        *arrays(ROI, "REPSTREAM.ROISTAT1", f"{_P}pictures", _P, has_setpoints=False),
        Row(f"{ROI}DataType", "Type of the pixels", Type.CHOICE, c.PICTURE_TYPE, _READ, c.DATA_TYPES),
        Row(
            f"{ROI}EnableCallbacks",
            "Count also unseen",
            Type.SWITCH,
            c.switch(f"{_P}enable", DISABLE_ENABLE),
            strings=DISABLE_ENABLE,
        ),
        *plugin(ROI, "NDPluginROIStat"),
        *_shared(ROI),
        *(row for n in REGIONS for row in _region(n)),
    )


IMAGES, STATISTICS = _image(), _statistics()
