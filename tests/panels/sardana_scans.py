"""Scans of a real Sardana (Pool, MacroServer, Door) with our controllers, and with those for Lima.

``python sardana_scans.py FOLDER WRITER REPEATER LIMA``; TANGO_HOST names an empty database. What the
macros said goes to the output as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from queue import Queue
from typing import Any
from xml.etree import ElementTree

import sardana_limaccd.ctrl
import tango

import repstream_panels.sardana

POOL, MACROS, DOOR = "pool/test/1", "macroserver/test/1", "door/test/1"
TIMEOUT = 120.0
ENDS = ("finish", "exception", "stop", "abort")


def register() -> None:
    """Enter the Sardana server into the database."""
    database = tango.Database()
    for name, kind in ((POOL, "Pool"), (MACROS, "MacroServer"), (DOOR, "Door")):
        info = tango.DbDevInfo()
        info.name, info._class, info.server = name, kind, "Sardana/test"
        database.add_device(info)
    database.put_device_property(
        POOL,
        {
            "PoolPath": [*repstream_panels.sardana.__path__, *sardana_limaccd.ctrl.__path__],
            "Version": "1.0",
        },
    )
    database.put_device_property(MACROS, {"PoolNames": [POOL]})
    database.put_device_property(DOOR, {"MacroServerName": [MACROS]})


class Door:
    """The door once it answers, and what it says of macros; its State says RUNNING too late."""

    def __init__(self) -> None:
        self._proxy = opened()
        self._said: Queue[tuple[str, Any]] = Queue()
        for name in ("MacroStatus", "Output", "Error"):
            self._proxy.subscribe_event(name, tango.EventType.CHANGE_EVENT, self._take)

    def run(self, *macro: str) -> dict[str, object]:
        """Run a macro to its end; how it ended, and what it said."""
        number = ElementTree.fromstring(self._proxy.RunMacro(list(macro))[0])[0].get("id")
        said: dict[str, Any] = {"macro": macro, "Output": [], "Error": []}
        while "status" not in said:
            name, value = self._said.get(timeout=TIMEOUT)
            if name != "macrostatus":
                said[name.capitalize()] += value or ()
                continue
            for status in json.loads(value[1]) if value[1] else ():
                if str(status["id"]) == number and status["state"] in ENDS:
                    said["status"] = status["state"]
        while self._proxy.state() == tango.DevState.RUNNING:
            time.sleep(0.02)
        return said

    def run_all(self, macros: Iterable[tuple[str, ...]]) -> list[dict[str, object]]:
        """Run macros one after the other.

        A group is configured until Sardana says so: it gives up after 3 s where the event of that comes late.
        """
        return [
            self.run_when_possible(*macro) if macro[0] == "set_meas_conf" else self.run(*macro)
            for macro in macros
        ]

    def run_when_possible(self, *macro: str) -> dict[str, object]:
        """As `run`, again and again until it succeeds."""
        end = time.monotonic() + TIMEOUT
        while (said := self.run(*macro))["status"] != "finish":
            assert time.monotonic() < end, said
            time.sleep(0.3)
        return said

    def _take(self, event: Any) -> None:
        if not event.err:
            self._said.put((event.attr_value.name.lower(), event.attr_value.value))


def opened() -> tango.DeviceProxy:
    """A proxy of the door, once it is on."""
    end = time.monotonic() + TIMEOUT
    while True:
        try:
            proxy = tango.DeviceProxy(DOOR)
            if proxy.state() == tango.DevState.ON:
                return proxy
        except tango.DevFailed:
            pass
        assert time.monotonic() < end, "the door did not open"
        time.sleep(0.2)


def of_lima(folder: Path, device: str) -> tuple[tuple[str, ...], ...]:
    """Macros that count and scan with the detector of Lima `device`."""
    return (
        (
            "defctrl",
            "LimaCCDTwoDController",
            "lima",
            *("LimaCCDDeviceName", device, "LatencyTime", "0", "FirstImageNumber", "0"),
        ),
        ("defelem", "frames", "lima", "1"),
        ("defmeas", "limamg", "timer", "frames"),
        ("senv", "ActiveMntGrp", "limamg"),
        ("senv", "ScanFile", "lima.h5"),
        ("set_meas_conf", "ValueRefPattern", f"h5file://{folder}/lima_{{index:04d}}.h5", "frames", "limamg"),
        ("set_meas_conf", "ValueRefEnabled", "True", "frames", "limamg"),
        ("ct", "0.05"),
        ("ascan", "mot1", "0", "1", "2", "0.05"),
        ("ascan", "mot1", "0", "1", "1", "0.05"),
    )


def on_the_fly(folder: Path) -> tuple[tuple[str, ...], ...]:
    """Macros of a continuous scan, whose points Sardana triggers while the motor moves."""
    return (
        ("senv", "ScanFile", "fly.h5"),
        ("set_meas_conf", "ValueRefPattern", f"h5file://{folder}/fly_{{index:04d}}.h5", "images", "mg"),
        ("ascanct", "mot1", "0", "4", "4", "0.1", "0.9"),
        # Faster than files are written.
        ("senv", "ScanFile", "hurried.h5"),
        ("set_meas_conf", "ValueRefPattern", f"h5file://{folder}/hurried_{{index:04d}}.h5", "images", "mg"),
        ("ascanct", "mot1", "0", "4", "20", "0.05", "0"),
    )


def main(folder: Path, writer: str, repeater: str, lima: str) -> None:
    register()
    with (folder / "sardana.log").open("w") as log:
        server = subprocess.Popen(
            [Path(sys.executable).with_name("Sardana"), "test"],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        try:
            door = Door()
            pattern = f"h5file://{folder}/img_{{index:04d}}.h5"
            # The MacroServer has to find its Pool first.
            done = [door.run_when_possible("defctrl", "DummyMotorController", "motors")]
            done += door.run_all(
                (
                    ("defelem", "mot1", "motors", "1"),
                    ("defctrl", "DummyCounterTimerController", "counters"),
                    ("defelem", "timer", "counters", "1"),
                    (
                        "defctrl",
                        "RepstreamWriterController",
                        "writers",
                        "Writer",
                        writer,
                        "Repeater",
                        repeater,
                    ),
                    ("defelem", "images", "writers", "1"),
                    ("defctrl", "RepstreamNumbersController", "numbers", "Repeater", repeater),
                    ("defelem", "region", "numbers", "1"),
                    ("defctrl", "RepstreamProfilesController", "profiles", "Repeater", repeater),
                    ("defelem", "profile", "profiles", "1"),
                )
            )
            for name, attribute, value in (
                ("region", "SourceAttribute", "Pictures1Roi1Sum"),
                ("images", "ImagesPerPoint", 3),
            ):
                tango.DeviceProxy(name).write_attribute(attribute, value)
            done += door.run_all(
                (
                    ("defmeas", "mg", "timer", "images", "region", "profile"),
                    ("senv", "ActiveMntGrp", "mg"),
                    ("senv", "ScanDir", str(folder)),
                    ("senv", "ScanFile", "scan.h5"),
                    ("set_meas_conf", "ValueRefEnabled", "True", "images", "mg"),
                    ("set_meas_conf", "ValueRefPattern", f"h5file://{folder}/ct.h5", "images", "mg"),
                    ("ct", "0.1"),
                    ("set_meas_conf", "ValueRefPattern", pattern, "images", "mg"),
                    ("ascan", "mot1", "0", "1", "2", "0.1"),
                    ("ascan", "mot1", "0", "1", "2", "0.1"),  # its files are there already
                )
            )
            done += door.run_all(on_the_fly(folder))
            done += door.run_all(of_lima(folder, lima))
            json.dump(done, sys.stdout)
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:5])
