"""Whether what was made from one catalogue still fits the engine that answers now.

Front ends make their names once, at start. An engine that is found later, or takes the place of another one
at its address, may have other slots, or be of another kind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from repstream.parameters.catalogue import Catalogue, Parameter
from repstream.protocol import Engine


def misfit(made: Catalogue, now: Catalogue) -> str:
    """What does not fit, ``writers.1.state and 9 others are gone`` for instance; empty where all does."""
    if made is now:
        return ""
    before, after = made.parameters, now.parameters
    common = before.keys() & after.keys()
    changed = {key for key in common if _shape(before[key]) != _shape(after[key])}
    commands = made.commands.keys() ^ now.commands.keys()
    found = (
        (before.keys() - after.keys(), "gone"),
        (after.keys() - before.keys(), "new"),
        (changed, "of another type"),
        (commands & made.commands.keys(), "gone"),
        (commands & now.commands.keys(), "new"),
    )
    return ", ".join(_clause(keys, what) for keys, what in found if keys)


class Fit:
    """Engines by name, and what was made from their catalogues when this was."""

    def __init__(self, engines: Mapping[str, Engine]) -> None:
        self._engines = engines
        self._made = {name: engine.catalogue for name, engine in engines.items()}

    def misfit(self) -> str:
        """What does not fit the first engine that is another one now, with its name; empty where all do."""
        for name, engine in self._engines.items():
            now = engine.catalogue
            if different := misfit(self._made[name], now):
                return f"{name}: {different}"
            self._made[name] = now
        return ""


def _shape(parameter: Parameter) -> tuple[object, ...]:
    """What a front end cannot change in what it has made."""
    return parameter.kind, parameter.choices, parameter.writable, parameter.unit


def _clause(keys: Collection[str], what: str) -> str:
    first, others = min(keys), len(keys) - 1
    if not others:
        return f"{first} is {what}"
    return f"{first} and {others} other{'s' * (others > 1)} are {what}"
