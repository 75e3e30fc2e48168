"""A part's process, as the data plane sees it."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import zmq

from repstream.dataplane.control import AcquisitionPlan
from repstream.dataplane.storing import part_messages as messages
from repstream.dataplane.storing.partners import Partner
from repstream.errors import StorageError
from repstream.messages.frame import Frame
from repstream.sources.ring_image import RingImage, RingPlace

WINDOW_FRAMES = 2048
WINDOW_BYTES = 32 << 20
"""What is on its way to one part, at most (but one frame at least): the rest waits in the queue.

More than what the part writes at once, so that it never waits for the next.
"""

RING_PIECES = 8
"""On its way is one of so many pieces of a ring, at most: an image that a part has to read is not copied."""

RETRY_TIME = 1
"""Milliseconds after which a part is called again that was not there yet; ZMQ's own 100 delay images."""

TOGETHER_FRAMES, TOGETHER_BYTES = 256, 16 << 20
"""Images of a ring that are named in one message, at most."""


class PartProcess:
    """One part from its start to its end, written by `partner`; used from one thread.

    `opened`, `synced` and `ended` follow its answers, `stored` holds the bytes and the metadata of
    each image that readers of the part see and that nobody has taken note of yet.
    """

    def __init__(
        self,
        plan: AcquisitionPlan,
        partner: Partner,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
    ) -> None:
        self.path = Path(plan.path)
        self.opened = False
        self.synced = True
        self.ended = False
        self.stored: deque[tuple[int, bytes]] = deque()
        self.nbytes = self.values_lost = 0
        self._under_way: deque[tuple[Frame, int]] = deque()
        self._bytes_under_way = self._bytes_together = 0
        self._together: list[tuple[int, float, bytes, RingPlace]] = []
        self._socket = context.socket(zmq.PUSH)
        self._socket.set_hwm(0)
        self._socket.reconnect_ivl = RETRY_TIME
        # This side connects: then the socket takes messages also while nobody answers any more.
        self._socket.connect(address)
        self._partner = partner
        self.pipe = partner.pipe
        with suppress(OSError):
            messages.send(self.pipe, messages.Start(plan, address))

    @property
    def process_id(self) -> int:
        return self._partner.process_id

    @property
    def full(self) -> bool:
        """Whether the next image has to wait."""
        return len(self._under_way) >= WINDOW_FRAMES or self._bytes_under_way >= WINDOW_BYTES

    def send(self, frame: Frame) -> None:
        """Have an image written, the next of this part; it may wait for `flush`."""
        payload, counted = frame.payloads[0], frame.nbytes
        if not isinstance(payload, RingImage):
            self._send_pixels(frame, [b"" if payload is None else payload for payload in frame.payloads])
        elif payload.kept is not None:  # copied meanwhile, since it has waited for long
            self._send_pixels(frame, [payload.kept])
        else:
            self._name_place(frame, payload)
            least = WINDOW_BYTES * RING_PIECES // payload.place.safe
            counted = max(int(counted * messages.RING_SHARE), least)
        self._under_way.append((frame, counted))
        self._bytes_under_way += counted

    def flush(self) -> None:
        """Have everything written that was sent."""
        if self._together:
            self._socket.send(messages.encode(messages.RingImages(self._together)))
            self._together, self._bytes_together = [], 0

    def order(self, order: messages.Begin | messages.Sync | messages.Finish) -> None:
        """Have something done after what was sent before."""
        if isinstance(order, messages.Sync):
            self.synced = False
        self.flush()
        self._socket.send(messages.encode(order))

    def _name_place(self, frame: Frame, image: RingImage) -> None:
        """Have the part read an image where it lies, together with others."""
        self._together.append((frame.frame_id, frame.arrived, bytes(frame.parts[0]), image.place))
        self._bytes_together += frame.nbytes
        if len(self._together) >= TOGETHER_FRAMES or self._bytes_together >= TOGETHER_BYTES:
            self.flush()

    def _send_pixels(self, frame: Frame, payloads: list[Any]) -> None:
        self.flush()
        attributes = dict(frame.read_attributes())
        order = messages.Image(frame.frame_id, frame.encoding, frame.format, frame.arrived, attributes)
        header = frame.parts[0] if frame.attributes_in_header else b""
        # Small parts are copied: to share them costs more.
        self._socket.send(messages.encode(order), zmq.SNDMORE)
        self._socket.send(bytes(header), zmq.SNDMORE)
        for payload in payloads[:-1]:
            self._socket.send(payload, zmq.SNDMORE, copy=False)
        self._socket.send(payloads[-1], copy=False)

    def take_answers(self) -> None:
        """Follow what it has answered. Raises StorageError when it has failed or died."""
        try:
            while not self.ended and self.pipe.poll():
                self._take(messages.receive_answer(self.pipe))
        except (EOFError, OSError):
            self.ended = True
            raise StorageError(self._partner.why_ended(self.path)) from None

    def close(self) -> None:
        """Let go of it."""
        self._socket.close(linger=0)
        self._partner.close(self.path)

    def _take(self, answer: messages.Answer) -> None:
        match answer:
            case messages.Opened():
                self.opened = True
            case messages.Stored():
                for _ in range(answer.written):
                    self._bytes_under_way -= self._under_way.popleft()[1]
                self.stored += zip(answer.sizes, answer.rows, strict=True)
                self.nbytes, self.values_lost = answer.nbytes, answer.values_lost
            case messages.Synced():
                self.synced = True
            case messages.Finished():
                self.ended, self.nbytes = True, answer.nbytes
            case messages.Failed():
                self.ended = True
                raise StorageError(answer.reason)
