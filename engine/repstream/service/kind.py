"""A kind of engine: its groups, its configuration, and what is done for groups of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from repstream.parameters.catalogue import Group
from repstream.parameters.configuration import Configuration
from repstream.parameters.groups import REPEATER, GroupDeclaration
from repstream.service.context import ServiceContext
from repstream.service.keeper import Keeper
from repstream.service.options import ServiceOptions
from repstream.service.pictures import PictureKeeper


class EngineKind(msgspec.Struct, frozen=True):
    """What an engine is made from.

    `groups` has `Group.ENGINE` and `Group.SOURCE`, whatever else of the repeater's is wanted, and the
    kind's own; `configuration` has a field for each of those that has settings. `keepers` makes, by group,
    the `Keeper` that does its commands and keeps its values.
    """

    groups: tuple[GroupDeclaration, ...]
    configuration: type[Configuration]
    keepers: Mapping[str, Callable[[ServiceContext, ServiceOptions], Keeper]] = {}

    def check(self) -> None:
        """Raise `TypeError` where a declaration has nobody who fills it."""
        names = [group.name for group in self.groups]
        if lacking := [name for name in (Group.ENGINE, Group.SOURCE) if name not in names]:
            raise TypeError(f"every engine needs the group {lacking[0]}")
        for group in self.groups:
            if group.settings and group.name not in self.configuration.model_fields:
                raise TypeError(f"{self.configuration.__name__} needs a field {group.name}")
            done = group.name in (*self.keepers, Group.ENGINE, Group.WRITER)
            if group.commands and not done:
                raise TypeError(f"group {group.name} has commands, but no keeper does them")


REPEATER_ENGINE = EngineKind(
    REPEATER,
    Configuration,
    {Group.PICTURE: lambda context, options: PictureKeeper(context, options.pictures_address)},
)
"""The engine that repeats frames and writes them."""
