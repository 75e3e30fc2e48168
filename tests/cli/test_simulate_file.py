from __future__ import annotations

from pathlib import Path

import numpy as np
import zmq

from repstream.messages import array_1_0
from tests.cli.running import free_port, repstream, started
from tests.engine.files.samples import image
from tests.engine.files.test_verify import written
from tests.sockets import keeping_context


def received(count: int, *options: object) -> list[tuple[int, np.ndarray]]:
    """(id, image) of so many messages of `repstream simulate` with these options."""
    address = f"tcp://127.0.0.1:{free_port()}"
    found = []
    with keeping_context() as context, context.socket(zmq.PULL) as socket:
        socket.rcvtimeo = 30_000
        socket.connect(address)
        with started("simulate", "-a", address, "--rate", 0, "-q", *options):
            for _ in range(count):
                parts = socket.recv_multipart()
                frame = array_1_0.decode(parts)
                pixels = np.frombuffer(parts[1], frame.dtype).reshape(frame.shape)
                found.append((frame.frame_id, pixels))
    return found


def test_a_file_is_sent_with_its_ids(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", [3, 4, 9], compression="bitshuffle_lz4")
    for frame_id, pixels in (found := received(3, "--file", path)):
        assert np.array_equal(pixels, image(frame_id))
    assert [frame_id for frame_id, _ in found] == [3, 4, 9]


def test_a_file_is_sent_again_and_again_with_new_ids(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", [3, 4, 9])
    found = received(7, "--file", path, "--renumber", "--first", 10, "-n", 7, "--header", "array-1.0")
    assert [frame_id for frame_id, _ in found] == list(range(10, 17))
    assert np.array_equal(found[6][1], image(3))


def test_what_cannot_be_sent_is_told_at_once(tmp_path: Path) -> None:
    absent = repstream("simulate", "--file", tmp_path / "a.h5")
    assert absent.returncode == 2
    assert "does not exist" in " ".join(absent.stderr.replace("│", " ").split())
    both = repstream("simulate", "--file", tmp_path / "a.h5", "--folder", tmp_path)
    assert both.returncode == 2
