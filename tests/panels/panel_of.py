"""What the panel of a repeater shows, built offscreen: ``python panel_of.py DEVICE``, as JSON."""

from __future__ import annotations

import json
import sys

from PyQt5 import QtTest

from repstream_panels.tango.devices import attach
from repstream_panels.tango.main import application
from repstream_panels.tango.streams import Streams
from repstream_panels.tango.window import Panel


def main(device: str) -> None:
    application_held = application()
    repeater, writers = attach(device)
    panel = Panel(repeater, writers)
    panel.show()
    streams = panel.findChild(Streams)

    def names() -> list[str]:
        shown = (c for c in range(streams.columnCount()) if not streams.isColumnHidden(c))
        return [streams.horizontalHeaderItem(column).text() for column in shown]

    for _ in range(600):
        QtTest.QTest.qWait(50)
        if len(names()) == 2:
            break
    said = {
        "streams": names(),
        "columns": streams.columnCount(),
        "writers": len(writers),
    }
    json.dump(said, sys.stdout)
    panel.close()
    del application_held


if __name__ == "__main__":
    main(sys.argv[1])
