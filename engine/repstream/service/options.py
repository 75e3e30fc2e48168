"""What is fixed when an engine starts; everything that may change later is a parameter."""

from __future__ import annotations

from pathlib import Path

import msgspec

from repstream.parameters.configuration import Configuration


class ServiceOptions(msgspec.Struct, frozen=True):
    """Options of an engine, fixed while it lives.

    `roots`: folders below which files may be written; empty takes the current folder at start.
    `user_ids`: users whom files may be made for (a writer's `user_id`) beside that of the service.
    `settings`: file in which accepted changes are kept and found again after a restart; None keeps
    nothing. `configuration`: what to start from; where `settings` exists already, that counts.
    `max_streams`, `max_writers`: slots, where not the number that the kind of engine has.
    `plane_patience`: seconds that the data plane goes on, if anything is open, for the next start of an
    engine with the same `settings`, where this one dies. `pictures_address`: where the pictures of
    streams are served.
    """

    name: str = "repstream"
    roots: tuple[Path, ...] = ()
    user_ids: tuple[int, ...] = ()
    settings: Path | None = None
    configuration: Configuration | None = None
    max_streams: int | None = None
    max_writers: int | None = None
    plane_patience: float = 0.0
    pictures_address: str = "tcp://127.0.0.1:*"
