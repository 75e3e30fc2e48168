"""What tomoscan does with an areaDetector, in its order and with pyepics as it does; run by `run_program`.

tomoscan (APS; no release on PyPI) is a set of classes that beamlines derive theirs from. These are the puts
and polls of `TomoScan` with `TomoScanPSO` (one file a scan), `TomoScan13BM` (a file each for dark fields,
flat fields and projections) and `TomoScanStreamPSO` (a file taken again and again from a camera that runs).
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from epics import PV

PREFIX, FOLDER = "T:AD:", "/data"
TIMEOUT = 30.0
CAMERA = (
    "Manufacturer_RBV Model_RBV Acquire AcquireBusy ImageMode TriggerMode NumImages NumImagesCounter_RBV "
    "AcquireTime AcquireTime_RBV BinX BinY WaitForPlugins PortName_RBV NDAttributesFile NDAttributesMacros"
)
PLUGIN = (
    "NDArrayPort FileWriteMode NumCapture NumCaptured_RBV Capture Capture_RBV FilePath FilePath_RBV "
    "FilePathExists_RBV FileName FileName_RBV FileNumber AutoIncrement FileTemplate FullFileName_RBV "
    "AutoSave EnableCallbacks XMLFileName WriteStatus"
)

cam = {name: PV(f"{PREFIX}cam1:{name}") for name in CAMERA.split()}
hdf = {name: PV(f"{PREFIX}HDF1:{name}") for name in PLUGIN.split()}
errors: list[str] = []


def connect() -> None:
    for pv in (*cam.values(), *hdf.values()):
        assert pv.wait_for_connection(10), pv.pvname
    assert "Point Grey" not in cam["Manufacturer_RBV"].get(as_string=True)
    assert cam["Model_RBV"].get(as_string=True)
    cam["WaitForPlugins"].put("Yes")
    hdf["FilePath"].put(FOLDER)
    hdf["FileName"].put("before")
    hdf["AutoSave"].put("No")
    hdf["FileWriteMode"].put("Stream")
    hdf["EnableCallbacks"].put("Enable")
    hdf["WriteStatus"].add_callback(lambda value, **_: errors.append(str(value)) if value else None)
    cam["NDAttributesFile"].put("TomoScanDetectorAttributes.xml")
    cam["NDAttributesMacros"].put("DET=T:AD:,TS=T:TOMO:")
    hdf["XMLFileName"].put("TomoScanLayout.xml")
    hdf["NDArrayPort"].put(cam["PortName_RBV"].get())
    hdf["AutoIncrement"].put("Yes")
    run_freely()


def run_freely() -> None:
    """The camera shows live pictures between scans."""
    cam["ImageMode"].put("Continuous", wait=True)
    cam["TriggerMode"].put("Internal", wait=True)
    cam["Acquire"].put("Acquire")


def begin(name: str) -> str:
    """The file that is to be written, as tomoscan reckons it to see whether it exists."""
    cam["Acquire"].put(0, wait=True)
    cam["AcquireTime"].put(0.01, wait=True, timeout=10)
    # The values of tomoscan's own waveforms: bytes, filled up with zeros.
    hdf["FilePath"].put(np.frombuffer(FOLDER.encode().ljust(256, b"\0"), np.uint8), wait=True)
    hdf["FileName"].put(np.frombuffer(name.encode().ljust(256, b"\0"), np.uint8), wait=True)
    assert hdf["FilePathExists_RBV"].value == 1
    assert cam["AcquireTime_RBV"].value == 0.01
    words = (hdf[word].get(as_string=True) for word in ("FileTemplate", "FilePath_RBV", "FileName_RBV"))
    template, *names = words
    return str(template % (*names, hdf["FileNumber"].value))


def set_number(images: int) -> None:
    cam["ImageMode"].put("Multiple", wait=True)
    cam["NumImages"].put(images, wait=True)
    cam["TriggerMode"].put("Internal", wait=True)


def take(images: int) -> None:
    """Take images and wait until the camera is done, as `wait_camera_done` does."""
    set_number(images)
    cam["Acquire"].put("Acquire")
    time.sleep(0.5)
    wait_camera_done()
    assert cam["NumImagesCounter_RBV"].value == images


def wait_camera_done() -> None:
    end = time.monotonic() + TIMEOUT
    while cam["AcquireBusy"].value != 0:
        time.sleep(0.2)
        hdf["NumCaptured_RBV"].get(), hdf["NumCapture"].get()
        assert time.monotonic() < end, "CameraTimeoutError"


def wait_pv(pv: PV, value: int, pause: float = 0.01) -> None:
    """tomoscan waits for ever."""
    end = time.monotonic() + TIMEOUT
    time.sleep(pause)
    while pv.get() != value:
        time.sleep(pause)
        assert time.monotonic() < end, f"{pv.pvname} has not become {value}"


def full_name() -> str:
    return str(hdf["FullFileName_RBV"].get(as_string=True))


def one_file() -> str:
    """`TomoScanPSO`: dark fields, flat fields and projections into one file."""
    expected = begin("single")
    hdf["NumCapture"].put(12, wait=True)
    hdf["Capture"].put("Capture")
    for images in (3, 4, 5):
        take(images)
    written = full_name()
    assert written == expected
    run_freely()
    return written


def a_file_each() -> list[str]:
    """`TomoScan13BM`: a file each; before them images that nobody writes."""
    begin("each")
    hdf["FileNumber"].put(1)
    take(3)
    written = []
    for images in (3, 4):
        set_number(images)
        hdf["NumCapture"].put(images, wait=True)
        hdf["Capture"].put("Capture")
        take(images)
        written.append(full_name())
    run_freely()
    return written


def taken_again() -> str:
    """`TomoScanStreamPSO.retake_dark`, twice: the camera runs all the time."""
    hdf["FileName"].put("dark_fields.h5", wait=True)
    hdf["FileTemplate"].put("%s%s", wait=True)
    hdf["AutoIncrement"].put("No", wait=True)
    for pause in (0.01, 0.1, 0.1):
        hdf["NumCapture"].put(2, wait=True)
        hdf["Capture"].put("Capture")
        wait_pv(hdf["Capture_RBV"], 1, pause)
        wait_pv(hdf["Capture_RBV"], 0, pause)
    return full_name()


def of_one_image() -> bool:
    """Whether a capture that is over at once is seen, and its put completes after what is read back."""
    hdf["FileName"].put("one.h5", wait=True)
    hdf["NumCapture"].put(1, wait=True)
    hdf["Capture"].put("Capture", wait=True, timeout=TIMEOUT)
    return bool(hdf["Capture_RBV"].get(use_monitor=False) == 0 and hdf["NumCaptured_RBV"].get() == 1)


def aborted() -> str:
    """`abort_scan` in the middle of the projections."""
    hdf["FileTemplate"].put("%s%s_%6.6d.h5", wait=True)
    hdf["FileNumber"].put(1, wait=True)
    begin("aborted")
    hdf["NumCapture"].put(1_000_000, wait=True)
    hdf["Capture"].put("Capture")
    set_number(1_000_000)
    cam["Acquire"].put("Acquire")
    wait_pv(cam["AcquireBusy"], 1)
    while hdf["NumCaptured_RBV"].value < 3:
        time.sleep(0.01)
    hdf["Capture"].put(0)
    run_freely()
    wait_pv(hdf["Capture_RBV"], 0)
    return full_name()


connect()
documents: dict[str, Any] = {
    "one_file": one_file(),
    "a_file_each": a_file_each(),
    "taken_again": taken_again(),
    "of_one_image": of_one_image(),
    "aborted": aborted(),
    "errors": errors,
}
cam["Acquire"].put(0, wait=True)
