"""A plain form of Taurus on a writer, filled in and applied: ``python taurus_form.py DEVICE``."""

from __future__ import annotations

import json
import sys
import time

import tango
from PyQt5 import QtTest
from taurus.qt.qtgui.panel import TaurusForm

from repstream_panels.tango.main import application

TIMEOUT = 60.0


def main(device: str) -> None:
    application_held = application()
    model = "tango-nodb" + device.removeprefix("tango").removesuffix("#dbase=no")
    form = TaurusForm()
    form.setModel([f"{model}/{name}" for name in ("FileName", "NumImages", "StartResult", "State")])
    form.show()
    QtTest.QTest.qWait(1000)
    form[0].writeWidget().setText("form")
    form[1].writeWidget().setValue(5)
    form.apply()
    proxy = tango.DeviceProxy(device)
    proxy.Start()
    end = time.monotonic() + TIMEOUT
    result = form[2].readWidget()
    while result.text() != "completed" and time.monotonic() < end:
        QtTest.QTest.qWait(50)
    labels = [value.labelWidget().text() for value in form]
    json.dump({"labels": labels, "result": result.text()}, sys.stdout)
    form.close()
    del application_held


if __name__ == "__main__":
    main(sys.argv[1])
