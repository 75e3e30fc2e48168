"""What the views have in common: an engine that is commanded in steps, each seen to its end."""

from __future__ import annotations

import json
from typing import Any

from repstream.errors import Refused
from repstream.parameters.catalogue import Group, key_of
from repstream.parameters.facts import Value
from repstream.protocol import Engine, Requester

DEFAULT_WRITER = "main"
"""The name of writer 1 where a view is the first to configure it."""

PATIENCE = 60.0
"""Seconds within which a command ends that does not wait for frames."""


def do(engine: Engine, command: str, argument: Value, asker: Requester) -> None:
    """Give a command of the engine's and see it end; raises `Refused`, also where it was taken and failed."""
    completion = engine.execute(key_of(Group.ENGINE, 0, command), argument, asker).wait(PATIENCE)
    if not completion.ok:
        raise Refused(command, completion.message)


def configuration(engine: Engine) -> dict[str, Any]:
    """The configuration in force, as JSON has it; empty where the engine does not say it."""
    text = engine.read(key_of(Group.ENGINE, 0, "config")).value
    found: dict[str, Any] = json.loads(str(text or "{}"))
    return found


def first_writer(engine: Engine) -> str:
    """The name of writer 1, or the one that it is to get."""
    return str(engine.read(key_of(Group.WRITER, 1, "name")).value or DEFAULT_WRITER)
