"""Pictures and sums of regions as areaDetector's plugins, for ophyd as it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from repstream.protocol import Requester
from tests.integration.rig import IMAGES, SHAPE, running_rig, until
from tests.ioc.areadetector_rig import prepared, run_program

pytest.importorskip("ophyd")
ME = Requester("test", "", "")

PROGRAM = """
from ophyd.areadetector.plugins import ImagePlugin, ROIPlugin, ROIStatNPlugin_V25, StatsPlugin
from ophyd.signal import EpicsSignalBase

EpicsSignalBase.set_defaults(timeout=10, connection_timeout=10, write_timeout=10)
image = ImagePlugin("T:AD:image1:", name="image")
image.wait_for_connection(all_signals=False, timeout=10)
spot = ROIStatNPlugin_V25("T:AD:ROIStat1:2:", name="spot")
spot.min_.x.set(30).wait(10)
region, stats = ROIPlugin("T:AD:ROI1:", name="region"), StatsPlugin("T:AD:Stats1:", name="stats")
pixels = image.array_data.get().reshape(image.array_size.get()[1:])
documents = {
    "id": int(image.unique_id.get()),
    "image": pixels.tolist(),
    "type": image.data_type.get(as_string=True),
    "enabled": image.enable.get(as_string=True),
    "roi": [getattr(spot, name).get() for name in ("total", "mean_value", "min_value", "max_value")],
    "used": spot.use.get(as_string=True),
    "stats": [getattr(stats, name).get() for name in ("total", "mean_value", "min_value", "max_value")],
    "centre": [stats.centroid.x.get(), stats.centroid.y.get(), stats.sigma_x.get(), stats.sigma_y.get()],
    "from": [stats.nd_array_port.get(), region.port_name.get()],
    "size": [region.size.x.get(), region.size.y.get(), region.bin_.x.get()],
}
region.min_xyz.min_x.set(50).wait(10)
region.size.x.set(60).wait(10)
"""


def test_ophyd_sees_the_picture_and_the_sums_of_a_region(tmp_path: Path) -> None:
    with running_rig(tmp_path) as rig, prepared(rig) as ioc:
        spot_at = {"pictures.1.roi2_x": 20, "pictures.1.roi2_y": 10, "pictures.1.roi2_width": 40}
        rig.service.write({"streams.all.enable": False, "streams.fifth.every_nth": 1}, ME)
        rig.service.write({**spot_at, "pictures.1.roi2_height": 30, "pictures.1.stream": "fifth"}, ME)
        rig.service.execute("engine.start", None, ME).wait(20)
        until(lambda: rig.value("pictures.1.state") == "waiting", "the pictures")
        frame_id = 19
        rig.detector.send(range(frame_id + 1))  # some come before the pictures have connected, perhaps all
        until(lambda: rig.value("pictures.1.image_id") == frame_id, "the last picture")
        centre = [rig.value(f"pictures.1.{key}") for key in ("centre_x", "centre_y", "width_x", "width_y")]
        done = run_program(tmp_path, ioc.port, PROGRAM)
        assert done.returncode == 0, done.stderr[-3000:]
        region = rig.value("pictures.1.region_x"), rig.value("pictures.1.region_width")
    seen = json.loads(done.stdout.split("DOCUMENTS ")[1])
    image = IMAGES(frame_id)
    assert seen["id"] == frame_id and (seen["type"], seen["enabled"]) == ("UInt16", "Enable")
    assert np.array(seen["image"]).shape == SHAPE and np.array_equal(seen["image"], image)
    spot = image[10:40, 30:70]
    assert seen["roi"] == pytest.approx([spot.sum(), spot.mean(), spot.min(), spot.max()])
    assert seen["used"] == "Yes"
    assert seen["stats"] == pytest.approx([image.sum(), image.mean(), image.min(), image.max()])
    assert seen["centre"] == pytest.approx(centre)
    assert seen["from"] == ["REPSTREAM.ROI1"] * 2 and seen["size"] == [*SHAPE[::-1], 1]
    assert region == (50, 60)
