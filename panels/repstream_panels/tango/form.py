"""Attributes under each other: label, then value or editor; those for experts on request."""

from __future__ import annotations

from collections.abc import Iterable

from PyQt5 import QtWidgets

from repstream_panels.tango.devices import Complaint, Device, Shown
from repstream_panels.tango.watch import Watch
from repstream_panels.tango.widgets import editor, viewer


class Form(QtWidgets.QScrollArea):
    """A form of these attributes, in their order."""

    def __init__(self, device: Device, shown: Iterable[Shown], watch: Watch, complain: Complaint) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QtWidgets.QFrame.NoFrame)
        inside = QtWidgets.QWidget()
        rows = QtWidgets.QFormLayout(inside)
        rows.setContentsMargins(6, 6, 6, 6)
        rows.setVerticalSpacing(4)
        self._experts: list[QtWidgets.QWidget] = []
        for one in shown:
            label = QtWidgets.QLabel(one.title)
            label.setToolTip(one.text)
            made = editor(device, one, watch, complain) if one.writable else viewer(device, one, watch)
            rows.addRow(label, made)
            if one.expert:
                self._experts += [label, made]
        self.setWidget(inside)
        self.expert(False)

    def expert(self, shown: bool) -> None:
        """Show what is for experts too."""
        for widget in self._experts:
            widget.setVisible(shown)
