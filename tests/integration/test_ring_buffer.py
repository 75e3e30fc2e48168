"""From a ring buffer through a whole engine into a file and into a ring again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from repstream.errors import Refused
from repstream.parameters.configuration import Configuration
from repstream.parameters.source import SourceConfig
from repstream.parameters.stream import StreamConfig
from repstream.parameters.writer import WriterConfig
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from tests.engine.ring.peers import GOOD, MISSING_PACKETS, Consumer, Producer, tidy, unique_name
from tests.integration.rig import until

ME = Requester("test")
SHAPE, SLOTS, IMAGES = (60, 80), 1000, 40
BROKEN = {7, 23}


@pytest.fixture
def names() -> Iterator[tuple[str, str]]:
    found = unique_name(), unique_name()
    yield found
    for name in found:
        tidy(name)


def pixels(image_id: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    return np.random.default_rng(image_id).integers(0, 2**16, SHAPE).astype("uint16")


def test_from_ring_to_file_and_ring(tmp_path: Path, names: tuple[str, str]) -> None:
    into, out = names
    configuration = Configuration(
        source=SourceConfig(address=f"ring://{into}"),
        streams={"ring": StreamConfig(address=f"ring://{out}")},
        writers={"main": WriterConfig(folder=str(tmp_path), file_name="ring", num_images=IMAGES)},
    )
    producer = Producer(into, SHAPE, "uint16", SLOTS)
    service = Service(ServiceOptions(name="t", roots=(tmp_path,), configuration=configuration))
    service.start()
    consumer = Consumer(out, SLOTS)
    try:
        handle = service.execute("writers.1.start", None, ME)
        producer.wait_for_consumer()
        until(lambda: service.read("source.connected").value, "the source")
        until(lambda: service.read("streams.1.clients").value == 1, "the consumer")
        for i in range(IMAGES):
            status = MISSING_PACKETS if i in BROKEN else GOOD
            producer.put(i, pixels(i).tobytes(), status=status)
            fields, data = consumer.take()
            assert (fields.get(1, 0), fields[6]) == (i, status)
            assert data == pixels(i).tobytes()
        done = handle.wait(30)
        assert done.ok, done
        assert service.read("source.missing").value == 0
        until(lambda: service.read("streams.1.sent").value == IMAGES, "the stream's counter")
        assert service.execute("engine.stop", None, ME).wait(30).ok
        assert not (Path("/dev/shm") / out).exists()
        assert not (Path("/tmp") / out).exists()
    finally:
        consumer.close()
        service.close()
        producer.vanish()
    with h5py.File(next(tmp_path.glob("*.h5"))) as file:
        rows = file["/detector/metadata"]
        assert rows["image_id"].tolist() == list(range(IMAGES))
        assert {i for i in range(IMAGES) if rows["image_status"][i] == MISSING_PACKETS} == BROKEN
        assert {i for i in range(IMAGES) if not rows["image_is_complete"][i]} == BROKEN
        for i in range(IMAGES):
            np.testing.assert_array_equal(file["/detector/data"][i], pixels(i))


def test_a_ring_that_would_feed_itself_is_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    address = f"ring://{names[0]}"
    configuration = Configuration(
        source=SourceConfig(address=f"ring://{names[1]}"), streams={"ring": StreamConfig(address=address)}
    )
    service = Service(ServiceOptions(name="t", roots=(tmp_path,), configuration=configuration))
    service.start()
    try:
        service.write({"source.address": address}, ME)
        with pytest.raises(Refused, match="stream ring has the address of the source"):
            service.execute("engine.start", None, ME)
    finally:
        service.close()
    assert not (Path("/dev/shm") / names[0]).exists()
