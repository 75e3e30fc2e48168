"""Rates over the last minutes: a curve for each attribute in hertz that has a value."""

from __future__ import annotations

import time
from collections import deque
from html import escape
from itertools import cycle

import numpy as np
import pyqtgraph
from PyQt5 import QtCore, QtWidgets

from repstream.parameters.facts import Role
from repstream_panels.tango.devices import Device, Reading, Shown
from repstream_panels.tango.watch import Watch

SPAN, LEAST_SPAN = 120.0, 20.0
"""Seconds shown at most, and at first."""
PERIOD = 500
"""Milliseconds between two points of a curve."""
HEADROOM = 1.15
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#7f7f7f")


class Trends(QtWidgets.QWidget):
    """A point is the last value that came, so that a curve goes on where nothing changes."""

    def __init__(self, devices: tuple[Device, ...], watch: Watch) -> None:
        super().__init__()
        self._legend, self._plot = QtWidgets.QLabel(), pyqtgraph.PlotWidget(background="w")
        self._legend.setWordWrap(True)
        rows = QtWidgets.QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self._legend)
        rows.addWidget(self._plot, 1)
        self._plot.setLabel("left", "rate", units="Hz")
        self._plot.setLabel("bottom", "time", units="s")
        self._begun = time.monotonic()
        self._plot.showGrid(x=True, y=True, alpha=0.2)
        self._plot.setMouseEnabled(x=False, y=False)
        self._now: dict[str, float | None] = {}
        self._names: dict[str, str] = {}
        self._curves: dict[str, tuple[pyqtgraph.PlotDataItem, deque[tuple[float, float]]]] = {}
        for device in devices:
            for shown in _rates(device):
                self._follow(device, shown, watch)
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._point)
        self._timer.start(PERIOD)

    def _follow(self, device: Device, shown: Shown, watch: Watch) -> None:
        key = f"{device.name}/{shown.name}"

        def update(reading: Reading) -> None:
            self._now[key] = reading.value

        def name(reading: Reading) -> None:
            # A stream and a writer by its own name, what has none by its label.
            self._names[key] = str(reading.value or shown.label)
            self._name()

        self._names[key] = shown.label
        named = device.with_role(Role.NAME, shown.parameter.group, shown.parameter.slot)
        if named is not None:
            watch.follow(device, named, name)
        watch.follow(device, shown, update)

    def _point(self) -> None:
        now = time.monotonic()
        self._plot.setXRange(-min(SPAN, max(LEAST_SPAN, now - self._begun)), 0, padding=0)
        highest = 1.0
        for key, value in self._now.items():
            if value is None or (not value and key not in self._curves):
                continue  # what is not in use stays out of the legend
            if key not in self._curves:
                pen = pyqtgraph.mkPen(COLOURS[len(self._curves) % len(COLOURS)], width=2)
                self._curves[key] = self._plot.plot(pen=pen), deque()
                self._name()
            curve, points = self._curves[key]
            points.append((now, float(value)))
            while points[0][0] < now - SPAN:
                points.popleft()
            data = np.asarray(points)
            highest = max(highest, float(data[:, 1].max()))
            curve.setData(data[:, 0] - now, data[:, 1])
        self._plot.setYRange(0, HEADROOM * highest, padding=0)

    def _name(self) -> None:
        """The legend stands above the curves, where it hides none of them."""
        names = (escape(self._names[key]).replace(" ", "&nbsp;") for key in self._curves)
        lines = (f'<span style="color: {colour}">\u2501\u2501</span>' for colour in cycle(COLOURS))
        self._legend.setText(" &nbsp; ".join(map("&nbsp;".join, zip(lines, names, strict=False))))


def _rates(device: Device) -> list[Shown]:
    groups = dict.fromkeys((p.parameter.group, p.parameter.slot) for p in device.all)
    return [
        shown
        for group, slot in groups
        for shown in device.of(group, slot)
        if shown.unit == "Hz" and not shown.writable and not shown.expert
    ]
