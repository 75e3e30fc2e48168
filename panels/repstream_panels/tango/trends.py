"""Rates over the last minutes: a curve for each attribute in hertz that has a value."""

from __future__ import annotations

import time
from collections import deque

import numpy as np
import pyqtgraph
from PyQt5 import QtCore

from repstream.parameters.facts import Role
from repstream_panels.tango.devices import Device, Reading, Shown
from repstream_panels.tango.watch import Watch

SPAN, LEAST_SPAN = 120.0, 20.0
"""Seconds shown at most, and at first."""
PERIOD = 500
"""Milliseconds between two points of a curve."""
HEADROOM = 1.8
"""The legend stands above the curves."""
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#7f7f7f")


class Trends(pyqtgraph.PlotWidget):
    """A point is the last value that came, so that a curve goes on where nothing changes."""

    def __init__(self, devices: tuple[Device, ...], watch: Watch) -> None:
        super().__init__(background="w")
        self.setLabel("left", "rate", units="Hz")
        self.setLabel("bottom", "time", units="s")
        self._begun = time.monotonic()
        self.showGrid(x=True, y=True, alpha=0.2)
        self.setMouseEnabled(x=False, y=False)
        self._legend = self.addLegend(offset=(8, 4), labelTextColor="#333", brush="#ffffffd0", colCount=3)
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

        self._names[key] = shown.label
        named = device.with_role(Role.NAME, shown.parameter.group, shown.parameter.slot)
        if named is not None:
            watch.follow(device, named, name)
        watch.follow(device, shown, update)

    def _point(self) -> None:
        now = time.monotonic()
        self.setXRange(-min(SPAN, max(LEAST_SPAN, now - self._begun)), 0, padding=0)
        highest = 1.0
        for key, value in self._now.items():
            if value is None or (not value and key not in self._curves):
                continue  # what is not in use stays out of the legend
            if key not in self._curves:
                pen = pyqtgraph.mkPen(COLOURS[len(self._curves) % len(COLOURS)], width=2)
                self._curves[key] = self.plot(name=self._names[key], pen=pen), deque()
            curve, points = self._curves[key]
            points.append((now, float(value)))
            while points[0][0] < now - SPAN:
                points.popleft()
            data = np.asarray(points)
            highest = max(highest, float(data[:, 1].max()))
            curve.setData(data[:, 0] - now, data[:, 1])
        self.setYRange(0, HEADROOM * highest, padding=0)


def _rates(device: Device) -> list[Shown]:
    groups = dict.fromkeys((p.parameter.group, p.parameter.slot) for p in device.all)
    return [
        shown
        for group, slot in groups
        for shown in device.of(group, slot)
        if shown.unit == "Hz" and not shown.writable and not shown.expert
    ]
