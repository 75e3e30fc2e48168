"""Operates the PyDM panel as a person does, in the environment that `make panels` makes.

``python operator_at_pydm.py PANELS FOLDER``: opens overview.ui of PANELS; what it saw goes to the output as
JSON, pictures of the window to FOLDER. Qt draws offscreen.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from pydm import PyDMApplication
from pydm.widgets.image import PyDMImageView
from PyQt5 import QtCore, QtGui, QtTest, QtWidgets

TIMEOUT = 60.0


class Operator:
    """Looks at the panel that is open and works with it."""

    def __init__(self, application: Any, folder: Path) -> None:
        self.window, self.folder = application.main_window, folder

    def widget(self, name: str, kind: type[Any] = QtWidgets.QWidget) -> Any:
        found = self.window.findChild(kind, name)
        assert found is not None, f"the panel has no {name}"
        return found

    def wait(self, true: Callable[[], object], what: str) -> None:
        end = time.monotonic() + TIMEOUT
        while not true():
            assert time.monotonic() < end, f"waited {TIMEOUT:g} s for {what}"
            QtTest.QTest.qWait(20)

    def wait_text(self, name: str, text: str) -> None:
        self.wait(lambda: self.widget(name).text() == text, f"{text} in {name}")

    def enter(self, name: str, text: str) -> None:
        line = self.widget(name, QtWidgets.QLineEdit)
        self.wait(line.isEnabled, f"{name} to be connected")
        line.setFocus()
        line.selectAll()
        QtTest.QTest.keyClicks(line, text)
        QtTest.QTest.keyClick(line, QtCore.Qt.Key_Return)

    def click(self, name: str) -> None:
        button = self.widget(name, QtWidgets.QPushButton)
        self.wait(button.isEnabled, f"{name} to be connected")
        QtTest.QTest.mouseClick(button, QtCore.Qt.LeftButton)

    def open(self, link: str, first: str) -> None:
        """Follow a link until the panel behind it is there."""
        self.click(link)
        self.wait(lambda: self.window.findChild(QtWidgets.QWidget, first), f"the panel behind {link}")

    def panel(self) -> Any:
        """The one that is open."""
        return self.window.display_widget()

    def rectangle(self, picture: Any) -> list[float]:
        """Where an image lies on its axes: column, row, width, height."""
        item = picture.getImageItem()
        found = item.mapRectToView(item.boundingRect())
        return [found.x(), found.y(), found.width(), found.height()]

    def drag(self, picture: Any, box: Any, x: float, y: float) -> None:
        """Take the middle of a region with the mouse and move it by so many pixels of the image."""
        view, shown = box.getViewBox(), picture.ui.graphicsView
        middle = box.pos() + box.size() / 2
        places = [
            view.mapViewToScene(QtCore.QPointF(middle.x() + n * x / 8, middle.y() + n * y / 8))
            for n in range(9)
        ]
        spots = [shown.mapFromScene(place) for place in places]
        port = shown.viewport()
        QtTest.QTest.mousePress(port, QtCore.Qt.LeftButton, pos=spots[0])
        for spot in spots:
            moved = QtGui.QMouseEvent(
                QtCore.QEvent.MouseMove,
                QtCore.QPointF(spot),
                QtCore.QPointF(port.mapToGlobal(spot)),
                QtCore.Qt.NoButton,
                QtCore.Qt.LeftButton,
                QtCore.Qt.NoModifier,
            )
            QtWidgets.QApplication.sendEvent(port, moved)
            QtTest.QTest.qWait(20)
        QtTest.QTest.mouseRelease(port, QtCore.Qt.LeftButton, pos=spots[-1])

    def take(self, name: str) -> None:
        QtTest.QTest.qWait(500)
        assert self.window.grab().save(str(self.folder / f"{name}.png"))


def work(at: Operator) -> dict[str, Any]:
    """Look at the overview, write a file, be refused, look at the picture."""
    seen: dict[str, Any] = {}
    at.wait_text("State_RBV", "RUNNING")
    at.wait_text("Src_Missing_RBV", "1 frames")  # before it is connected a label shows the name of its PV
    seen["missing"] = at.widget("Src_Missing_RBV").text()
    at.take("pydm-overview")

    at.open("Open_writers_1", "Wr_NumImages")
    at.wait_text("Wr_State_RBV", "READY")
    at.enter("Wr_FileName", "shift")
    at.wait_text("Wr_FileName_RBV", "shift")
    at.enter("Wr_NumImages", "15")
    at.wait_text("Wr_NumImages_RBV", "15 images")
    at.click("Wr_Start")
    at.wait_text("Wr_StartResult_RBV", "completed")
    seen["file"] = at.widget("Wr_FullFileName_RBV").text()
    at.take("pydm-writer")

    at.window.back()
    at.open("Open_pictures_1", "Pictures_Stream")
    picture = at.widget("Picture", PyDMImageView)
    at.wait(lambda: picture.getImageItem().image is not None, "a picture")
    seen["picture"] = picture.getImageItem().image.tolist()
    panel = at.panel()
    box = panel.regions[0].box
    at.wait(box.isVisible, "the region of the settings")
    seen["region"] = [*box.pos(), *box.size()]
    seen["drawn"] = at.rectangle(picture)
    assert not panel.regions[1].box.isVisible()
    at.enter("Pictures_Roi2Width", "25")
    at.enter("Pictures_Roi2Height", "15")
    at.wait(panel.regions[1].box.isVisible, "a region that got a size")
    at.drag(picture, box, 30, 20)
    at.wait_text("Pictures_Roi1X_RBV", "50 pixels")
    at.wait_text("Pictures_Roi1Y_RBV", "30 pixels")
    at.take("pydm-picture")
    return seen


def main(panels: Path, folder: Path) -> None:
    application = PyDMApplication(ui_file=str(panels / "overview.ui"), command_line_args=[])
    application.main_window.resize(1760, 900)
    json.dump(work(Operator(application, folder)), sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # PyDM's connections outlive its windows


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
