"""The small widgets that the panel is made of: a value, an editor, a bar, what was refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tango
from PyQt5 import QtCore, QtGui, QtWidgets

from repstream.parameters.facts import Kind, Role
from repstream_panels.tango.devices import Complaint, Device, Reading, Shown
from repstream_panels.tango.watch import Watch

RED, ORANGE, GREY = "#c62828", "#e08000", "#8a8f98"

STYLE = """
QWidget { font-size: 12px; }
QGroupBox { font-weight: 600; border: 1px solid #d5d8dd; border-radius: 5px; }
QGroupBox { margin-top: 9px; padding-top: 6px; }
QGroupBox::title { subcontrol-origin: margin; left: 9px; padding: 0 3px; }
QProgressBar { border: 1px solid #c3c7cd; border-radius: 3px; background: #f4f5f7; }
QProgressBar { text-align: center; height: 16px; }
QProgressBar::chunk { background: #3b82c4; }
QPushButton { padding: 4px 12px; }
QTableWidget { gridline-color: #e3e5e9; }
QLabel#refusal { background: #fde7e7; color: #a01818; border: 1px solid #e6a5a5; }
QLabel#refusal { border-radius: 4px; padding: 6px; }
"""


def colour(shown: Shown, reading: Reading) -> str:
    """The colour of a value: red where frames were lost or the device alarms; empty for a good value."""
    if reading.value is None:
        return GREY
    lost = shown.parameter.loss or shown.parameter.role is Role.LOSING
    if (lost and reading.value) or reading.quality == tango.AttrQuality.ATTR_ALARM:
        return RED
    return ORANGE if reading.quality == tango.AttrQuality.ATTR_WARNING else ""


class Value(QtWidgets.QLabel):
    """What an attribute holds, in its colour."""

    def __init__(self, device: Device, shown: Shown, watch: Watch) -> None:
        super().__init__()
        self.setObjectName(shown.name)
        self.setToolTip(shown.text)
        self.setTextInteractionFlags(QtCore.Qt.TextSelectableByMouse)
        self.setWordWrap(shown.parameter.kind is Kind.TEXT)
        self._shown = shown
        watch.follow(device, shown, self._update)

    def _update(self, reading: Reading) -> None:
        self.setText(self._shown.readable(reading) or "–")
        found = colour(self._shown, reading)
        bold = "font-weight: 700;" if found in (RED, ORANGE) else ""
        self.setStyleSheet(f"color: {found}; {bold}" if found else "")


class Bar(QtWidgets.QProgressBar):
    """A share in percent."""

    def __init__(self, device: Device, shown: Shown, watch: Watch) -> None:
        super().__init__()
        self.setObjectName(shown.name)
        self.setToolTip(shown.text)
        self.setRange(0, 1000)
        self._shown = shown
        watch.follow(device, shown, self._update)

    def _update(self, reading: Reading) -> None:
        value = float(reading.value or 0)
        self.setValue(round(10 * min(value, 100)))
        self.setFormat(f"{value:.1f} %")
        found = colour(self._shown, reading)
        self.setStyleSheet(f"QProgressBar::chunk {{ background: {found}; }}" if found and value else "")


def viewer(device: Device, shown: Shown, watch: Watch) -> QtWidgets.QWidget:
    """What shows an attribute: shares as bars."""
    return (Bar if shown.unit == "%" else Value)(device, shown, watch)


def editor(device: Device, shown: Shown, watch: Watch, complain: Complaint) -> QtWidgets.QWidget:
    """What shows an attribute and writes it at once: a choice, a check mark, else a line and Return."""
    made: QtWidgets.QWidget
    if shown.choices:
        made = _choice(device, shown, watch, complain)
    elif shown.parameter.kind is Kind.BOOL:
        made = _mark(device, shown, watch, complain)
    else:
        made = _Line(device, shown, watch, complain)
    made.setObjectName(shown.name)
    made.setToolTip(shown.text)
    return made


def _choice(device: Device, shown: Shown, watch: Watch, complain: Complaint) -> QtWidgets.QComboBox:
    box = QtWidgets.QComboBox()
    box.addItems(shown.choices)
    box.wheelEvent = QtGui.QWheelEvent.ignore  # who scrolls past must not write

    def update(reading: Reading) -> None:
        box.setEnabled(reading.value is not None)
        box.setCurrentIndex(-1 if reading.value is None else int(reading.value))

    def write(chosen: int) -> None:
        if not device.write(shown, chosen, complain):
            update(device.read(shown))

    watch.follow(device, shown, update)
    box.activated.connect(write)
    return box


def _mark(device: Device, shown: Shown, watch: Watch, complain: Complaint) -> QtWidgets.QCheckBox:
    mark = QtWidgets.QCheckBox()

    def update(reading: Reading) -> None:
        mark.setEnabled(reading.value is not None)
        mark.setChecked(bool(reading.value))

    def write(checked: bool) -> None:
        if not device.write(shown, checked, complain):
            update(device.read(shown))

    watch.follow(device, shown, update)
    mark.clicked.connect(write)
    return mark


class _Line(QtWidgets.QLineEdit):
    """A number or a text; yellow until Return writes it, Escape takes it back."""

    def __init__(self, device: Device, shown: Shown, watch: Watch, complain: Complaint) -> None:
        super().__init__()
        self._device, self._shown, self._complain = device, shown, complain
        self._held = Reading()
        watch.follow(device, shown, self._update)
        self.returnPressed.connect(self._write)
        self.textEdited.connect(lambda _: self.setStyleSheet("background: #fff6cf;"))

    def keyPressEvent(self, event: Any) -> None:
        if event.key() == QtCore.Qt.Key_Escape:
            self._show()
        else:
            super().keyPressEvent(event)

    def _update(self, reading: Reading) -> None:
        self._held = reading
        self.setEnabled(reading.value is not None)
        if not self.isModified():
            self._show()

    def _show(self) -> None:
        self.setText("" if self._held.value is None else str(self._held.value))
        self.setModified(False)
        self.setStyleSheet("")
        self.setCursorPosition(0)

    def _write(self) -> None:
        kinds: dict[Kind, Callable[[str], Any]] = {Kind.INT: int, Kind.FLOAT: float}
        kind = kinds.get(self._shown.parameter.kind, str)
        try:
            value = kind(self.text())
        except ValueError:
            self._complain(f"{self._shown.label}: {self.text()!r} is no number; it stays {self._held.value}")
            return
        if self._device.write(self._shown, value, self._complain):
            self._held = self._device.read(self._shown)
        self._show()


class Refusal(QtWidgets.QLabel):
    """What was refused last, with the reason; a click puts it away."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("refusal")
        self.setWordWrap(True)
        self.hide()

    def complain(self, text: str) -> None:
        """Show it, until a click or the next one."""
        self.setText(text)
        self.show()

    def mousePressEvent(self, event: Any) -> None:
        self.hide()
