"""A stream into a ring buffer of the standard DAQ: images in shared memory, their metadata over ZMQ.

Each frame is copied into its slot, and then published. A ring waits for nobody: what a consumer does
not read in time is written over, which it finds out itself.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

import zmq

from repstream.dataplane.ring_segment import MODE, RingSegment, is_at
from repstream.dataplane.watched_socket import WatchedSocket
from repstream.errors import Refused
from repstream.messages import std_daq_metadata
from repstream.messages.pixels import ITEM_SIZE
from repstream.parameters.stream import StreamConfig
from repstream.sources.ring_layout import metadata_path, ring_name

log = logging.getLogger(__name__)


def open_transport(
    name: str,
    config: StreamConfig,
    context: zmq.Context[zmq.Socket[bytes]],
    *,
    connect: bool = False,
    expected: int = 0,
) -> RingTransport:
    """See `transport.Opener`. A ring has no consumer that could bind it: `connect` means nothing here."""
    if config.header != "unchanged":
        raise Refused(f"streams.{name}.header", "must be unchanged: a ring buffer carries no headers")
    return RingTransport(name, config, context)


class RingTransport(WatchedSocket):
    """The ring of one stream and its metadata socket; fills `Transport`.

    Takes what the step `for_ring_buffer` makes. The memory is taken when the first frame comes, and
    anew when images get another size.
    """

    room = None
    """Only an attempt shows it: there is room unless the machine has no memory."""

    def __init__(self, name: str, config: StreamConfig, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        subject = f"streams.{name}.address"
        ring = ring_name(config.address, subject)
        self._segment = RingSegment(ring, config.ring_slots, subject)
        self._ring = ring
        self._fault = ""
        super().__init__(context.socket(zmq.PUB))
        # A consumer that has not heard of the last slots cannot know which are written over.
        self.socket.sndhwm = max(1000, config.ring_slots)
        self._path = path = metadata_path(ring)
        self._identity: os.stat_result | None = None
        try:
            self.socket.bind(f"ipc://{path}")
            self._identity = path.stat()
            path.chmod(MODE)
        except (zmq.ZMQError, OSError) as error:
            self.close(0)
            reason = (
                f"cannot bind ipc://{path}: {error.strerror}; the user of the service must be able to write "
                "there, or take another name for the ring"
            )
            raise Refused(subject, reason) from error

    def send(self, parts: Sequence[Any]) -> bool:
        """Put one image into the ring; False where there is no memory for it."""
        message, data = parts
        metadata = std_daq_metadata.decode([message])
        try:
            self._segment.fit(metadata.height * metadata.width * ITEM_SIZE[metadata.dtype])
            self._segment.write(metadata.image_id, memoryview(data).cast("B"))
        except OSError as error:
            self._tell(str(error))
            return False
        self._tell("")
        self.socket.send(message)
        return True

    def close(self, linger: float) -> None:
        """Remove the ring; metadata that were published have `linger` seconds to get out."""
        super().close(linger)
        # libzmq leaves it there.
        if self._identity is not None and is_at(self._path, self._identity):
            self._path.unlink(missing_ok=True)
        self._segment.remove()

    def _tell(self, fault: str) -> None:
        """Log what keeps images out of the ring, once."""
        if fault and fault != self._fault:
            log.error("ring %s takes no images: %s", self._ring, fault)
        self._fault = fault
