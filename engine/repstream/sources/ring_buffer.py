"""A ring buffer of the standard DAQ as a source: images in shared memory, their metadata over ZMQ.

Nothing stops the producer from writing over an image while it is read, and nothing in the ring says
that it did. So what was read of an image counts only if the producer, by the newest metadata, was
still far from its slot afterwards. Raw images are handed out as views of the ring (`ring_image`): who
cannot judge them afterwards has them copied, and so are those that wait for longer than half of the
ring lasts. The copies are lent, and used again.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
import numpy as np
import zmq

from repstream.errors import MalformedMessage
from repstream.messages import blosc2, std_daq_metadata
from repstream.messages.pixels import ITEM_SIZE
from repstream.messages.std_daq_frame import message_of, refused_message
from repstream.messages.std_daq_metadata import ImageMetadata
from repstream.parameters.source import SourceConfig
from repstream.sources.ring_image import Progress, RingImage, RingPlace, view
from repstream.sources.ring_layout import metadata_path, ring_name, segment_bytes, segment_path
from repstream.sources.ring_memory import RingMemory
from repstream.sources.source import NEVER, lend
from repstream.sources.zmq import ZmqSource

log = logging.getLogger(__name__)

GUARD = 8
"""One slot in so many, and at least one, that the producer is not let come near an image: it writes
before it publishes, and what it publishes takes a moment to arrive."""

METADATA_MESSAGES = 100_000
"""How many may wait in the socket: with room for less its producer would drop the newest unseen."""

MOST_AT_ONCE = 10_000
"""Metadata taken in before other things have their turn."""

STALL_SECONDS, STALL_MESSAGES = 1.0, 100
"""After a pause of so long with so many messages (half-way to what a publisher keeps for a consumer
that stands still) the newest that came need not be the newest there is."""

JUDGE_SECONDS, LOOK_SECONDS = 0.3, 0.01
"""How long the ring is still followed closely once nobody reads views of it, and how often: who judges
what was read waits for the next look."""

TAKE_SECONDS = 0.001
"""How often new metadata are taken in while others still wait here."""

KEPT_COPIES = 64
"""Buffers that wait to be used again: fresh memory costs more than the copy into it."""


def open_source(
    config: SourceConfig, context: zmq.Context[zmq.Socket[bytes]], expected: int = 0
) -> RingBufferSource:
    """See `opening.Opener`."""
    return RingBufferSource(context, config, ring_name(config.address, "source.address"))


class RingBufferSource:
    """The images of one ring, in the order of their metadata; fills `PacedSource`. Used from one thread.

    An image that the producer has written over, or may have, is left out: its id is missing. Metadata
    that cannot be right (another size than the ring's, a compression that is not known) come out as a
    message that is malformed. A ring that is not there, vanishes or is made anew is no error.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], config: SourceConfig, name: str) -> None:
        self._memory = RingMemory(segment_path(name))
        self._slots = config.ring_slots
        self._safe = self._slots - max(1, self._slots // GUARD)
        self._newest: int | None = None
        self._numbering = 0
        self._progress = Progress()
        self._views: deque[weakref.ref[RingImage]] = deque()
        self._is_settling = False
        self._pending: deque[ImageMetadata | MalformedMessage] = deque(maxlen=METADATA_MESSAGES)
        self._copies: deque[bytearray] = deque(maxlen=KEPT_COPIES)
        self._looked, self._viewed = time.monotonic(), -math.inf
        self._fitting = 0
        subscription = {
            "address": f"ipc://{metadata_path(name)}",
            "mode": "SUB",
            "connection": "connect",
            "buffer_size": METADATA_MESSAGES,
        }
        self._metadata = ZmqSource(context, config.model_copy(update=subscription), expected=1)
        self._readable = os.eventfd(1, os.EFD_NONBLOCK)
        self._follow()

    @property
    def pollable(self) -> Any:
        """The metadata's socket, or what is always readable while images wait here."""
        return self._readable if self._pending else self._metadata.pollable

    @property
    def connected(self) -> bool:
        """Whether the producer publishes, and its shared memory is there."""
        return self._metadata.connected and self._memory.is_open

    @property
    def problem(self) -> str:
        if self.connected:
            return ""
        if not self._memory.is_open:
            return f"there is no shared memory {self._memory.path.name}, or it may not be read"
        return self._metadata.problem

    @property
    def capacity(self) -> int:
        """Images that may wait in the ring."""
        return self._slots

    def receive(self, patient: bool = False) -> Sequence[Any] | None:
        """The next image as an array-1.0 message, or a bsread message where it is compressed."""
        is_fresh = self._pending and time.monotonic() - self._looked < TAKE_SECONDS
        if not is_fresh and not self._take_in(patient and not self._pending):
            return None
        while self._pending:
            metadata = self._pending.popleft()
            if isinstance(metadata, MalformedMessage):
                return refused_message(metadata.detail)
            if fault := self._fault(metadata):
                return refused_message(fault)
            if (message := self._message(metadata)) is not None:
                return message
        return None

    @property
    def due(self) -> float:
        """See `PacedSource`: soon while somebody may wait to judge what was read of a view."""
        if not self._has_views and self._looked - self._viewed > JUDGE_SECONDS:
            return NEVER
        return max(0.0, self._looked + LOOK_SECONDS - time.monotonic())

    def update(self) -> None:
        """Follow who comes and goes. Takes in metadata, also while no images are asked for."""
        self._metadata.update()
        if self._has_views:
            self._viewed = time.monotonic()
        self._take_in(False)

    def close(self) -> None:
        """Let go of the ring; copies that are still lent stay.

        Where views are still read, the ring is followed until they have been judged.
        """
        if self._has_views:
            threading.Thread(target=self._see_out, name="ring", daemon=True).start()
        else:
            self._end()

    def _see_out(self) -> None:
        left = JUDGE_SECONDS
        with suppress(zmq.ContextTerminated):  # everything is drained then
            while left > 0:
                self._metadata.update()
                self._take_in(False)
                time.sleep(LOOK_SECONDS)
                left = JUDGE_SECONDS if self._has_views else left - LOOK_SECONDS
        self._end()

    def _end(self) -> None:
        self._metadata.close()
        self._memory.close()
        self._progress.close()
        os.close(self._readable)

    @property
    def _has_views(self) -> bool:
        return any(image is not None and image.kept is None for image in (found() for found in self._views))

    def _take_in(self, patient: bool) -> bool:
        """Take in all metadata that wait; whether the newest of them is the newest there is."""
        begun = self._looked
        same = self._follow()
        number = 0
        while number < MOST_AT_ONCE and (parts := self._metadata.receive(patient and not number)) is not None:
            self._note(parts)
            number += 1
        self._looked, self._fitting = time.monotonic(), 0
        if number == MOST_AT_ONCE:
            return False
        if self._newest is not None:
            self._progress.note(self._numbering, self._newest)
            self._settle_old_views(self._newest)
        if not same or (number >= STALL_MESSAGES and self._looked - begun > STALL_SECONDS):
            self._leave_out("the ring was made anew" if not same else "the engine stood still")
            return False
        pending = self._pending
        while pending and isinstance(oldest := pending[0], ImageMetadata) and not self._is_safe(oldest):
            pending.popleft()
        return True

    def _note(self, parts: Sequence[Any]) -> None:
        try:
            metadata = std_daq_metadata.decode(parts)
        except MalformedMessage as error:
            self._pending.append(error)
            return
        if self._newest is not None and metadata.image_id < self._newest:
            # Written over from its beginning: where its producer is by the old numbers says nothing.
            self._leave_out("the numbering began anew")
            self._numbering += 1
        self._newest = metadata.image_id
        self._pending.append(metadata)

    def _leave_out(self, why: str) -> None:
        if self._pending:
            name = self._memory.path.name
            log.warning("%s: %d images of it are left out, %s", name, len(self._pending), why)
        self._pending.clear()

    def _is_safe(self, metadata: ImageMetadata) -> bool:
        """Whether the producer, as far as is known, is not near the slot of this image."""
        return self._newest is not None and 0 <= self._newest - metadata.image_id < self._safe

    def _fault(self, metadata: ImageMetadata) -> str:
        """Why there cannot be such an image in this ring; empty if there can."""
        if not self._memory.is_open:
            self._follow()  # it may have come since, together with its metadata
        if not self._memory.is_open:
            return f"image {metadata.image_id}: there is no shared memory {self._memory.path.name}"
        nbytes = _slot_bytes(metadata)
        if nbytes == self._fitting:
            return ""
        there, wanted = self._memory.nbytes, segment_bytes(self._slots, nbytes)
        if there == wanted:
            self._fitting = nbytes  # until the next look
            return ""
        return (
            f"image {metadata.image_id}: the ring has {there} bytes, {self._slots} slots (source.ring_slots)"
            f" of {nbytes} bytes take {wanted}"
        )

    def _copied(self, metadata: ImageMetadata) -> memoryview | None:
        """The bytes of an image, lent; None where they may not be those of this image any more."""
        if not self._memory.is_open:
            return None
        nbytes = _slot_bytes(metadata)
        size = nbytes if metadata.compression == "none" else metadata.size
        copy = self._buffer(nbytes)
        whole = self._memory.read_into(memoryview(copy)[:size], metadata.image_id % self._slots * nbytes)
        if whole and self._take_in(False) and self._is_safe(metadata):
            return lend(memoryview(copy)[:size], partial(self._copies.append, copy))
        self._copies.append(copy)
        return None

    def _message(self, metadata: ImageMetadata) -> Sequence[Any] | None:
        """The message of an image; None where it may not be read any more."""
        if metadata.compression == "none":
            image = self._view(metadata)
            return None if image is None else message_of(metadata, image)
        packed = self._copied(metadata)
        if packed is None:
            return None
        if metadata.compression == "blosc2":
            return self._unpacked(metadata, packed)
        return message_of(metadata, packed)

    def _unpacked(self, metadata: ImageMetadata, chunk: memoryview) -> Sequence[Any]:
        """The message of an image that no file or stream takes as it is packed."""
        nbytes = _slot_bytes(metadata)
        copy = self._buffer(nbytes)
        try:
            blosc2.unpack_into(np.frombuffer(copy, np.uint8), np.frombuffer(chunk, np.uint8))
        except MalformedMessage as error:
            self._copies.append(copy)
            return refused_message(f"image {metadata.image_id}: {error.detail}")
        pixels = lend(copy, partial(self._copies.append, copy))
        return message_of(msgspec.structs.replace(metadata, compression="none", size=nbytes), pixels)

    def _view(self, metadata: ImageMetadata) -> RingImage | None:
        """The bytes of an image where they lie; None where the ring has been cut since."""
        memory = self._memory
        assert memory.identity is not None
        nbytes = _slot_bytes(metadata)
        try:
            mapped = memory.mapped()
            offset = metadata.image_id % self._slots * nbytes
            place = RingPlace(
                memory.name,
                memory.identity,
                offset,
                nbytes,
                metadata.image_id,
                self._numbering,
                self._safe,
                self._progress.place,
            )
            image = view(mapped, place, self._progress.words)
        except (OSError, ValueError):
            memory.unmap()  # it had another size when it was mapped
            return None
        image.copy_of = partial(self._copy_of, metadata)
        self._views.append(weakref.ref(image))
        self._viewed = self._looked
        return image

    def _copy_of(self, metadata: ImageMetadata, image: RingImage) -> memoryview | None:
        if (image.place.ring, image.place.numbering) != (self._memory.identity, self._numbering):
            return None
        settling, self._is_settling = self._is_settling, True
        copy = self._copied(metadata)
        self._is_settling = settling
        return copy

    def _settle_old_views(self, newest: int) -> None:
        """Copy what waits for so long that half of the ring has been written since."""
        if self._is_settling:
            return
        self._is_settling = True
        while self._views:
            image = self._views[0]()
            if image is not None and image.place.numbering == self._numbering:
                if newest - image.place.image_id < self._slots // 2:
                    break
                image.settle()
            self._views.popleft()
        self._is_settling = False

    def _buffer(self, nbytes: int) -> bytearray:
        while self._copies:
            copy = self._copies.pop()
            if len(copy) == nbytes:
                return copy
        return bytearray(nbytes)

    def _follow(self) -> bool:
        """Open the shared memory where it is new; False where it took the place of another."""
        if self._memory.follow():
            return True
        self._newest = None
        self._numbering += 1
        return False


def _slot_bytes(metadata: ImageMetadata) -> int:
    return metadata.height * metadata.width * ITEM_SIZE[metadata.dtype]
