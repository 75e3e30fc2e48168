"""A producer and a consumer of the standard DAQ's ring buffer, written from its description alone.

Nothing of the engine is used: shared memory is mapped, and protobuf written and read byte by byte, so
that a fault of the engine's own reading cannot be in both.
"""

from __future__ import annotations

import mmap
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import zmq

MIB2 = 2 * 1024 * 1024
DTYPES = {
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "int8": 11,
    "int16": 12,
    "int32": 14,
    "int64": 18,
    "float16": 22,
    "float32": 24,
    "float64": 28,
}
GOOD, MISSING_PACKETS = 1, 2
NONE, BITSHUFFLE, BLOSC2 = 0, 1, 2


def unique_name() -> str:
    return f"rs{uuid.uuid4().hex[:12]}-image"


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def message(fields: Mapping[int, int | bytes]) -> bytes:
    """A protobuf message of varints and submessages; proto3 leaves zeros out."""
    out = b""
    for number, value in fields.items():
        if isinstance(value, bytes):
            out += varint(number << 3 | 2) + varint(len(value)) + value
        elif value:
            out += varint(number << 3) + varint(value)
    return out


def parse(data: bytes) -> dict[int, Any]:
    """The fields of a message of varints and submessages."""
    fields: dict[int, Any] = {}
    rest = iter(data)
    for tag in rest:
        number = _varint(rest, tag)
        value: Any = _varint(rest, next(rest))
        if number & 7 == 2:
            value = bytes(next(rest) for _ in range(value))
        fields[number >> 3] = value
    return fields


def _varint(rest: Iterator[int], first: int) -> int:
    number, shift = first & 127, 7
    while first > 127:
        first = next(rest)
        number |= (first & 127) << shift
        shift += 7
    return number


class Producer:
    """Owns the ring: images of `shape` and `dtype` into slot id % slots, then their metadata."""

    def __init__(self, name: str, shape: tuple[int, int], dtype: str, slots: int) -> None:
        self.name, self.shape, self.dtype, self.slots = name, shape, dtype, slots
        self.nbytes = shape[0] * shape[1] * np.dtype(dtype).itemsize
        size = -(-slots * self.nbytes // MIB2) * MIB2
        self.path = Path("/dev/shm") / name
        fd = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o777)
        os.ftruncate(fd, size)
        self.memory = mmap.mmap(fd, size)
        os.close(fd)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self._context.socket(zmq.XPUB)
        self.socket.bind(f"ipc:///tmp/{name}")

    def wait_for_consumer(self) -> None:
        assert self.socket.poll(20_000), "nobody subscribed"
        assert self.socket.recv() == b"\x01"

    def store(self, image_id: int, data: bytes) -> None:
        begin = image_id % self.slots * self.nbytes
        self.memory[begin : begin + len(data)] = data

    def publish(self, image_id: int, **fields: Any) -> None:
        """Metadata of an image; `fields`: status, compression, size, height, width, dtype, extra."""
        extra = fields.pop("extra", {})
        known = {
            1: image_id,
            2: fields.get("height", self.shape[0]),
            3: fields.get("width", self.shape[1]),
            4: fields.get("size", self.nbytes),
            5: fields.get("dtype", DTYPES[self.dtype]),
            6: fields.get("status", GOOD),
            7: fields.get("compression", NONE),
        }
        self.socket.send(message({**known, **extra}))

    def put(self, image_id: int, data: bytes, **fields: Any) -> None:
        self.store(image_id, data)
        self.publish(image_id, **fields)

    def vanish(self, unlink: bool = True) -> None:
        """End, or die without tidying up."""
        self._context.destroy(linger=0)
        self.memory.close()
        if unlink:
            self.path.unlink(missing_ok=True)


class Consumer:
    """Reads a ring by its metadata stream, as an original service does; images as bytes, copied at once."""

    def __init__(self, name: str, slots: int) -> None:
        self.name, self.slots = name, slots
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self._context.socket(zmq.SUB)
        self.socket.subscribe(b"")
        self.socket.connect(f"ipc:///tmp/{name}")

    def take(self) -> tuple[dict[int, Any], bytes]:
        assert self.socket.poll(20_000), "nothing was published"
        fields = parse(self.socket.recv())
        itemsize = {number: np.dtype(name).itemsize for name, number in DTYPES.items()}[fields[5]]
        nbytes = fields[2] * fields[3] * itemsize
        with (Path("/dev/shm") / self.name).open("r+b") as file:
            memory = mmap.mmap(file.fileno(), 0)
        begin = fields.get(1, 0) % self.slots * nbytes
        data = memory[begin : begin + (fields[4] if fields.get(7) else nbytes)]
        memory.close()
        return fields, data

    def close(self) -> None:
        self._context.destroy(linger=0)


def tidy(name: str) -> None:
    for path in (Path("/dev/shm") / name, Path("/tmp") / name):
        with suppress(FileNotFoundError):
            path.unlink()


def image(image_id: int, shape: tuple[int, int], dtype: str) -> np.ndarray[Any, Any]:
    """An image that is its id all over: one from two slots shows."""
    return np.full(shape, image_id % 120, dtype)


def run_producer(name: str, shape: tuple[int, int], slots: int, images: int, pause: float) -> None:
    """A process that waits for a consumer and then for nobody; each image is its id all over."""
    producer = Producer(name, shape, "uint32", slots)
    producer.wait_for_consumer()
    for image_id in range(images):
        producer.put(image_id, np.full(shape, image_id, "uint32").tobytes())
        time.sleep(pause)
    time.sleep(1)
    producer.vanish()
