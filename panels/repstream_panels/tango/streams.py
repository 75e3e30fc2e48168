"""The streams side by side: a column for each, a row for each attribute, settings editable in their cells."""

from __future__ import annotations

from PyQt5 import QtCore, QtGui, QtWidgets

from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Role
from repstream_panels.tango.devices import Complaint, Device, Reading, Shown
from repstream_panels.tango.watch import Listener, Watch
from repstream_panels.tango.widgets import Bar, colour, editor


class Streams(QtWidgets.QTableWidget):
    """What the streams lose and do, then their settings; the column of an empty slot is hidden."""

    def __init__(self, device: Device, watch: Watch, complain: Complaint) -> None:
        super().__init__()
        self.setObjectName("streams")
        self.setEditTriggers(QtWidgets.QAbstractItemView.NoEditTriggers)
        self.setSelectionMode(QtWidgets.QAbstractItemView.NoSelection)
        slots = device.slots(Group.STREAM)
        rows = (
            [s for s in device.of(Group.STREAM, slots[0]) if s.parameter.role is not Role.NAME]
            if slots
            else []
        )
        self._rows = sorted(rows, key=lambda s: (s.writable, not s.parameter.loss))  # stable
        self.setRowCount(len(self._rows))
        self.setColumnCount(len(slots))
        self.setVerticalHeaderLabels([row.title for row in self._rows])
        for row, shown in enumerate(self._rows):
            self.verticalHeaderItem(row).setToolTip(shown.text)
        for column, slot in enumerate(slots):
            name = device.with_role(Role.NAME, Group.STREAM, slot)
            if name is not None:
                watch.follow(device, name, self._named(column, slot, device, watch, complain))
        self.horizontalHeader().setSectionResizeMode(QtWidgets.QHeaderView.Stretch)
        self.horizontalHeader().setMinimumSectionSize(110)
        self.verticalHeader().setDefaultSectionSize(25)
        self.expert(False)

    def expert(self, shown: bool) -> None:
        """Show the rows for experts too."""
        for row, of in enumerate(self._rows):
            self.setRowHidden(row, of.expert and not shown)

    def _fill(self, column: int, slot: int, device: Device, watch: Watch, complain: Complaint) -> None:
        fields = {s.parameter.field: s for s in device.of(Group.STREAM, slot)}
        for row, of in enumerate(self._rows):
            shown = fields[of.parameter.field]
            if shown.writable:
                self.setCellWidget(row, column, _centred(editor(device, shown, watch, complain)))
            elif shown.unit == "%":
                self.setCellWidget(row, column, Bar(device, shown, watch))
            else:
                self._cell(row, column, shown, device, watch)

    def _cell(self, row: int, column: int, shown: Shown, device: Device, watch: Watch) -> None:
        cell = QtWidgets.QTableWidgetItem()
        cell.setTextAlignment(QtCore.Qt.AlignCenter)
        cell.setToolTip(shown.text)
        self.setItem(row, column, cell)

        def update(reading: Reading) -> None:
            cell.setText(shown.readable(reading))
            found = colour(shown, reading)
            cell.setForeground(QtGui.QColor(found or "black"))
            font = cell.font()
            font.setBold(bool(found) and reading.value is not None)
            cell.setFont(font)

        watch.follow(device, shown, update)

    def _named(self, column: int, slot: int, device: Device, watch: Watch, complain: Complaint) -> Listener:
        """Shows the column of a stream that is there; its cells are made and subscribed at first."""
        filled: list[bool] = []

        def update(reading: Reading) -> None:
            self.setColumnHidden(column, not reading.value)
            self.setHorizontalHeaderItem(column, QtWidgets.QTableWidgetItem(str(reading.value or "")))
            if reading.value and not filled:
                filled.append(True)
                self._fill(column, slot, device, watch, complain)

        return update


def _centred(made: QtWidgets.QWidget) -> QtWidgets.QWidget:
    """A check mark in the middle of its cell, as the figures are; anything else fills it."""
    if not isinstance(made, QtWidgets.QCheckBox):
        return made
    cell = QtWidgets.QWidget()
    line = QtWidgets.QHBoxLayout(cell)
    line.setContentsMargins(0, 0, 0, 0)
    line.addWidget(made, 0, QtCore.Qt.AlignCenter)
    return cell
