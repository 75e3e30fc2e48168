"""bluesky's own engine on our devices: what comes into documents and files, and what fails a plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import h5py
import numpy as np
import pytest

from repstream.errors import EngineUnreachable
from repstream.parameters.facts import Kind
from repstream.protocol import Requester
from tests.integration.rig import DTYPE, IMAGES, SHAPE, Rig, running_rig, until
from tests.ioc.areadetector_rig import sending

pytest.importorskip("ophyd_async")
import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky import RunEngine
from bluesky.plans import count
from bluesky.utils import FailedStatus, RunEngineInterrupted
from ophyd_async.core import (
    StaticFilenameProvider,
    StaticPathProvider,
    TriggerInfo,
    UUIDFilenameProvider,
    init_devices,
)

from repstream.ophyd import EngineDevice, Link, WriterDetector

ME = Requester("test")


@dataclass
class Beamline:
    """`documents` are of the plan that ran last."""

    rig: Rig
    folder: Path
    link: Link
    RE: RunEngine
    engine: EngineDevice
    det: WriterDetector
    documents: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def run(self, plan: Any) -> None:
        self.documents.clear()
        self.RE(plan, lambda name, document: self.documents.append((name, document)))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [document for name, document in self.documents if name == kind]

    def file(self) -> tuple[list[int], np.ndarray[Any, Any]]:
        """Ids and images of the file of the last plan, as many as its documents promise."""
        events = max(document["indices"]["stop"] for document in self.of("stream_datum"))
        (key,) = (d["data_keys"]["det"] for d in self.of("descriptor"))
        (resource,) = self.of("stream_resource")
        with h5py.File(urlsplit(resource["uri"]).path) as file:
            images = file[resource["parameters"]["dataset"]][()]
            ids = file["/detector/metadata"]["image_id"].tolist()
        assert images.shape == (events * key["shape"][0], *SHAPE)
        return ids, images


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    folder = tmp_path_factory.mktemp("ophyd")
    with ExitStack() as stack:
        rig = stack.enter_context(running_rig(folder))
        height, width = SHAPE
        image = {"image_height": height, "image_width": width, "image_type": DTYPE}
        rig.service.write({f"source.{name}": value for name, value in image.items()}, ME)
        spot = {"stream": "fifth", "gate_writer": "main", "rate": 50.0}
        spot |= {"roi1_x": 20, "roi1_y": 10, "roi1_width": 40, "roi1_height": 30}
        rig.service.write({"streams.all.enable": False, "streams.fifth.every_nth": 1}, ME)
        rig.service.write({f"pictures.1.{name}": value for name, value in spot.items()}, ME)
        rig.service.execute("engine.start", None, ME).wait(20)
        stack.enter_context(sending(rig.detector))
        until(lambda: rig.value("pictures.1.state") == "live", "the pictures")
        link = Link(rig.address)
        stack.callback(link.close)
        RE = RunEngine({})
        paths = StaticPathProvider(UUIDFilenameProvider(), folder)
        with init_devices():
            engine = EngineDevice(link, name="engine")
            det = WriterDetector(link, paths, picture=1, regions=[1])
        yield Beamline(rig, folder, link, RE, engine, det)


def test_there_is_a_typed_signal_for_each_parameter_and_a_command_for_each_command(
    beamline: Beamline,
) -> None:
    kinds = {Kind.BOOL: bool, Kind.INT: int, Kind.FLOAT: float, Kind.TEXT: str}
    of_writer = {p.field: p for p in beamline.link.catalogue.of("writers", 1)}
    children = dict(beamline.engine.writers["main"].children())
    for name, parameter in of_writer.items():
        signal = children["name_" if name == "name" else name]
        if parameter.kind is not Kind.CHOICE:
            assert signal.datatype is kinds[parameter.kind], name  # type: ignore[attr-defined]
        assert hasattr(signal, "set") == parameter.writable, name
    commands = {c.name for c in beamline.link.catalogue.commands_of("writers", 1)}
    assert {name.removesuffix("_") for name in children} == {*of_writer, *commands}


def test_a_write_is_in_force_and_a_refused_one_fails_with_the_reason(beamline: Beamline) -> None:
    writer = beamline.det.writer

    def plan() -> Iterator[Any]:
        yield from bps.abs_set(writer.user_metadata, '{"a": 1}', wait=True)
        yield from bps.abs_set(writer.compression, "bitshuffle_lz4", wait=True)
        yield from bps.abs_set(writer.compression, "none", wait=True)
        yield from bps.abs_set(writer.num_images, -1, wait=True)

    with pytest.raises(FailedStatus) as failed:
        beamline.run(plan())
    assert "num_images" in repr(failed.value.__cause__) and "0" in repr(failed.value.__cause__)
    assert beamline.rig.value("writers.main.user_metadata") == '{"a": 1}'
    assert beamline.rig.value("writers.main.num_images") == 0


def test_a_step_scan_has_images_and_the_sums_over_those_of_each_point(beamline: Beamline) -> None:
    @bpp.stage_decorator([beamline.det])
    @bpp.run_decorator()
    def scan() -> Iterator[Any]:
        yield from bps.prepare(beamline.det, TriggerInfo(collections_per_event=4), wait=True)
        for _ in range(3):
            yield from bps.trigger_and_read([beamline.det])

    beamline.run(scan())
    ids, images = beamline.file()
    assert len(ids) == 12
    for frame_id, image in zip(ids, images, strict=True):
        assert np.array_equal(image, IMAGES(frame_id))
    points = images.reshape(3, 4, *SHAPE)
    seen = [event["data"] for event in beamline.of("event")]
    assert [data["det-picture-gate_sum"] for data in seen] == [point.sum() for point in points]
    spots = [point[:, 10:40, 20:60].sum() for point in points]
    assert [data["det-picture-gate_roi1_sum"] for data in seen] == spots


def test_a_fly_scan_kicks_off_completes_and_is_collected(beamline: Beamline) -> None:
    det = beamline.det

    @bpp.stage_decorator([det])
    @bpp.run_decorator()
    def fly() -> Iterator[Any]:
        yield from bps.prepare(det, TriggerInfo(number_of_events=10), wait=True)
        yield from bps.declare_stream(det, name="main")
        yield from bps.kickoff(det, wait=True)
        yield from bps.collect_while_completing([det], [det], flush_period=0.2, stream_name="main")

    beamline.run(fly())
    ids, _ = beamline.file()
    assert ids == list(range(ids[0], ids[0] + 10))
    assert beamline.rig.value("writers.main.state") == "READY"


def test_a_refused_file_fails_the_plan_at_once_with_the_reason(beamline: Beamline) -> None:
    (beamline.folder / "taken.h5").touch()
    paths = StaticPathProvider(StaticFilenameProvider("taken"), beamline.folder)
    with init_devices():
        refused = WriterDetector(beamline.link, paths)
    with pytest.raises(FailedStatus) as failed:
        beamline.run(count([refused]))
    assert "taken.h5 exists" in repr(failed.value.__cause__)
    assert not beamline.of("event") and beamline.of("stop")[0]["exit_status"] == "fail"


def test_an_acquisition_that_somebody_stops_fails_the_plan_early(beamline: Beamline) -> None:
    det = beamline.det

    @bpp.stage_decorator([det])
    @bpp.run_decorator()
    def fly() -> Iterator[Any]:
        yield from bps.prepare(det, TriggerInfo(number_of_events=100_000, exposure_timeout=600), wait=True)
        yield from bps.kickoff(det, wait=True)
        beamline.rig.service.execute("writers.main.stop", None, ME).wait(20)
        yield from bps.complete(det, wait=True)

    with pytest.raises(FailedStatus) as failed:
        beamline.run(fly())
    assert "EndedEarly" in repr(failed.value.__cause__)


def test_staging_leaves_the_acquisition_of_somebody_else_alone(beamline: Beamline) -> None:
    service = beamline.rig.service
    service.write({"writers.main.file_template": "%s%s_%d.h5", "writers.main.file_name": "theirs"}, ME)
    service.execute("writers.main.arm", None, ME).wait(20)
    with pytest.raises(FailedStatus) as failed:
        beamline.run(count([beamline.det]))
    assert "refused" in repr(failed.value.__cause__)
    assert beamline.rig.value("writers.main.state") == "WRITING"
    service.execute("writers.main.stop", None, ME).wait(20)


@pytest.mark.parametrize(("way", "points"), [("resume", 3), ("stop", 1), ("abort", 1)])
def test_a_plan_that_is_interrupted_leaves_a_whole_file(beamline: Beamline, way: str, points: int) -> None:
    det = beamline.det

    @bpp.stage_decorator([det])
    @bpp.run_decorator()
    def interrupted() -> Iterator[Any]:
        for n in range(3):
            yield from bps.checkpoint()
            if n == 1:
                yield from bps.pause()
            yield from bps.trigger_and_read([det])

    with pytest.raises(RunEngineInterrupted):
        beamline.run(interrupted())
    getattr(beamline.RE, way)()
    ids, _ = beamline.file()
    assert len(ids) == points
    assert beamline.rig.value("writers.main.state") == "READY"


def test_without_an_engine_it_says_so() -> None:
    with pytest.raises(EngineUnreachable, match="no engine has answered"):
        Link("tcp://127.0.0.1:1", timeout=0.1)
