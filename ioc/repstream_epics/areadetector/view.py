"""`AreaDetectorView`: the table as channels, bindings and controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from repstream.parameters.catalogue import Catalogue
from repstream_epics import names
from repstream_epics.areadetector import acquire, table
from repstream_epics.areadetector.controls import IgnoredPV, Report, RowPVs, WriterReport
from repstream_epics.areadetector.groups import ROWS
from repstream_epics.areadetector.image import ImageChannel, ImageFeed
from repstream_epics.areadetector.rows import Action, Form, Kept, Row, Type
from repstream_epics.channels import (
    Channel,
    DoubleChannel,
    EnumChannel,
    Head,
    LongChannel,
    Put,
    StringChannel,
    TextChannel,
)
from repstream_epics.view import Binding, Control, ControlPut, Handlers

PRECISION = 3


class AreaDetectorView:
    """Source, first writer and first picture as an areaDetector; fills `view.View`.

    Raises `ValueError` for long names.
    """

    def __init__(self, catalogue: Catalogue, prefix: str, handlers: Handlers) -> None:
        self.channels: dict[str, Channel] = {}
        self._prefix = prefix
        self._handlers = handlers
        self._controls: dict[str, Control] = {}
        for row in ROWS:
            self._add(row)
        self._writer = Report(self._setpoint(Action.WRITE_MESSAGE), self._setpoint(Action.WRITE_STATUS))
        self._camera = Report(self._readback(Action.STATUS_MESSAGE))
        take = acquire.AcquireControl(
            self._button(Action.ACQUIRE, self._camera, self._setpoint(Action.ACQUIRE_BUSY)),
            self._readback(Action.DETECTOR_STATE),
            self._readback(Action.NUM_IMAGES_COUNTER),
            {row.name: row for row in ROWS},
        )
        capture = acquire.CaptureControl(self._button(Action.CAPTURE, self._writer), take)
        flush = acquire.FlushControl(self._button(Action.FLUSH, self._writer))
        for action, control in ((Action.CAPTURE, capture), (Action.ACQUIRE, take), (Action.FLUSH, flush)):
            self._controls[_row(action).name] = control
        self._feed = self._image_feed()
        rows = [self._row_pvs(row) for row in ROWS if not isinstance(row.what, Action)]
        # The counters before what says that they are those of this acquisition.
        self.bindings: Sequence[Binding] = (
            *rows,
            WriterReport(self._writer),
            take,
            flush,
            capture,
            self._feed,
        )

    def close(self) -> None:
        """Ask for no more pictures."""
        self._feed.close()

    def _add(self, row: Row) -> None:
        for pv in row.pvs:
            written = pv == row.name and not row.shown
            put = self._put_of(pv) if written or row.tolerant else None
            full = names.check(self._prefix + pv)
            self.channels[full] = _channel(row, full, pv != row.name, put)

    def _put_of(self, pv: str) -> Put:
        return ControlPut(self._handlers, lambda: self._controls[pv])

    def _row_pvs(self, row: Row) -> RowPVs:
        report = self._writer if row.name.startswith(table.HDF) else self._camera
        readback = self.channels.get(f"{self._prefix}{row.name}_RBV")
        pvs = RowPVs(row, report, readback, self.channels.get(self._prefix + row.name))
        self._controls[row.name] = pvs
        if row.tolerant:
            self._controls[f"{row.name}_RBV"] = IgnoredPV(readback)
        return pvs

    def _setpoint(self, action: Action) -> Channel:
        return self.channels[self._prefix + _row(action).name]

    def _readback(self, action: Action) -> Channel:
        return self.channels[f"{self._prefix}{_row(action).name}_RBV"]

    def _button(self, action: Action, report: Report, also: Channel | None = None) -> acquire.Button:
        row = _row(action)
        readback = self._readback(action) if row.form is Form.PAIR else None
        words = row.strings, row.readback_strings
        return acquire.Button(self._setpoint(action), readback, report, *words, also=also)

    def _image_feed(self) -> ImageFeed:
        array = self._setpoint(Action.ARRAY_DATA)
        assert isinstance(array, ImageChannel)
        names = [row.name for row in ROWS if row.what is Action.PICTURED]
        facts = {name.split(":")[-1]: self.channels[f"{self._prefix}{name}_RBV"] for name in names}
        return ImageFeed(array, facts)


def _row(action: Action) -> Row:
    return next(row for row in ROWS if row.what is action)


def _channel(row: Row, name: str, is_readback: bool, put: Put | None) -> Channel:
    head = Head(name, row.type.value[0 if is_readback else 1], row.title, put, row.unit)
    limits = (0.0, 0.0)
    if isinstance(row.what, Kept) and row.what.low is not None and row.what.high is not None:
        limits = (row.what.low, row.what.high)
    makes: dict[Type, Callable[[], Channel]] = {
        Type.LONG: lambda: LongChannel(head, limits, None),
        Type.DOUBLE: lambda: DoubleChannel(head, limits, None, PRECISION),
        Type.SWITCH: lambda: EnumChannel(head, (is_readback and row.readback_strings) or row.strings),
        Type.CHOICE: lambda: EnumChannel(head, row.strings),
        Type.STRING: lambda: StringChannel(head),
        Type.CHARS: lambda: TextChannel(head, row.length),
        Type.IMAGE: lambda: ImageChannel(head),
    }
    return makes[row.type]()
