"""The process that writes one part of a file: ``python -m repstream.dataplane.storing.part --fd N``.

N is an inherited file descriptor, one end of a socket pair; the data plane holds the other. When
that end is closed without an order to finish, the part writes what has reached it and closes its
file, whose outcome stays "unfinished".
"""

from __future__ import annotations

import argparse
import logging
import math
import signal
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from itertools import starmap
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import zmq

from repstream.dataplane.control import AcquisitionPlan
from repstream.dataplane.storing import part_messages as messages
from repstream.dataplane.storing.frame_store import FrameStore, Stored
from repstream.dataplane.storing.image_kind import Kind
from repstream.dataplane.storing.placement import Placed
from repstream.errors import StorageError
from repstream.files.plan import Scalar
from repstream.garbage_collection import spare_frames
from repstream.logs import log_to_stderr
from repstream.messages.frame import Frame
from repstream.messages.header import size_of
from repstream.sources.ring_image import RingPlace, Rings

BATCH_FRAMES = 1024
BATCH_BYTES = 16 << 20
"""What is written at once, at most (but one order at least); images of a ring count as on their way."""

LOOK_INTERVAL = 0.5
"""Seconds between looks whether the file still has its name."""

RINGS = Rings()
"""Mapped for as long as this process lives: to map a ring anew costs as much as reading it."""

log = logging.getLogger(__name__)


class Part:
    """Takes orders and frames from `socket`, answers through `pipe`, until the order to finish.

    Raises StorageError when the storage fails.
    """

    def __init__(self, pipe: Connection, socket: zmq.Socket[bytes], plan: AcquisitionPlan) -> None:
        self._pipe = pipe
        self._socket = socket
        self._store = FrameStore(plan, on_rows=self._keep_rows)
        self._rows: deque[bytes] = deque()
        self._kind: Kind | None = None
        self._next_look = 0.0
        self._written = 0
        self._finished = False

    def run(self) -> None:
        """Work until the order to finish, or the end of the data plane."""
        self._tell(messages.Opened())
        while not self._finished:
            if self._wait():
                log.warning("the connection to the data plane has ended")
                while self._take():
                    pass
                if not self._finished:
                    self._store.finish({})
                return
            while self._take() and not self._finished:
                pass
            self._look_after_file()

    def fail(self, reason: str) -> None:
        """Close the file as failed, as far as the storage lets us."""
        with suppress(StorageError, OSError):
            self._finish({"outcome": "failed", "message": f"ERROR:{reason}"})
        self._tell(messages.Failed(reason))

    def _wait(self) -> bool:
        """Wait for orders, or until something is due; whether the data plane is gone."""
        due = self._store.due
        wait = LOOK_INTERVAL if due is None else min(due, LOOK_INTERVAL)
        wanted: list[tuple[Any, int]] = [(self._socket, zmq.POLLIN), (self._pipe.fileno(), zmq.POLLIN)]
        # Nothing comes through the pipe after the start but its end.
        return self._pipe.fileno() in dict(zmq.zmq_poll(wanted, math.ceil(wait * 1000)))

    def _take(self) -> bool:
        """Do what is ordered, images in batches; whether there was anything."""
        frames: list[Placed] = []
        counted, orders = 0.0, 0
        while not self._finished and len(frames) < BATCH_FRAMES and counted < BATCH_BYTES:
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            orders += 1
            order = messages.decode_order(parts[0].bytes)
            share = 1.0
            match order:
                case messages.Image():
                    found = [self._frame(order, parts[1:])]
                case messages.RingImages():
                    found = list(starmap(self._frame_in_ring, order.images))
                    share = messages.RING_SHARE
                case _:
                    found = []
                    self._write(frames)
                    frames = []
                    self._do(order)
            frames += map(Placed, found)
            counted += share * sum(frame.nbytes for frame in found)
        self._write(frames)
        return orders > 0

    def _frame(self, image: messages.Image, parts: list[Any]) -> Frame:
        kind, attributes = self._kind, image.attributes
        assert kind is not None
        return Frame(
            frame_id=image.frame_id,
            shape=kind.shape,
            dtype=kind.dtype,
            big_endian=kind.big_endian,
            encoding=image.encoding,
            arrived=image.arrived,
            parts=parts,
            payloads=[part if len(part) else None for part in parts[1:]],
            channels=kind.channels,
            nbytes=sum(map(size_of, parts)),
            format=image.format,
            read_attributes=lambda: attributes,
        )

    def _frame_in_ring(self, frame_id: int, arrived: float, header: bytes, place: RingPlace) -> Frame:
        kind = self._kind
        assert kind is not None
        return Frame(
            frame_id=frame_id,
            shape=kind.shape,
            dtype=kind.dtype,
            big_endian=kind.big_endian,
            encoding="",
            arrived=arrived,
            parts=[header],
            payloads=[RINGS.image(place)],
            nbytes=place.nbytes,
        )

    def _write(self, frames: list[Placed]) -> None:
        if frames:
            self._tell_stored(len(frames), self._store.write(frames))

    def _do(self, order: messages.Order) -> None:
        match order:
            case messages.Begin():
                self._kind = order.kind
                self._store.begin(order.kind)
            case messages.Sync():
                self._tell_stored(0, self._store.sync())
                self._tell(messages.Synced())
            case messages.Finish():
                self._tell_stored(0, self._store.sync())
                self._finish(order.results)
                self._tell(messages.Finished(self._store.nbytes))
            case messages.Image() | messages.RingImages() | messages.AddRows() | messages.Look():
                raise ValueError(f"no order for a part: {order}")

    def _finish(self, results: Mapping[str, Scalar]) -> None:
        self._finished = True
        self._store.finish({**results, "written": self._written})

    def _look_after_file(self) -> None:
        if self._finished:
            return
        if self._store.due == 0.0:
            self._tell_stored(0, self._store.announce())
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_INTERVAL
            self._store.check_in_place()

    def _keep_rows(self, rows: np.ndarray[Any, Any]) -> None:
        self._rows += rows.view(f"V{rows.dtype.itemsize}").tolist()

    def _tell_stored(self, written: int, stored: list[Stored]) -> None:
        sizes = [nbytes for _, nbytes in stored]
        self._written += len(sizes) - sizes.count(0)
        if written or stored:
            rows = [self._rows.popleft() for _ in stored]
            self._tell(messages.Stored(written, sizes, rows, self._store.nbytes, self._store.values_lost))

    def _tell(self, answer: messages.Answer) -> None:
        # Who is gone is noticed as the end of the pipe, and what has come is written first.
        with suppress(OSError):
            messages.send(self._pipe, answer)


def main() -> None:
    """Write one part of each file until the data plane ends it."""
    parser = argparse.ArgumentParser(description="Writer of one part of a file; started by the data plane.")
    parser.add_argument("--fd", type=int, required=True, help="inherited end of the data plane's socket pair")
    arguments = parser.parse_args()
    log_to_stderr()
    # Who stops a whole service signals every process of it; the data plane ends this one orderly.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with suppress(OSError):
        Path("/proc/self/comm").write_text("repstream-part")
    spare_frames()
    with Connection(arguments.fd) as pipe, suppress(EOFError):
        write_part(pipe)


def write_part(pipe: Connection) -> None:
    """Write one part, until the order to finish or the end of the data plane."""
    start = messages.receive_start(pipe)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.PULL)
    socket.set_hwm(0)
    part: Part | None = None
    try:
        # The folder is gone where the data plane was killed and another part has cleaned up.
        socket.bind(start.address)
        part = Part(pipe, socket, start.plan)
        part.run()
    except (StorageError, zmq.ZMQError) as error:
        _fail(pipe, part, str(error))
    except Exception as error:
        log.exception("part %s", start.plan.path)
        _fail(pipe, part, f"{type(error).__name__}: {error}")
    finally:
        context.destroy(linger=0)
        # Of a data plane that was killed nobody else cleans up.
        address = Path(start.address.removeprefix("ipc://"))
        with suppress(OSError):  # the last part can
            address.unlink(missing_ok=True)
            address.parent.rmdir()


def _fail(pipe: Connection, part: Part | None, reason: str) -> None:
    if part is not None:
        part.fail(reason)
        return
    with suppress(OSError):
        messages.send(pipe, messages.Failed(reason))


if __name__ == "__main__":
    main()
