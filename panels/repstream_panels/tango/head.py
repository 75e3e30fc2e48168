"""Head of a device: its State as Taurus colours it, its Status, its commands."""

from __future__ import annotations

from collections.abc import Iterable

from PyQt5 import QtCore, QtWidgets
from taurus.qt.qtgui.display import TaurusLabel, TaurusLed

from repstream_panels.tango.commands import Commands, state_of
from repstream_panels.tango.devices import Complaint, Device, Shown
from repstream_panels.tango.watch import Watch
from repstream_panels.tango.widgets import viewer


class Head(QtWidgets.QWidget):
    """LED, State, Status and commands."""

    def __init__(self, device: Device, group: str, watch: Watch, complain: Complaint) -> None:
        super().__init__()
        rows = QtWidgets.QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        line = QtWidgets.QHBoxLayout()
        led, state, status = TaurusLed(), TaurusLabel(), TaurusLabel()
        led.setFixedSize(22, 22)
        led.setModel(device.model("State"))
        for label, attribute in ((state, "State"), (status, "Status")):
            label.setModel(device.model(attribute))
            label.setObjectName(attribute)
        state.setFixedWidth(90)
        state.setAlignment(QtCore.Qt.AlignCenter)
        state.setBgRole("value")
        status.setBgRole("none")
        status.setWordWrap(True)
        status.setAlignment(QtCore.Qt.AlignLeft | QtCore.Qt.AlignVCenter)
        for widget, stretch in ((led, 0), (state, 0), (status, 1)):
            line.addWidget(widget, stretch)
        rows.addLayout(line)
        slot = 1 if device.slot else 0
        rows.addWidget(Commands(device, state_of(device, group, slot), watch, complain))


class Strip(QtWidgets.QWidget):
    """What must be seen without a search: label and value of a few attributes, next to each other."""

    def __init__(self, device: Device, shown: Iterable[Shown], watch: Watch) -> None:
        super().__init__()
        line = QtWidgets.QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        for one in shown:
            label = QtWidgets.QLabel(one.title.removesuffix(" [%]"))
            label.setToolTip(one.text)
            line.addWidget(label)
            line.addWidget(viewer(device, one, watch))
            line.addSpacing(14)
        line.addStretch()
