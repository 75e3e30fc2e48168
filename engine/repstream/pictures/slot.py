"""One slot: the image at hand, what was counted in it, and the pictures that are made of it."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from repstream.errors import MalformedMessage, StorageError
from repstream.files import pixel_mask
from repstream.messages.formats import attributes
from repstream.messages.frame import Frame, source_time
from repstream.messages.pixels import array_of
from repstream.parameters.facts import Value
from repstream.parameters.picture import PictureConfig, PictureResults, PictureState, PictureStatus
from repstream.pictures import reduce
from repstream.pictures.gate_count import GateCount
from repstream.pictures.picture import Picture, Statistics, View
from repstream.pictures.stream_input import Arrival
from repstream.processing.clean import Clean, clean

RATE_SPAN = 2.0
"""Seconds over which the rate is averaged."""

NUMBERS_A_SECOND = 100
"""Numbers of pictures begin at the time in these units, so that a restart gives none for the second time."""


class _Image(msgspec.Struct, frozen=True):
    """An image at hand: as it came, and without its bad pixels."""

    arrival: Arrival
    raw: NDArray[Any]
    clean: Clean
    statistics: Statistics


class Slot:
    """One picture, as `config` says. Used from one thread; `now` is monotonic seconds.

    `gate` adds up over the openings of a
    writer's gate. `reason` says why the stream cannot be
    had; empty if it can.
    """

    def __init__(self, slot: int, config: PictureConfig, reason: str = "") -> None:
        self.slot = slot
        self.config = config
        self._number = 0
        self.gate = GateCount()
        self.reason = reason
        self._next_number = int(time.time() * NUMBERS_A_SECOND)
        self._fault = ""
        self._image: _Image | None = None
        self._mask: tuple[str, NDArray[np.bool_] | None] = ("", None)
        self._due = 0.0
        self._pictures = 0
        self._marks: deque[float] = deque()

    @property
    def number(self) -> int:
        """That of the image at hand, 0 where there is none."""
        return self._number if self._image is not None else 0

    def configure(self, config: PictureConfig, reason: str) -> bool:
        """Take other settings; whether the image at hand was counted anew with them."""
        if (config, reason) == (self.config, self.reason):
            return False
        other = (config.stream, reason) != (self.config.stream, self.reason)
        self.config, self.reason = config, reason
        self._fault = ""
        self._due = 0.0
        self.gate.restart()
        if other:
            self._image, self._pictures = None, 0
            self._marks.clear()
        if self._image is not None:
            self._count(self._image.arrival, self._image.raw)
        return True

    def due(self, newest: Arrival | None, now: float) -> float | None:
        """Seconds until `newest` is to be taken, 0 for at once; None where there is nothing new."""
        at_hand = self._image.arrival if self._image is not None else None
        if newest is None or newest is at_hand or self.reason:
            return None
        return max(0.0, self._due - now)

    def take(self, arrival: Arrival, now: float) -> None:
        """Count a new image."""
        # From the moment that was planned, so that the mean rate is kept; a pause is not made up for.
        self._due = max(self._due, now - 1 / self.config.rate) + 1 / self.config.rate
        try:
            raw = _pixels(arrival.frame)
        except MalformedMessage as error:
            self._fault = f"image {arrival.frame.frame_id} cannot be shown: {error}"
            return
        self._count(arrival, raw)
        self._pictures += 1
        self._marks.append(now)

    def integrate(self, arrival: Arrival, caught_up: float) -> None:
        """Count an image for the opening of the gate that it may belong to; see `StreamInput.caught_up`."""
        try:
            raw = _pixels(arrival.frame)
            parts = reduce.parts(raw, self._mask_for(raw), self.config)
        except (MalformedMessage, StorageError, ValueError) as error:
            self._fault = f"image {arrival.frame.frame_id} cannot be counted: {error}"
            return
        self.gate.count(arrival.frame.frame_id, arrival.clock, parts, arrival.clock - caught_up)

    def picture(self, view: View | None) -> Picture:
        """The image at hand, reduced; there must be one (`number`)."""
        image = self._image
        assert image is not None
        shown = reduce.reduced(image.clean, self.config, view)
        found = image.statistics
        if found.histogram is None:
            histogram = reduce.distribution(image.clean, found, self.config)
            found = msgspec.structs.replace(found, histogram=histogram)
            self._image = msgspec.structs.replace(image, statistics=found)
        frame = image.arrival.frame
        return Picture(
            slot=self.slot,
            number=self.number,
            image_id=frame.frame_id,
            time=_time_of(image.arrival),
            received=image.arrival.received,
            full_shape=image.clean.shape,
            dtype=frame.dtype,
            origin=shown.origin,
            step=shown.step,
            data=shown.data,
            statistics=found,
            bad=shown.bad,
        )

    def status(self, now: float, malformed: int = 0) -> dict[str, Value]:
        """How it goes, by field; `malformed` messages came with the stream."""
        while self._marks and self._marks[0] <= now - RATE_SPAN:
            self._marks.popleft()
        fault = self.reason or self._fault
        state: PictureState
        if not self.config.stream:
            state, message = "off", ""
        elif fault:
            state, message = "failed", fault
        elif self._image is None:
            state, message = "waiting", f"no image of stream {self.config.stream} yet"
        else:
            state, message = "live", ""
        age = None if self._image is None else max(0.0, now - self._image.arrival.clock)
        return PictureStatus(
            state=state,
            message=message[:1024],
            age=None if age is None else round(age, 1),
            pictures=self._pictures,
            picture_rate=round(len(self._marks) / RATE_SPAN, 2),
            malformed=malformed,
        ).values()

    def results(self) -> dict[str, Value]:
        """What was counted in the image at hand, by field; None of each where there is none."""
        if self._image is None:
            return PictureResults().values()
        arrival, found = self._image.arrival, self._image.statistics
        centre, width = found.centre or (None, None), found.width or (None, None)
        height, across = self._image.clean.shape
        fields = PictureResults(
            image_id=arrival.frame.frame_id,
            image_time=_time_of(arrival),
            received_time=arrival.received,
            image_height=height,
            image_width=across,
            image_type=arrival.frame.dtype,
            pixels=found.pixels,
            bad_pixels=found.bad,
            minimum=_float(found.minimum),
            maximum=_float(found.maximum),
            mean=_float(found.mean),
            sum=_float(found.sum) if found.pixels else None,
            saturated=found.saturated,
            centre_y=centre[0],
            centre_x=centre[1],
            width_y=width[0],
            width_x=width[1],
        ).values()
        for (n, _, _), region in zip(reduce.region_boxes(self.config), found.regions, strict=True):
            fields[f"roi{n}_sum"] = _float(region.sum) if region.pixels else None
            fields[f"roi{n}_mean"] = _float(region.mean)
            fields[f"roi{n}_minimum"] = _float(region.minimum)
            fields[f"roi{n}_maximum"] = _float(region.maximum)
        return fields

    def _count(self, arrival: Arrival, raw: NDArray[Any]) -> None:
        try:
            image = clean(raw, self._mask_of(self.config.mask_file))
        except (StorageError, ValueError) as error:
            self._fault, self._image = str(error), None
            return
        self._fault = ""
        found = reduce.counted(image, raw.dtype, self.config)
        self._image = _Image(arrival, raw, image, found)
        self._next_number += 1
        self._number = self._next_number

    def _mask_for(self, raw: NDArray[Any]) -> NDArray[np.bool_] | None:
        """The mask, which must fit the image; raises `StorageError` or ValueError."""
        mask = self._mask_of(self.config.mask_file)
        if mask is not None and mask.shape != raw.shape:
            raise ValueError(f"a mask of shape {mask.shape} does not fit an image of shape {raw.shape}")
        return mask

    def _mask_of(self, name: str) -> NDArray[np.bool_] | None:
        """The mask in a file, read once; raises `StorageError`."""
        if self._mask[0] != name:
            self._mask = ("", None)
            self._mask = (name, pixel_mask.read(name) if name else None)
        return self._mask[1]


def _float(number: int | float | None) -> float | None:
    """As a double; None for one beyond its range, which not every control system can carry."""
    return None if number is None or not math.isfinite(number) else float(number)


def _pixels(frame: Frame) -> NDArray[Any]:
    """The image in a frame; raises `MalformedMessage` where it is not one of two dimensions."""
    array = array_of(frame)
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2:
        raise MalformedMessage("shape", f"{frame.shape} is no image of two dimensions")
    return array


def _time_of(arrival: Arrival) -> float:
    """The source's own time of an image, in Unix seconds, where its format has one; else that of arrival."""
    try:
        numbers = attributes(arrival.frame)
    except MalformedMessage:
        return arrival.received
    time = source_time(numbers)
    return arrival.received if time is None else time[0] + time[1] * 1e-9
