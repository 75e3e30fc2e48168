"""`repstream panel tango DEVICE`: the window and its end."""

from __future__ import annotations

import os
import signal
import sys

os.environ.setdefault("QT_API", "pyqt5")

from PyQt5 import QtCore
from taurus.qt.qtgui.application import TaurusApplication

from repstream_panels.tango.devices import NoPanel, attach
from repstream_panels.tango.window import Panel


def application() -> TaurusApplication:
    """The Qt application, one a process."""
    return TaurusApplication(sys.argv[:1], app_name="repstream", cmd_line_parser=None)


def run(device: str) -> int:
    """Show the panel of a repeater until its window is closed; returns the exit status."""
    try:
        repeater, writers = attach(device)
    except NoPanel as error:
        print(f"repstream panel tango: {error}", file=sys.stderr)
        return 1
    app = application()
    panel = Panel(repeater, writers)
    panel.show()
    signal.signal(signal.SIGINT, lambda *_: panel.close())
    signal.signal(signal.SIGTERM, lambda *_: panel.close())
    awake = QtCore.QTimer()  # so that Python sees signals while Qt waits
    awake.timeout.connect(lambda: None)
    awake.start(300)
    return int(app.exec_())
