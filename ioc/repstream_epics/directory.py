"""The directory of an engine as a PV: JSON that says what there is, and what its PVs begin with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repstream.parameters.catalogue import Catalogue, Group
from repstream.parameters.directory import directory, keys
from repstream.parameters.facts import Value
from repstream_epics import names, types
from repstream_epics.channels import Channel
from repstream_epics.states import NO_ALARM

NAME = "Directory_RBV"
TITLE = "What there is, as JSON"
LENGTH = 65536


@dataclass(frozen=True, eq=False)
class DirectoryPV:
    """Fills `view.Binding`."""

    catalogue: Catalogue
    prefix: str
    channel: Channel

    @property
    def keys(self) -> Sequence[str]:
        return keys(self.catalogue)

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        text = types.text_to_pv(text_of(self.catalogue, held, self.prefix), LENGTH)
        await self.channel.show(text, NO_ALARM, time)


def text_of(catalogue: Catalogue, held: Mapping[str, Value], prefix: str) -> str:
    """The entry of an engine whose PVs begin with `prefix`; ASCII."""

    def places(group: str, slot: int) -> Mapping[str, str]:
        place = {"pvs": prefix + names.head(group, slot)}
        return {**place, "image": f"{place['pvs']}Image"} if group == Group.PICTURE else place

    return json.dumps(directory(catalogue, held, places))
