"""Operates the Taurus panel as a person does, in the environment that `make panels` makes.

``python operator_at_panel.py DEVICE FOLDER``: what it saw goes to the output as JSON, pictures of the window
to FOLDER. Qt draws offscreen.
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

from PyQt5 import QtCore, QtTest, QtWidgets

from repstream_panels.tango.devices import attach
from repstream_panels.tango.main import application
from repstream_panels.tango.picture import Live
from repstream_panels.tango.window import Panel

LEFT, RETURN = QtCore.Qt.LeftButton, QtCore.Qt.Key_Return
TIMEOUT = 60.0


class Operator:
    """Looks at a panel and works with it."""

    def __init__(self, panel: Panel, folder: Path) -> None:
        self.panel, self.folder = panel, folder

    def widget(self, kind: type[Any], name: str, inside: Any = None) -> Any:
        found = (inside or self.panel).findChild(kind, name)
        assert found is not None, f"the panel has no {kind.__name__} {name}"
        return found

    def wait(self, true: Callable[[], object], what: str) -> None:
        end = time.monotonic() + TIMEOUT
        while not true():
            assert time.monotonic() < end, f"waited {TIMEOUT:g} s for {what}"
            QtTest.QTest.qWait(20)

    def enter(self, line: Any, text: object) -> None:
        line.selectAll()
        QtTest.QTest.keyClicks(line, str(text))
        QtTest.QTest.keyClick(line, RETURN)

    def click(self, button: Any) -> None:
        QtTest.QTest.mouseClick(button, LEFT)

    def take(self, name: str) -> None:
        QtTest.QTest.qWait(400)
        assert self.panel.grab().save(str(self.folder / f"{name}.png"))


def work(panel: Panel, folder: Path) -> dict[str, Any]:
    """A shift: look, change a policy, write a file, be refused."""
    at, seen = Operator(panel, folder), {}
    writer = at.widget(QtWidgets.QWidget, "writer1")
    start = at.widget(QtWidgets.QPushButton, "Start", writer)
    flush = at.widget(QtWidgets.QPushButton, "Flush", writer)
    seen["flush"] = [flush.isEnabled(), flush.toolTip()]

    policy = at.widget(QtWidgets.QComboBox, "Stream2Policy")
    chosen = policy.findText("send_every_nth")
    policy.setCurrentIndex(chosen)
    policy.activated.emit(chosen)
    at.enter(at.widget(QtWidgets.QLineEdit, "Stream2EveryNth"), 7)

    lines = {name: at.widget(QtWidgets.QLineEdit, name, writer) for name in ("FileName", "NumImages")}
    at.enter(lines["FileName"], "shift")
    at.enter(lines["NumImages"], -1)
    seen["beyond"] = panel.refusal.text() if not panel.refusal.isHidden() else ""
    at.click(panel.refusal)
    at.enter(lines["NumImages"], 10_000)
    at.click(start)
    at.wait(lambda: at.widget(QtWidgets.QLabel, "WriterState", writer).text() == "WRITING", "WRITING")
    at.wait(at.widget(Live, "picture1").number.__bool__, "a picture")
    at.wait(lambda: "background" not in lines["NumImages"].styleSheet(), "the line to be written")
    at.enter(lines["NumImages"], 20)  # not while it writes
    seen["refused"] = panel.refusal.text() if not panel.refusal.isHidden() else ""
    seen["kept"] = lines["NumImages"].text()
    at.take("refused")
    at.click(panel.refusal)
    at.click(at.widget(QtWidgets.QPushButton, "Stop", writer))
    result = at.widget(QtWidgets.QLabel, "StartResult", writer)
    at.wait(lambda: result.text() == "interrupted", "the end of the first acquisition")

    at.enter(lines["NumImages"], 15)
    at.click(start)
    at.wait(lambda: result.text() == "completed", "the end of the second acquisition")
    seen["file"] = at.widget(QtWidgets.QLabel, "FullFileName", writer).text()

    missing = at.widget(QtWidgets.QLabel, "SourceMissing")
    at.wait(lambda: missing.text() not in ("", "–", "0"), "a lost frame")
    seen["missing"] = [missing.text(), missing.styleSheet()]
    at.take("panel")
    return seen


def main(device: str, folder: Path) -> None:
    application_held = application()
    panel = Panel(*attach(device))
    panel.show()
    try:
        json.dump(work(panel, folder), sys.stdout)
    finally:
        panel.close()
        del application_held


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
