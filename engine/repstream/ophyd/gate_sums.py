"""Sums over the images of a point: what a picture has counted behind the gate of a writer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from bluesky.protocols import Reading
from event_model import DataKey
from ophyd_async.core import SignalR

from repstream.errors import EndedEarly
from repstream.ophyd.devices import Section
from repstream.ophyd.link import Link
from repstream.parameters.catalogue import Group, key_of

PATIENCE = 15.0
"""Seconds for which the sums of an opening are waited for; the pictures give up after 10."""

_LOOK = 0.02


class GateSums:
    """The sums of picture `slot`, of the whole and of `regions`; `section` is its device."""

    def __init__(self, link: Link, slot: int, regions: Sequence[int]) -> None:
        self.section = Section(link, Group.PICTURE, str(slot))
        self._link = link
        self._slot = slot
        fields = ["gate_sum", *(f"gate_roi{n}_sum" for n in regions)]
        self._signals: list[SignalR[float]] = [getattr(self.section, field) for field in fields]

    async def describe(self) -> dict[str, DataKey]:
        described = [await signal.describe() for signal in self._signals]
        return {name: key for one in described for name, key in one.items()}

    async def read(self, acquisition_id: str, number: int) -> dict[str, Reading[Any]]:
        """The sums of opening `number` of an acquisition; raises `EndedEarly` where images are missing."""
        subject = key_of(Group.PICTURE, self._slot, "gate_sum")
        end = asyncio.get_running_loop().time() + PATIENCE
        while not self._is_of(acquisition_id, number):
            if asyncio.get_running_loop().time() > end:
                raise EndedEarly(subject, f"no sums of opening {number} of {acquisition_id} have come")
            await asyncio.sleep(_LOOK)
        if self._value("gate_state") != "complete":
            raise EndedEarly(subject, str(self._value("gate_message")))
        read = [await signal.read(cached=False) for signal in self._signals]
        return {name: reading for one in read for name, reading in one.items()}

    def _is_of(self, acquisition_id: str, number: int) -> bool:
        return (
            self._value("gate_acquisition_id") == acquisition_id
            and self._value("gate_number") == number
            and self._value("gate_state") in ("complete", "incomplete")
        )

    def _value(self, field: str) -> Any:
        return self._link.read(key_of(Group.PICTURE, self._slot, field)).value
