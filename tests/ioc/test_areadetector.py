"""areaDetector's PVs: names, types and strings that clients insist on, and what puts do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from repstream.service.service import Service
from repstream_epics.areadetector.groups import ROWS
from repstream_epics.areadetector.rows import Fixed, Kept, Type
from repstream_epics.server import IocServer
from repstream_epics.views import chosen
from tests.fakes import FakePlane, running_service
from tests.integration.rig import until
from tests.ioc.clients import Pyepics

PREFIX = "T:AD:"
WRITE_ALARM = 2

PAIRS = {
    "cam1:": "Acquire ImageMode NumImages AcquireTime AcquirePeriod TriggerMode NumExposures ArrayCallbacks "
    "ArrayCounter DataType SizeX SizeY MinX MinY BinX BinY Gain UniqueIdMode",
    "HDF1:": "FilePath CreateDirectory FileName FileTemplate FileNumber AutoIncrement FileWriteMode "
    "NumCapture Capture AutoSave EnableCallbacks BlockingCallbacks NDArrayPort ArrayCounter SWMRMode "
    "LazyOpen PositionMode ChunkSizeAuto NumFramesChunks NumExtraDims XMLFileName Compression "
    "QueueSize NDArrayAddress DroppedArrays TempSuffix",
    "image1:": "NDArrayPort NDArrayAddress EnableCallbacks BlockingCallbacks MinCallbackTime QueueSize "
    "ArrayCounter DroppedArrays",
    "ROIStat1:": "NDArrayPort NDArrayAddress EnableCallbacks BlockingCallbacks MinCallbackTime QueueSize "
    "ArrayCounter DroppedArrays",
    "ROIStat1:3:": "Use Name MinX MinY SizeX SizeY BgdWidth",
    "ROI1:": "NDArrayPort NDArrayAddress EnableCallbacks BlockingCallbacks MinCallbackTime QueueSize "
    "ArrayCounter DroppedArrays MinX MinY MinZ SizeX SizeY SizeZ BinX BinY BinZ Scale EnableX EnableY "
    "EnableZ",
    "Stats1:": "NDArrayPort NDArrayAddress EnableCallbacks BlockingCallbacks MinCallbackTime QueueSize "
    "ArrayCounter DroppedArrays ComputeStatistics ComputeCentroid ComputeProfiles ComputeHistogram BgdWidth "
    "CentroidThreshold CursorX CursorY HistSize HistMin HistMax",
}
ARRAY = (
    "ArraySizeX ArraySizeY ArraySizeZ ArraySize0 ArraySize1 ArraySize2 NDimensions ColorMode PortName "
    "UniqueId TimeStamp EpicsTSSec EpicsTSNsec ArrayRate DriverVersion ADCoreVersion "
)
READBACKS = {
    "cam1:": f"{ARRAY} DetectorState StatusMessage NumImagesCounter MaxSizeX MaxSizeY ArraySize PoolUsedMem "
    "Manufacturer Model SerialNumber SDKVersion FirmwareVersion",
    "HDF1:": f"{ARRAY} FilePathExists FullFileName NumCaptured PluginType DataType ExecutionTime SWMRActive "
    "SWMRSupported",
    "image1:": f"{ARRAY} PluginType DataType",
    "ROIStat1:": f"{ARRAY} PluginType DataType",
    "ROIStat1:3:": "MaxSizeX MaxSizeY MinValue MaxValue MeanValue Total Net",
    "ROI1:": f"{ARRAY} PluginType DataType MaxSizeX MaxSizeY",
    "Stats1:": f"{ARRAY} PluginType DataType MinValue MaxValue MeanValue Total Net CentroidX CentroidY "
    "SigmaX SigmaY ProfileSizeX ProfileSizeY",
}
SETPOINTS = {
    "cam1:": "WaitForPlugins NDAttributesFile NDAttributesMacros",
    "HDF1:": "FlushNow NDAttributesFile NDAttributesMacros",
    "image1:": "NDAttributesFile NDAttributesMacros",
    "ROIStat1:": "NDAttributesFile NDAttributesMacros",
    "ROI1:": "NDAttributesFile NDAttributesMacros",
    "Stats1:": "NDAttributesFile NDAttributesMacros",
}
SHOWN = {
    "cam1:": "AcquireBusy",
    "HDF1:": "WriteStatus WriteMessage NumQueuedArrays QueueFree QueueUse IOSpeed RunTime ArraySize0 "
    "ArraySize1",
    "image1:": "ArrayData",
}
"""Names of ADCore's database templates: with a readback, only a readback, none, and not to be written."""

STRINGS = {
    "cam1:Acquire": "Done Acquire",
    "cam1:Acquire_RBV": "Done Acquiring",
    "HDF1:Capture": "Done Capture",
    "HDF1:Capture_RBV": "Done Capturing",
    "HDF1:FlushNow": "Done Flush",
    "HDF1:EnableCallbacks_RBV": "Disable Enable",
    "cam1:ArrayCallbacks_RBV": "Disable Enable",
    "HDF1:SWMRMode_RBV": "Off On",
    "HDF1:PositionMode_RBV": "Off On",
    "HDF1:LazyOpen_RBV": "No Yes",
    "HDF1:AutoIncrement_RBV": "No Yes",
    "HDF1:FileWriteMode_RBV": "Single Capture Stream",
    "cam1:ImageMode_RBV": "Single Multiple Continuous",
    "cam1:TriggerMode_RBV": "Internal External",
    "HDF1:Compression_RBV": "None N-bit szip zlib Blosc BSLZ4 LZ4 JPEG",
    "cam1:DataType_RBV": "Int8 UInt8 Int16 UInt16 Int32 UInt32 Int64 UInt64 Float32 Float64",
    "cam1:ColorMode_RBV": "Mono Bayer RGB1 RGB2 RGB3 YUV444 YUV422 YUV421",
    "cam1:DetectorState_RBV": "Idle Acquire Readout Correct Saving Aborting Error Waiting Initializing "
    "Disconnected Aborted",
}


@dataclass
class Bench:
    """PV names are given without the prefix."""

    folder: Path
    service: Service
    plane: FakePlane
    ca: Pyepics

    def get(self, pv: str) -> Any:
        return self.ca.value(PREFIX + pv)

    def put(self, pv: str, value: Any) -> bool:
        """Write and wait; whether the put was taken."""
        assert self.ca.do("put", PREFIX + pv, value), f"the put to {pv} was not answered"
        return bool(self.ca.do("get", PREFIX + pv)["status"] != WRITE_ALARM)

    def press(self, pv: str) -> Queue[dict[str, Any]]:
        """Without waiting; pyepics must have connected before, since it does that in one thread only."""
        self.get(pv), self.get(f"{pv}_RBV")
        return self.ca.ask("put", PREFIX + pv, 1)

    def capture(self) -> Queue[dict[str, Any]]:
        """Press Capture and wait until it shows."""
        pressed = self.press("HDF1:Capture")
        until(lambda: self.get("HDF1:Capture_RBV") == "Capturing", "Capture")
        return pressed


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        service, plane = stack.enter_context(running_service(tmp_path))
        ioc = stack.enter_context(IocServer({"test": service}, "T:", port=0, views=chosen(PREFIX)))
        ca = stack.enter_context(Pyepics(ioc.port))
        yield Bench(tmp_path, service, plane, ca)


def names(table: dict[str, str], suffix: str = "") -> list[str]:
    return [f"{group}{name}{suffix}" for group, listed in table.items() for name in listed.split()]


READABLE = [*names(PAIRS), *names(PAIRS, "_RBV"), *names(READBACKS, "_RBV"), *names(SETPOINTS), *names(SHOWN)]


def test_every_pv_that_clients_ask_for_is_there_with_its_strings(bench: Bench) -> None:
    wanted = [PREFIX + name for name in READABLE]
    assert bench.ca.do("existing", wanted, 20) == wanted
    for name, strings in STRINGS.items():
        assert bench.ca.do("info", PREFIX + name)["enum_strs"] == strings.split(), name


def test_every_pv_takes_back_what_was_read_from_it(bench: Bench) -> None:
    read = {name: bench.get(name) for name in READABLE if name not in ("image1:ArrayData", "HDF1:DataType")}
    for name in (*names(PAIRS), *names(SETPOINTS)):
        if read[name] is not None and name != "cam1:DataType":  # there is none before the first image
            assert bench.put(name, read[name]), name
    again = {name: bench.get(name) for name in (*names(PAIRS, "_RBV"), *names(SETPOINTS))}
    assert again == {name: read[name] for name in again}


def test_what_only_shows_cannot_be_written(bench: Bench) -> None:
    for name in (*names(READBACKS, "_RBV"), *names(SHOWN)):
        tolerated = name == "HDF1:NumCaptured_RBV"
        assert ("write" in bench.ca.do("info", PREFIX + name)["access"]) == tolerated, name


def test_what_is_kept_reads_back_and_is_kept_by_the_engine(bench: Bench) -> None:
    for row in ROWS:
        if isinstance(row.what, Kept):
            value = row.strings[-1] if row.strings else "" if row.type is Type.CHARS else 7
            assert bench.put(row.name, value), row.name
            assert bench.get(row.pvs[-1]) == value, row.name
    kept = json.loads(str(bench.service.read("facade.area_detector").value))
    assert kept["cam1:NumImages"] == 7 and kept["cam1:ImageMode"] == "Continuous"


def test_many_kept_values_at_once_lose_none(bench: Bench) -> None:
    names = [r.name for r in ROWS if isinstance(r.what, Kept) and r.type is Type.LONG]
    bench.ca.do("put_row", [(PREFIX + name, 3) for name in names])
    until(lambda: all(bench.get(f"{name}_RBV") == 3 for name in names), "all values")


REFUSED: tuple[tuple[str, Any], ...] = (
    ("cam1:NumImages", -1),
    ("cam1:AcquireTime", -1.0),
    ("HDF1:FileTemplate", "%d"),
    ("HDF1:FileName", "a/b"),
    ("HDF1:Compression", "zlib"),
    ("HDF1:NumExtraDims", 1),
    ("HDF1:FileName", "a" * 256),
    ("HDF1:FilePath", "relative"),
)


def test_a_value_that_cannot_be_is_refused_and_says_why(bench: Bench) -> None:
    for pv, value in REFUSED:
        before = bench.get(f"{pv}_RBV")
        assert not bench.put(pv, value), pv
        assert bench.get(f"{pv}_RBV") == before
        why = bench.get("HDF1:WriteMessage" if pv.startswith("HDF1") else "cam1:StatusMessage_RBV")
        assert "must" in why, (pv, why)


def test_what_is_fixed_takes_its_own_value_only(bench: Bench) -> None:
    for row in ROWS:
        if isinstance(row.what, Fixed) and len(row.pvs) > 1:
            assert bench.put(row.name, row.what.value), row.name


def test_a_folder_comes_back_with_a_slash_and_the_put_knows_whether_it_exists(bench: Bench) -> None:
    (bench.folder / "new").mkdir()
    assert bench.put("HDF1:FilePath", str(bench.folder / "absent"))
    assert bench.get("HDF1:FilePathExists_RBV") == "No"
    assert bench.put("HDF1:FilePath", str(bench.folder / "new"))
    assert bench.get("HDF1:FilePath_RBV") == f"{bench.folder}/new/"
    assert bench.get("HDF1:FilePathExists_RBV") == "Yes"
    bench.put("HDF1:FilePath", str(bench.folder / "absent"))
    bench.put("HDF1:CreateDirectory", -1)
    assert bench.get("HDF1:FilePathExists_RBV") == "Yes"


def test_capture_opens_the_file_and_completes_when_it_is_closed(bench: Bench) -> None:
    bench.put("HDF1:FileName", "shot")
    pressed = bench.capture()
    assert bench.get("HDF1:FullFileName_RBV") == f"{bench.folder}/shot_000000.h5"
    assert bench.get("HDF1:FileNumber_RBV") == 1
    assert pressed.empty()
    bench.put("HDF1:Capture", 0)
    assert bench.get("HDF1:Capture_RBV") == "Done"
    assert bench.put("HDF1:FileName", "next"), "settings can be written after Capture has ended"
    assert pressed.get(timeout=20)["result"]


def test_acquire_takes_num_images_with_one_edge_each(bench: Bench) -> None:
    bench.put("cam1:NumImages", 3)
    bench.put("cam1:ImageMode", "Multiple")
    pressed = bench.capture()
    with bench.ca.watch(f"{PREFIX}cam1:Acquire_RBV") as updates:
        for n in (1, 2):
            bench.plane.open_gate_gives(5)
            assert bench.put("cam1:Acquire", 1)
            until(lambda n=n: bench.get("HDF1:NumCaptured_RBV") == 3 * n, "the images")  # type: ignore[misc]
        bench.put("HDF1:Capture", 0)
        pressed.get(timeout=20)
        assert [u["value"] for u in updates.queue] == [0, 1, 0, 1, 0]


def test_num_capture_ends_the_capture(bench: Bench) -> None:
    bench.put("HDF1:NumCapture", 2)
    bench.put("cam1:ImageMode", "Continuous")
    pressed = bench.capture()
    bench.plane.open_gate_gives(4)
    assert bench.put("cam1:Acquire", 1)
    assert pressed.get(timeout=20)["result"]
    assert bench.get("HDF1:NumCaptured_RBV") == 2
    assert bench.get("HDF1:WriteStatus") == "Write OK"


def test_acquire_without_capture_only_counts(bench: Bench) -> None:
    bench.put("cam1:ArrayCounter", 0)
    bench.put("cam1:NumImages", 3)
    bench.put("cam1:ImageMode", "Multiple")
    pressed = bench.press("cam1:Acquire")
    until(lambda: bench.get("cam1:DetectorState_RBV") == "Acquire", "Acquire")
    assert bench.service.read("engine.state").value == "RUNNING"
    bench.plane.receive(2)
    until(lambda: bench.get("cam1:ArrayCounter_RBV") == 2, "two frames")
    assert pressed.empty()
    bench.plane.receive(1)
    assert pressed.get(timeout=20)["result"]
    assert bench.get("cam1:DetectorState_RBV") == "Idle"
    assert bench.service.read("writers.main.full_file_name").value == ""


def test_acquire_0_leaves_the_file_open(bench: Bench) -> None:
    """The driver and the plugin of an areaDetector stop apart from each other."""
    bench.put("cam1:ImageMode", "Continuous")
    captured = bench.capture()
    acquired = bench.press("cam1:Acquire")
    until(lambda: bench.get("cam1:AcquireBusy") == "Acquiring", "Acquire")
    bench.plane.receive(3)
    until(lambda: bench.get("cam1:NumImagesCounter_RBV") == 3, "the counter")
    assert bench.put("cam1:Acquire", 0)
    assert acquired.get(timeout=20)["result"]
    assert bench.get("cam1:Acquire_RBV") == "Done" and bench.get("HDF1:Capture_RBV") == "Capturing"
    bench.plane.receive(5)
    assert captured.empty()
    bench.plane.open_gate_gives(2)
    bench.put("cam1:ImageMode", "Single")
    assert bench.put("cam1:Acquire", 1)
    bench.put("HDF1:Capture", 0)
    assert captured.get(timeout=20)["result"]
    assert bench.get("HDF1:NumCaptured_RBV") == 4
    assert bench.put("cam1:Acquire", 0), "nothing to end"


def test_capture_while_images_are_taken_writes_those_that_come(bench: Bench) -> None:
    bench.put("cam1:ImageMode", "Continuous")
    bench.put("HDF1:NumCapture", 2)
    acquired = bench.press("cam1:Acquire")
    until(lambda: bench.get("cam1:DetectorState_RBV") == "Acquire", "Acquire")
    bench.plane.receive(3)
    captured = bench.capture()
    bench.plane.receive(5)
    assert captured.get(timeout=20)["result"]
    assert bench.get("HDF1:NumCaptured_RBV") == 2
    assert bench.get("cam1:Acquire_RBV") == "Acquiring" and acquired.empty()
    assert bench.put("cam1:Acquire", 0)
    assert acquired.get(timeout=20)["result"]


def test_acquire_waits_for_the_writer_if_asked_to(bench: Bench) -> None:
    bench.put("cam1:WaitForPlugins", "Yes")
    bench.put("HDF1:NumCapture", 2)
    bench.put("cam1:NumImages", 2)
    bench.put("cam1:ImageMode", "Multiple")
    bench.plane.slow = True
    captured = bench.capture()
    acquired = bench.press("cam1:Acquire")
    until(lambda: bench.get("cam1:Acquire_RBV") == "Acquiring", "Acquire")
    bench.plane.receive(2)
    assert acquired.empty() and bench.get("cam1:Acquire_RBV") == "Acquiring"
    bench.plane.close_file(1)
    assert acquired.get(timeout=20)["result"] and captured.get(timeout=20)["result"]


def test_acquire_0_ends_the_counting(bench: Bench) -> None:
    bench.put("cam1:ImageMode", "Continuous")
    pressed = bench.press("cam1:Acquire")
    until(lambda: bench.get("cam1:Acquire_RBV") == "Acquiring", "Acquire")
    assert bench.put("cam1:Acquire", 0)
    assert pressed.get(timeout=20)["result"]
    assert bench.get("cam1:Acquire_RBV") == "Done"


def test_a_refused_capture_never_shows_1(bench: Bench) -> None:
    bench.put("HDF1:FileTemplate", "%s%s.h5")
    (bench.folder / "scan.h5").write_text("somebody's")
    with bench.ca.watch(f"{PREFIX}HDF1:Capture_RBV") as updates:
        assert not bench.put("HDF1:Capture", 1)
        assert [u["value"] for u in updates.queue] == [0]
    assert bench.get("HDF1:WriteStatus") == "Write error"
    assert "scan.h5" in bench.get("HDF1:WriteMessage")
    assert bench.put("HDF1:FileName", "other")
    assert bench.get("HDF1:WriteStatus") == "Write error", "what failed is said until the next Capture"


def test_a_dead_data_plane_ends_both_puts(bench: Bench) -> None:
    capture = bench.capture()
    acquire = bench.press("cam1:Acquire")
    until(lambda: bench.get("cam1:Acquire_RBV") == "Acquiring", "Acquire")
    bench.plane.die()
    assert capture.get(timeout=20) and acquire.get(timeout=20)
    until(lambda: bench.get("HDF1:WriteStatus") == "Write error", "the failure")
    assert bench.get("cam1:DetectorState_RBV") in ("Error", "Disconnected")


def test_readbacks_that_scripts_write_take_it_and_keep_their_value(bench: Bench) -> None:
    for pv in ("HDF1:NumCapture_RBV", "HDF1:NumCaptured_RBV"):
        assert bench.put(pv, 9)
        assert bench.get(pv) == 0


def test_nothing_of_it_is_served_unless_asked_for(tmp_path: Path) -> None:
    with running_service(tmp_path) as (service, _):
        assert not any("HDF1:" in name for name in IocServer({"test": service}, "T:").channels)
        macro = IocServer({"test": service}, "T:", views=chosen("$(ENGINE):AD:"))
        assert "test:AD:HDF1:Capture" in macro.channels
