"""A stream of several receivers into one ring buffer, in the order of the ids."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tests.engine.ring.peers import Consumer, tidy, unique_name
from tests.integration.rig import IMAGES, until
from tests.integration.test_receivers import N, site_with

SLOTS = 100


def test_a_ring_buffer_has_the_images_of_all_receivers_in_order(tmp_path: Path) -> None:
    name = unique_name()
    ring = {"address": f"ring://{name}", "merged": True, "merge_time": 3.0, "ring_slots": SLOTS}
    with ExitStack() as stack:
        stack.callback(tidy, name)
        site = site_with(tmp_path, stack, N, streams={"whole": ring})
        site.start()
        consumer = Consumer(name, SLOTS)
        stack.callback(consumer.close)
        until(lambda: site.value("streams.whole.clients") == 1, "the consumer")
        # One receiver is ahead of the other, now this one and now that.
        for detector, first in ((1, 1), (0, 0), (0, 40), (1, 41)):
            for frame_id in range(first, first + 40, N):
                site.detectors[detector].send(range(frame_id, frame_id + 1))
        for frame_id in range(80):
            fields, data = consumer.take()
            assert fields.get(1, 0) == frame_id
            assert data == IMAGES(frame_id).tobytes()
        until(lambda: site.value("streams.whole.sent") == 80, "the count")
        assert site.value("streams.whole.dropped") == 0
        site.command("engine.stop").wait(60)
        assert not (Path("/dev/shm") / name).exists()
