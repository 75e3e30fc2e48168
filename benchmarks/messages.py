"""The message library against psi-mflow and a straightforward decoder: ``python -m benchmarks.messages``.

Receiving is timed with messages that wait in the socket already, so that what is measured is the
call and the decoding, not the link; giving back their memory counts too, which the original
leaves to the garbage collector where it does not copy.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

import mflow as original
import numpy as np
import zmq

from benchmarks import report
from benchmarks.ceilings import Output
from benchmarks.loads import SIZES, Load
from benchmarks.pairs import compare
from benchmarks.repeater import ALL, SPLIT_PEERS, forwarding
from benchmarks.report import Row
from repstream import mflow
from repstream.messages import array_1_0, bsread

RECEIVED = {"4 kB": 10_000, "123 kB": 500, "4.8 MB": 12}
SPLIT = ("4 kB", "123 kB", "4.8 MB")
SCALARS, IMAGE_SHAPE, PULSES = 200, (512, 1024), 200


def receiving(rounds: int) -> Iterator[Row]:
    """`receive` of array-1.0 as it is called by default, and without copying."""
    for size, count in RECEIVED.items():
        load = Load(SIZES[size].shape, count)
        theirs = partial(receive, original, load)
        peers: Mapping[str, Callable[[], float]] = {"psi-mflow": theirs}
        yield Row(f"receive, {size}", 1.0, compare(partial(receive, mflow, load), peers, rounds))
        target = 1.0 if size == "4 kB" else 2.0
        without = partial(receive, mflow, load, copy=False)
        yield Row(f"receive without copying, {size}", target, compare(without, peers, rounds))
        both = {"psi-mflow without copying": partial(receive, original, load, copy=False)}
        yield Row(f"both without copying, {size}", 1.0, compare(without, both, rounds))


def receive(library: ModuleType, load: Load, copy: bool = True) -> float:
    """Messages a second out of a socket in which all of them wait."""
    with zmq.Context(1) as context, context.socket(zmq.PUSH) as push:
        push.sndhwm, push.linger = 0, 0
        port = push.bind_to_random_port("tcp://127.0.0.1")
        stream = library.connect(
            f"tcp://127.0.0.1:{port}", queue_size=load.count + 1, receive_timeout=10_000, copy=copy
        )
        image = np.zeros(load.shape, np.uint16)
        for number in range(load.count):
            push.send_multipart(array_1_0.encode(number, image), copy=False)
        stream.socket.poll(10_000)
        time.sleep(0.1 + load.count * load.nbytes / 5e8)
        gc.collect()
        # What the benchmark itself keeps is not looked at again.
        gc.freeze()
        begin = time.perf_counter()
        for _ in range(load.count):
            message = stream.receive()
        last = message.data["header"]["frame"]
        del message
        gc.collect()
        elapsed = time.perf_counter() - begin
        gc.unfreeze()
        stream.disconnect()
    assert last == load.count - 1
    return load.count / elapsed


def decoding(rounds: int) -> Iterator[Row]:
    """A bsread message of many scalars and one image, values and timestamps of all channels."""
    parts = pulse()
    memory, plain = bsread.Memory(), PlainDecoder()
    assert plain.decode(parts)["scalar 7"][0] == bsread.decode(parts, memory)["scalar 7"]
    ours = partial(_rate, lambda: bsread.decode(parts, memory))
    theirs = partial(_rate, lambda: plain.decode(parts))
    measured = compare(ours, {"json and numpy": theirs}, rounds)
    yield Row(f"bsread, {SCALARS} scalars and 1 MB image", 3.0, measured)


def pulse() -> list[bytes]:
    """One message as it comes over the wire."""
    image = np.zeros(IMAGE_SHAPE, np.uint16)
    values = [*(float(n) for n in range(SCALARS)), image]
    names = [*(f"scalar {n}" for n in range(SCALARS)), "image"]
    channels = [bsread.describe(name, value) for name, value in zip(names, values, strict=True)]
    return [bytes(part) for part in bsread.encode(1, channels, values, timestamp=(1_700_000_000, 5))]


class PlainDecoder:
    """What one writes first: the JSON module, and numpy for every part; the data header only when new."""

    def __init__(self) -> None:
        self._hash = ""
        self._channels: list[tuple[str, np.dtype[Any], list[int]]] = []

    def decode(self, parts: Sequence[bytes]) -> dict[str, tuple[Any, int, int]]:
        """Value, seconds and nanoseconds by channel name."""
        main = json.loads(parts[0])
        if main["hash"] != self._hash:
            self._hash = main["hash"]
            self._channels = [self._channel(channel) for channel in json.loads(parts[1])["channels"]]
        found = {}
        for number, (name, dtype, shape) in enumerate(self._channels):
            value = np.frombuffer(parts[2 + 2 * number], dtype)
            stamp = np.frombuffer(parts[3 + 2 * number], "<u8")
            found[name] = (value[0] if shape == [1] else value.reshape(shape), stamp[0], stamp[1])
        return found

    @staticmethod
    def _channel(channel: dict[str, Any]) -> tuple[str, np.dtype[Any], list[int]]:
        order = ">" if channel.get("encoding") == "big" else "<"
        return channel["name"], np.dtype(channel["type"]).newbyteorder(order), channel["shape"][::-1]


def _rate(decode: Callable[[], object]) -> float:
    begin = time.perf_counter()
    for _ in range(PULSES):
        decode()
    return PULSES / (time.perf_counter() - begin)


def splitting(rounds: int) -> Iterator[Row]:
    """m_split, 1 input → 3 PUSH of all, against the original's."""
    for size in SPLIT:
        measured = forwarding(SIZES[size], ALL, SPLIT_PEERS, rounds, own_split)
        yield Row(f"m_split 1 → 3, {size}", 1.0, measured)


@contextmanager
def own_split(load: Load, address: str, outputs: Sequence[Output]) -> Iterator[None]:
    """The process of our m_split, with the queues that all contenders have, until the block ends."""
    streams = [f"{output.address},queue_size={load.hwm}" for output in outputs]
    command = [sys.executable, "-m", "repstream.mflow.cli.split", address, *streams]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Print all three tables; the argument is the number of rounds."""
    rounds = int([*sys.argv, "5"][1])
    rows = [row for benchmark in (receiving, decoding, splitting) for row in benchmark(rounds)]
    print(report.table(rows))


if __name__ == "__main__":
    main()
