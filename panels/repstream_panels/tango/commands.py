"""The commands of a device as buttons, grey with the reason where its state does not allow them."""

from __future__ import annotations

from typing import Any

from PyQt5 import QtWidgets

from repstream.parameters.catalogue import Command
from repstream.parameters.facts import Kind, Role
from repstream_panels.tango.devices import Complaint, Device, Reading, Shown, refusal
from repstream_panels.tango.watch import Watch
from repstream_tango.names import command_names


class Commands(QtWidgets.QWidget):
    """A button for each command; those that want an argument are in a menu and ask for it."""

    def __init__(self, device: Device, state: Shown | None, watch: Watch, complain: Complaint) -> None:
        super().__init__()
        self._device, self._state, self._complain = device, state, complain
        self._buttons: list[tuple[Command, Any]] = []
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        menu = QtWidgets.QMenu(self)
        menu.setToolTipsVisible(True)
        for command in device.commands:
            if command.argument is None or (
                command.argument.optional and command.argument.kind is not Kind.TEXT
            ):
                button = QtWidgets.QPushButton(command.title)
                button.setObjectName(command_names(command)[0])
                button.clicked.connect(lambda _, c=command: self._give(c, None))
                row.addWidget(button)
                self._buttons.append((command, button))
            if command.argument is not None:
                action = menu.addAction(f"{command.title} …")
                action.triggered.connect(lambda _, c=command: self._ask(c))
                self._buttons.append((command, action))
        row.addStretch()
        if not menu.isEmpty():
            more = QtWidgets.QToolButton()
            more.setText("More")
            more.setPopupMode(QtWidgets.QToolButton.InstantPopup)
            more.setMenu(menu)
            row.addWidget(more)
        if state is not None:
            watch.follow(device, state, self._update)

    def _update(self, reading: Reading) -> None:
        assert self._state is not None
        state = self._state.readable(reading)
        for command, button in self._buttons:
            reason = refusal(command, state)
            button.setEnabled(not reason)
            button.setToolTip(reason or command.text)

    def _give(self, command: Command, argument: Any) -> None:
        if self._device.execute(command, argument, self._complain) and self._state is not None:
            self._update(self._device.read(self._state))

    def _ask(self, command: Command) -> None:
        assert command.argument is not None
        if command.argument.kind is Kind.INT:
            given, ok = QtWidgets.QInputDialog.getInt(self, command.title, command.argument.text, 1, 1)
        else:
            given, ok = QtWidgets.QInputDialog.getMultiLineText(self, command.title, command.argument.text)
        if ok:
            self._give(command, given)


def state_of(device: Device, group: str, slot: int = 0) -> Shown | None:
    """The attribute that says which commands are allowed."""
    return device.with_role(Role.STATE, group, slot)
