"""The live picture of a stream with its regions, from where the engine serves pictures."""

from __future__ import annotations

from typing import Any

import pyqtgraph
from PyQt5 import QtCore, QtGui, QtWidgets

from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Role
from repstream.pictures import rendering
from repstream.pictures.picture import Picture, View
from repstream.pictures.remote import RemotePictures
from repstream_panels.tango.devices import Device, Reading
from repstream_panels.tango.watch import Watch

SIZE = (512, 512)
"""Rows and columns asked for at most: more than the widget has would only be thrown away."""
PERCENTILE = 99.8
MAPS = ("viridis", "inferno", "CET-L1")

pyqtgraph.setConfigOptions(imageAxisOrder="row-major")


class Live(QtWidgets.QWidget):
    """Picture, regions with their sums, and what it is of; it asks for pictures while it can be seen."""

    came = QtCore.pyqtSignal(object)

    def __init__(self, device: Device, slot: int, watch: Watch) -> None:
        super().__init__()
        self.setObjectName(f"picture{slot}")
        self._slot = slot
        self._remote: RemotePictures | None = None
        self._regions: list[Any] = []
        self.number = 0
        plot = pyqtgraph.PlotWidget(background="w")
        plot.invertY()
        plot.setAspectLocked()
        plot.setLabel("bottom", "column", units=None)
        plot.setLabel("left", "row", units=None)
        self._plot = plot
        self._image = pyqtgraph.ImageItem()
        plot.addItem(self._image)
        self._maps, self._log = QtWidgets.QComboBox(), QtWidgets.QCheckBox("logarithmic")
        self._maps.addItems(MAPS)
        self._maps.currentTextChanged.connect(self._coloured)
        self._said = QtWidgets.QLabel("no picture yet")
        line = QtWidgets.QHBoxLayout()
        line.addWidget(self._said, 1)
        line.addWidget(self._log)
        line.addWidget(self._maps)
        rows = QtWidgets.QVBoxLayout(self)
        rows.setContentsMargins(4, 4, 4, 4)
        rows.addWidget(plot)
        rows.addLayout(line)
        self._coloured(MAPS[0])
        self.came.connect(self._show)
        address = device.with_role(Role.PICTURES, Group.PICTURE, slot)
        if address is not None:
            watch.follow(device, address, self._attach)

    def close_pictures(self) -> None:
        """Ask for nothing more."""
        if self._remote is not None:
            self._remote.close()
            self._remote = None

    def _attach(self, reading: Reading) -> None:
        self.close_pictures()
        if reading.value:
            self._remote = RemotePictures(str(reading.value))
            self._remote.subscribe(self._slot, self.came.emit, View(size=SIZE))

    def _coloured(self, name: str) -> None:
        self._image.setLookupTable(pyqtgraph.colormap.get(name).getLookupTable(nPts=256))

    def _show(self, picture: Picture) -> None:
        self.number = picture.number
        low, high = rendering.levels(picture.data, PERCENTILE)
        pixels = rendering.brightness(
            picture.data, low, high if high > low else low + 1, self._log.isChecked()
        )
        self._image.setImage(pixels, levels=(0, 255))
        (y, x), (height, width) = picture.origin, picture.data.shape
        self._image.setRect(QtCore.QRectF(x, y, width * picture.step[1], height * picture.step[0]))
        counted = picture.statistics
        self._said.setText(
            f"image {picture.image_id}   {picture.full_shape[0]} × {picture.full_shape[1]} {picture.dtype}"
            f"   {_number(counted.minimum)} … {_number(counted.maximum)}, mean {_number(counted.mean)}"
        )
        self._mark(picture)

    def _mark(self, picture: Picture) -> None:
        for item in self._regions:
            self._plot.removeItem(item)
        self._regions.clear()
        for region in picture.statistics.regions:
            box = region.box
            if not box.height or not box.width:
                continue
            outline = QtWidgets.QGraphicsRectItem(box.x, box.y, box.width, box.height)
            outline.setPen(pyqtgraph.mkPen("#ff3b30", width=2))
            label = pyqtgraph.TextItem(
                f"{region.name}  Σ {_number(region.sum)}", color="w", fill="#c62828d0", anchor=(0, 1)
            )
            label.setPos(box.x, box.y)
            label.setFont(QtGui.QFont(self.font().family(), 8))
            self._regions += [outline, label]
        if picture.statistics.centre is not None:
            y, x = picture.statistics.centre
            self._regions.append(pyqtgraph.TargetItem((x, y), size=14, pen="#ffffff", movable=False))
        for item in self._regions:
            self._plot.addItem(item)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
