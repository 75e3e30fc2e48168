"""Pictures over PV Access: what was sent is what is seen, and nobody looking costs nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import lz4.block
import numpy as np
import pytest
from p4p.client.thread import Context

from repstream.protocol import Requester
from repstream_epics.pva import pictures
from repstream_epics.pva.server import PvaServer
from tests.engine.pictures.serving import Studio, picture, studio
from tests.integration.rig import IMAGES, running_rig, until
from tests.ioc.board_engine import BoardEngine
from tests.ioc.pva_client import PREFIX, client, serving

ME = Requester("test")
IMAGE = f"{PREFIX}Pictures1:Image"
DTYPES = (
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float32",
    "float64",
    "bool",
)


@dataclass
class Bench:
    engine: BoardEngine
    studio: Studio
    server: PvaServer
    pva: Context


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ExitStack() as stack:
        engine = stack.enter_context(BoardEngine().running())
        shown = stack.enter_context(studio())
        engine.put({"pictures.1.address": shown.address})
        server = stack.enter_context(serving({"board": engine}))
        yield Bench(engine, shown, server, stack.enter_context(client(server)))


def test_a_picture_of_every_pixel_type_is_what_was_sent(bench: Bench) -> None:
    images: Queue[Any] = Queue()
    with bench.pva.monitor(IMAGE, images.put):
        for number, dtype in enumerate(DTYPES, start=1):
            data = np.arange(12).reshape(3, 4).astype(dtype)
            bench.studio.show(picture(number, data=data))
            got = images.get(timeout=20)
            assert got.dtype == data.dtype and np.array_equal(got, data), dtype
            assert got.raw["uniqueId"] == number and got.attrib["ImageId"] == number
            assert got.raw["codec.name"] == "" and got.raw["uncompressedSize"] == data.nbytes


def test_it_says_which_part_of_which_image_it_is(bench: Bench) -> None:
    long_id = 2**40 + 5
    bench.studio.show(
        picture(7, image_id=long_id, time=1234.25, full_shape=(60, 80), origin=(10, 20), step=(2, 5))
    )
    got = bench.pva.get(IMAGE, timeout=20)
    assert (got.raw["uniqueId"], got.attrib["ImageId"]) == (5, long_id)
    across, down = got.raw["dimension"]
    assert (across.size, across.offset, across.fullSize, across.binning) == (4, 20, 80, 5)
    assert (down.size, down.offset, down.fullSize, down.binning) == (3, 10, 60, 2)
    assert got.timestamp == 1234.25 and got.raw["dataTimeStamp.secondsPastEpoch"] == 1234
    assert (got.attrib["Sum"], got.attrib["Maximum"], got.attrib["Number"]) == (66, 11, 7)


def test_a_client_may_choose_a_codec_by_the_name(bench: Bench) -> None:
    data = np.repeat(np.arange(100, dtype=np.uint16), 100).reshape(100, 100)
    bench.studio.show(picture(1, data=data))
    raw = _raw(bench, f"{IMAGE}LZ4")
    assert (raw["codec.name"], raw["codec.parameters"]) == ("lz4", 6)
    assert raw["compressedSize"] == len(raw["value"]) < raw["uncompressedSize"] == data.nbytes
    unpacked = lz4.block.decompress(raw["value"].tobytes(), uncompressed_size=raw["uncompressedSize"])
    assert np.array_equal(np.frombuffer(unpacked, np.uint16).reshape(100, 100), data)


def _raw(bench: Bench, name: str) -> Any:
    """The value as it came: p4p's own reading of NTNDArray knows no codec."""
    configuration = {
        "EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{bench.server.port}",
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
    }
    with Context("pva", conf=configuration, useenv=False, nt=False) as context:
        return context.get(name, timeout=20)


def test_pictures_are_made_only_while_somebody_looks(bench: Bench) -> None:
    bench.studio.show(picture(1))
    assert not bench.studio.made
    images: Queue[Any] = Queue()
    with bench.pva.monitor(IMAGE, images.put):
        images.get(timeout=20)
    bench.pva.disconnect(IMAGE)
    made = len(bench.studio.made)
    until(lambda: _quiet(bench), "the end of looking")
    bench.studio.show(picture(50))
    time.sleep(0.3)  # were it still asked for, it would come at once
    assert len(bench.studio.made) == made
    assert bench.pva.get(IMAGE, timeout=20).raw["uniqueId"] == 50  # not the one that was seen last


def _quiet(bench: Bench) -> bool:
    feed, _ = bench.server._parts["board"].pictures._named[IMAGE]
    return not feed._looks and feed._following is None


def test_two_clients_share_a_picture_that_is_made_once(bench: Bench) -> None:
    one, two = Queue[Any](), Queue[Any]()
    with client(bench.server) as other, bench.pva.monitor(IMAGE, one.put), other.monitor(IMAGE, two.put):
        until(lambda: len(bench.server._parts["board"].pictures._named[IMAGE][0]._looks) == 2, "both")
        bench.studio.show(picture(3))
        assert one.get(timeout=20).raw["uniqueId"] == two.get(timeout=20).raw["uniqueId"] == 3
    assert [number for number, _ in bench.studio.made] == [3]


def test_without_a_picture_a_client_hears_so_and_then_sees_the_first_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "PATIENCE", 0.1)
    images: Queue[Any] = Queue()
    with bench.pva.monitor(IMAGE, images.put):
        nothing = images.get(timeout=20)
        assert nothing.size == 0 and nothing.severity == 3
        bench.studio.show(picture(4))
        first = images.get(timeout=20)
        assert first.raw["uniqueId"] == 4 and first.severity == 0


def test_pictures_go_on_where_they_come_from_another_process(bench: Bench) -> None:
    images: Queue[Any] = Queue()
    bench.studio.show(picture(1))
    with bench.pva.monitor(IMAGE, images.put), studio() as other:
        images.get(timeout=20)
        other.show(picture(2))
        bench.engine.put({"pictures.1.address": other.address})
        # The first one may be sent twice: as what is there, and as what came meanwhile.
        until(lambda: images.get(timeout=20).raw["uniqueId"] == 2, "the picture of the other process")


def test_what_the_detector_sent_is_seen_with_its_numbers(tmp_path: Path) -> None:
    with (
        running_rig(tmp_path) as rig,
        serving({"rig": rig.service}) as server,
        client(server) as pva,
        client(server) as of_structures,  # p4p's mixes up types in one context
    ):
        region = {"roi1_x": 20, "roi1_y": 10, "roi1_width": 40, "roi1_height": 30, "largest_height": 1000}
        rig.service.write({"streams.all.enable": False, "streams.fifth.every_nth": 1}, ME)
        rig.service.write({f"pictures.1.{field}": value for field, value in region.items()}, ME)
        rig.service.write({"pictures.1.stream": "fifth"}, ME)
        rig.service.execute("engine.start", None, ME).wait(20)
        until(lambda: rig.value("pictures.1.state") == "waiting", "the pictures")
        images, numbers = Queue[Any](), Queue[Any]()
        with pva.monitor(IMAGE, images.put), of_structures.monitor(f"{PREFIX}Pictures1:Numbers", numbers.put):
            sent = iter(range(1000))

            def seen() -> bool:
                frame_id = next(sent)  # the first may come before the pictures have connected
                rig.detector.send(range(frame_id, frame_id + 1))
                return images.qsize() > 2 and numbers.qsize() > 2

            until(seen, "pictures")
            got = [images.get() for _ in range(images.qsize())]
            counted = [numbers.get() for _ in range(numbers.qsize())]
        for image in got[1:]:
            assert np.array_equal(image, IMAGES(image.raw["uniqueId"]))
        for one in counted[1:]:  # all of one image, always
            if one.alarm.severity == 0:
                spot = IMAGES(one.imageId)[10:40, 20:60]
                assert (one.roi1Sum, one.roi1Maximum) == (spot.sum(), spot.max())
                assert one.maximum == IMAGES(one.imageId).max()
