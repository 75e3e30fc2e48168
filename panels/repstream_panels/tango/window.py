"""The whole panel: repeater and streams, writers, trends and pictures of one server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PyQt5 import QtCore, QtWidgets

from repstream.parameters.catalogue import Group
from repstream.parameters.experiment import ExperimentConfig
from repstream.parameters.facts import Role
from repstream.parameters.stream import OutputConfig
from repstream.parameters.writer_status import PREVIOUS, AcquisitionStatus
from repstream_panels.tango.devices import Device, Reading, Shown
from repstream_panels.tango.form import Form
from repstream_panels.tango.head import Head, Strip
from repstream_panels.tango.picture import Live
from repstream_panels.tango.streams import Streams
from repstream_panels.tango.trends import Trends
from repstream_panels.tango.watch import Listener, Watch
from repstream_panels.tango.widgets import STYLE, Refusal

WRITER_TABS = (("Acquisition", "Writer", "Previous"), ("File", "Frames", "Experiment"))


def chapter(shown: Shown) -> str:
    """The tab of a writer's attribute, after the section that declares its parameter."""
    field = shown.parameter.field
    if shown.writable:
        if field in ExperimentConfig.model_fields:
            return "Experiment"
        return "Frames" if field in OutputConfig.model_fields else "File"
    if field.startswith(PREVIOUS.prefix):
        return "Previous"
    return "Acquisition" if field in AcquisitionStatus.model_fields else "Writer"


class Panel(QtWidgets.QMainWindow):
    """Panel of a repeater and its writers."""

    def __init__(self, repeater: Device, writers: tuple[Device, ...]) -> None:
        super().__init__()
        self.setWindowTitle(f"repstream – {repeater.name}")
        self.setStyleSheet(STYLE)
        self.resize(1500, 900)
        self.watch = Watch()
        self.refusal = Refusal()
        self._experts: list[Any] = []
        self._expert_now = False
        left, right = QtWidgets.QSplitter(QtCore.Qt.Vertical), QtWidgets.QSplitter(QtCore.Qt.Vertical)
        left.addWidget(self._repeater(repeater))
        left.addWidget(self._writers(writers))
        left.setSizes([440, 440])
        right.addWidget(self._pictures(repeater))
        right.addWidget(_boxed("Rates", Trends((repeater, *writers), self.watch)))
        right.setSizes([580, 280])
        sides = QtWidgets.QSplitter()
        sides.addWidget(left)
        sides.addWidget(right)
        sides.setSizes([820, 680])
        inside = QtWidgets.QWidget()
        rows = QtWidgets.QVBoxLayout(inside)
        rows.addLayout(self._top(repeater))
        rows.addWidget(self.refusal)
        rows.addWidget(sides, 1)
        self.setCentralWidget(inside)

    def closeEvent(self, event: Any) -> None:
        self.watch.close()
        for picture in self._live:
            picture.close_pictures()
        super().closeEvent(event)

    def _top(self, repeater: Device) -> QtWidgets.QHBoxLayout:
        line, head = QtWidgets.QHBoxLayout(), QtWidgets.QVBoxLayout()
        head.addWidget(Head(repeater, Group.ENGINE, self.watch, self.refusal.complain))
        lost = [s for s in repeater.of(Group.SOURCE) if s.parameter.loss]
        losing = repeater.with_role(Role.LOSING, Group.ENGINE)
        head.addWidget(Strip(repeater, [losing, *lost] if losing else lost, self.watch))
        line.addLayout(head, 1)
        expert = QtWidgets.QCheckBox("expert")
        expert.setObjectName("expert")
        expert.toggled.connect(self._expert)
        line.addWidget(expert, 0, QtCore.Qt.AlignTop)
        return line

    def _expert(self, shown: bool) -> None:
        self._expert_now = shown
        for part in self._experts:
            part.expert(shown)

    def _form(self, device: Device, shown: Iterable[Shown]) -> Form:
        form = Form(device, shown, self.watch, self.refusal.complain)
        form.expert(self._expert_now)
        self._experts.append(form)
        return form

    def _repeater(self, device: Device) -> QtWidgets.QTabWidget:
        tabs = QtWidgets.QTabWidget()
        streams = Streams(device, self.watch, self.refusal.complain)
        self._experts.append(streams)
        tabs.addTab(streams, "Streams")
        source = QtWidgets.QSplitter()
        for writable in (False, True):
            shown = (s for s in device.of(Group.SOURCE) if s.writable is writable)
            source.addWidget(self._form(device, shown))
        tabs.addTab(source, "Source")
        tabs.addTab(self._form(device, device.of(Group.ENGINE)), "Engine")
        for slot in device.slots(Group.PICTURE):
            tabs.addTab(self._form(device, device.of(Group.PICTURE, slot)), f"Picture {slot}")
        return tabs

    def _writers(self, writers: tuple[Device, ...]) -> QtWidgets.QTabWidget:
        tabs = QtWidgets.QTabWidget()
        for index, device in enumerate(writers):
            page = QtWidgets.QWidget()
            page.setObjectName(f"writer{device.slot}")
            QtWidgets.QVBoxLayout(page)
            tabs.addTab(page, f"Writer {device.slot}")
            name = device.with_role(Role.NAME, Group.WRITER, 1)
            if name is not None:
                self.watch.follow(device, name, self._named(tabs, index, page, device))
        return tabs

    def _named(self, tabs: QtWidgets.QTabWidget, index: int, page: Any, device: Device) -> Listener:
        """Shows the tab of a writer that is there; what is on it is made and subscribed at first."""

        def update(reading: Reading) -> None:
            tabs.setTabVisible(index, bool(reading.value))
            if reading.value:
                tabs.setTabText(index, f"Writer {reading.value}")
                if not page.layout().count():
                    self._writer(device, page.layout())

        return update

    def _writer(self, device: Device, rows: QtWidgets.QVBoxLayout) -> None:
        rows.addWidget(Head(device, Group.WRITER, self.watch, self.refusal.complain))
        shares = [s for s in device.of(Group.WRITER, 1) if s.unit == "%"]
        rows.addWidget(Strip(device, shares, self.watch))
        both = QtWidgets.QSplitter()
        for titles in WRITER_TABS:
            inner = QtWidgets.QTabWidget()
            for title in titles:
                shown = [s for s in device.of(Group.WRITER, 1) if s not in shares and chapter(s) == title]
                inner.addTab(self._form(device, shown), title)
            both.addWidget(inner)
        rows.addWidget(both, 1)

    def _pictures(self, repeater: Device) -> QtWidgets.QTabWidget:
        tabs = QtWidgets.QTabWidget()
        self._live = [Live(repeater, slot, self.watch) for slot in repeater.slots(Group.PICTURE)]
        for slot, live in enumerate(self._live, 1):
            tabs.addTab(live, f"Picture {slot}")
        return tabs


def _boxed(title: str, inside: QtWidgets.QWidget) -> QtWidgets.QGroupBox:
    box = QtWidgets.QGroupBox(title)
    QtWidgets.QVBoxLayout(box).addWidget(inside)
    return box
