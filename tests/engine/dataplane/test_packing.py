from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repstream.dataplane.storing.packing import GROUP_BYTES, NICENESS, Packer, threads_for
from repstream.messages.compression import compress, decompress
from repstream.messages.frame import Frame


def frame(number: int, nbytes: int, encoding: str = "") -> Frame:
    pixels = np.random.default_rng(number).integers(0, 50, nbytes // 2, "u2").tobytes()
    payload = compress(pixels, 2) if encoding else pixels
    return Frame(number, (1, nbytes // 2), "uint16", False, encoding, [b"", payload], [payload], len(payload))


FRAMES = [
    frame(number, nbytes, encoding)
    for number, (nbytes, encoding) in enumerate(
        [(4096, ""), (2 * GROUP_BYTES, ""), (32, ""), (4096, "bitshuffle_lz4"), (GROUP_BYTES, "")] * 3
    )
]
PACKED = [f.payloads[0] if f.encoding else compress(f.payloads[0], 2) for f in FRAMES]


@settings(max_examples=30)
@given(st.integers(1, 4), st.lists(st.lists(st.integers(0, len(FRAMES) - 1), max_size=40), max_size=8))
def test_what_is_packed_comes_out_whole_and_in_order(threads: int, batches: list[list[int]]) -> None:
    packer, found = Packer(threads), []
    for batch in batches:
        packer.put([FRAMES[number] for number in batch])
        found += [payload for ready in packer.take() for payload in ready]
    found += [payload for ready in packer.take_next() for payload in ready]
    found += [payload for ready in packer.take_all() for payload in ready]
    packer.close()
    assert [bytes(payload) for payload in found] == [PACKED[number] for batch in batches for number in batch]


def test_not_all_is_waited_for_but_memory_is_bounded() -> None:
    packer, image = Packer(1), frame(0, 4 << 20)
    packer.put([image] * 8)
    first = sum(len(ready) for ready in packer.take())
    assert 6 <= first <= 8
    assert first + sum(len(ready) for ready in packer.take_all()) == 8
    packer.close()


def test_small_images_share_a_hand_over() -> None:
    packer, image = Packer(1), frame(0, GROUP_BYTES // 64)
    packer.put([image] * 256)
    assert len(packer._groups) == 4
    packer.close()


def test_what_cannot_be_packed_is_told() -> None:
    packer = Packer(1)
    packer.put([Frame(1, (1, 1), "uint16", False, "", [b"", b"abc"], [b"abc"], 3)])
    with pytest.raises(ValueError, match="multiple of element size"):
        list(packer.take_all())
    packer.close()


def test_its_threads_end() -> None:
    packer = Packer(3)
    packer.put([frame(number, 1 << 20) for number in range(6)])
    packer.close()
    for thread in packer._pool._threads:
        thread.join(10)
    assert not any(thread.name.startswith("pack") for thread in threading.enumerate())


def test_each_process_of_several_gets_its_share_of_cores() -> None:
    cores = len(os.sched_getaffinity(0))
    assert threads_for(1) == cores
    assert threads_for(cores) == threads_for(2 * cores) == 1


def test_its_threads_stand_back_behind_those_that_receive() -> None:
    packer = Packer(1)
    packer.put([frame(0, 1 << 20)])
    list(packer.take_all())
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    for thread in packer._pool._threads:
        assert os.getpriority(os.PRIO_PROCESS, thread.native_id or 0) == min(own + NICENESS, 19)
    packer.close()


def test_the_pixels_come_back() -> None:
    packer, image = Packer(2), frame(7, 1 << 20)
    packer.put([image])
    [[packed]] = packer.take_all()
    assert decompress(packed, "bitshuffle_lz4", 1 << 20, 2) == image.payloads[0]
    packer.close()
