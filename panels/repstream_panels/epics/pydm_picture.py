"""PyDM's panel of a picture with its regions drawn on it: drag a region, or one of its corners, to set it.

`repstream panel epics --for pydm` writes this file beside the ``.ui`` of the same name, which says where the
PVs are. The axes are in pixels of the full image, whatever of it is shown. A region appears once it has a
size, and lies where the PVs say: what is refused goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyqtgraph
from pydm import Display
from pydm.widgets.channel import PyDMChannel
from pydm.widgets.image import PyDMImageView
from qtpy import QtCore

COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167))
"""Of regions; the colour-blind can distinguish them too."""


class Number(QtCore.QObject):
    """A PV that holds a whole number; `changed` is called when it does."""

    written = QtCore.Signal([int], [float], [str])

    def __init__(self, address: str, changed: Callable[[], None], parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self.value = 0
        self._changed = changed
        self.channel = PyDMChannel(address=address, value_slot=self._take, value_signal=self.written)
        self.channel.connect()

    def write(self, value: int) -> None:
        if value != self.value:
            self.written[int].emit(value)

    def _take(self, value: Any) -> None:
        self.value = max(0, int(value))
        self._changed()


class Region:
    """One region; `addresses` are those of its column, row, width and height."""

    def __init__(
        self, view: Any, title: str, addresses: Sequence[str], colour: tuple[int, ...], parent: QtCore.QObject
    ) -> None:
        pen = pyqtgraph.mkPen(colour, width=2)
        self.box = pyqtgraph.RectROI((0, 0), (1, 1), pen=pen, snapSize=1, translateSnap=True, scaleSnap=True)
        self.label = pyqtgraph.TextItem(title, color=colour, anchor=(0, 1))
        self._numbers = [Number(address, self._show, parent) for address in addresses]
        for item in (self.box, self.label):
            view.addItem(item)
        self.box.sigRegionChanged.connect(self._follow)
        self.box.sigRegionChangeFinished.connect(self._write)
        self._show()

    def _show(self) -> None:
        x, y, width, height = (number.value for number in self._numbers)
        for item in (self.box, self.label):
            item.setVisible(bool(width and height))
        if width and height:
            self.box.setPos((x, y), finish=False)
            self.box.setSize((width, height), finish=False)

    def _follow(self) -> None:
        self.label.setPos(self.box.pos())

    def _write(self) -> None:
        found = (*self.box.pos(), *self.box.size())
        for number, value in zip(self._numbers, found, strict=True):
            number.write(max(0, round(value)))
        QtCore.QTimer.singleShot(1000, self._show)  # where a write was refused it is as it was


class Picture(Display):
    """The panel."""

    def __init__(self, parent: Any = None, args: Any = None, macros: Any = None) -> None:
        super().__init__(parent=parent, args=args, macros=macros)
        self.image = self.findChild(PyDMImageView, "Picture")
        base = self.image.imageChannel.removeprefix("pva://").removesuffix("Image")
        names = ("RegionX_RBV", "RegionY_RBV", "RegionWidth_RBV", "RegionHeight_RBV")
        sizes = ("ImageWidth_RBV", "ImageHeight_RBV")
        self._shown = [Number(f"ca://{base}{name}", self.place, self) for name in (*names, *sizes)]
        self._placed: tuple[int, ...] = ()
        self.image.getImageItem().sigImageChanged.connect(self.place)
        self.regions = [
            Region(self.image.getView(), title, addresses, colour, self)
            for (title, *addresses), colour in zip(self._declared(), COLOURS, strict=False)
        ]

    def ui_filename(self) -> str:
        return Path(__file__).with_suffix(".ui").name

    def place(self) -> None:
        """Put the image where it lies in the full one."""
        item = self.image.getImageItem()
        if item.image is None:
            return
        x, y, width, height, full_width, full_height = (number.value for number in self._shown)
        across, down = width or full_width - x, height or full_height - y
        placed = (x, y, across, down, item.width(), item.height())
        if min(placed[2:]) > 0 and placed != self._placed:
            self._placed = placed
            item.setRect(QtCore.QRectF(x, y, across, down))
            self.image.getView().autoRange()

    def _declared(self) -> list[list[str]]:
        """Title and addresses of each region, as the panel says."""
        return [line.split("|") for line in self.image.property("regions") or ()]
