"""Saved cameras and pipelines as engines, which front ends show before they run and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from repstream.errors import Refused
from repstream.instances.description import Configuration
from repstream.instances.engine import InstanceEngine
from repstream.instances.saved.cameras import FOR_EVER, SavedCameras
from repstream.instances.saved.pipelines import SavedPipelines


class Changes(NamedTuple):
    """Engines by name: those that are to be shown no more, and then those that are new."""

    gone: dict[str, InstanceEngine]
    new: dict[str, InstanceEngine]


class SavedEngines:
    """An engine for each name that is saved, or for those in `only`; `look` follows what is saved.

    Raises `Refused` for a name in `only` that is not saved. What is started through one of them runs until it
    is stopped, also while nobody receives its stream. `close` them after use.
    """

    def __init__(self, saved: SavedCameras | SavedPipelines, only: Sequence[str] = ()) -> None:
        self._saved = saved
        self._only = frozenset(only)
        self._stamps: dict[str, int] = {}
        self._engines: dict[str, InstanceEngine] = {}
        known = saved.names()
        for name in only:
            if name not in known:
                kind = saved.instances.kind
                raise Refused(kind, f"no {kind} {name!r} is saved, only {', '.join(known) or 'none'}")
        self.look()

    def current(self) -> dict[str, InstanceEngine]:
        """The engines by name."""
        return dict(self._engines)

    def look(self) -> Changes:
        """Take note of what is saved now; whoever shows the engines that are gone closes them.

        One whose alarm levels are others now is gone, and there anew.
        """
        stamps = self._saved.stamps()
        wanted = {name: stamp for name, stamp in stamps.items() if not self._only or name in self._only}
        gone = [name for name in self._engines if name not in wanted or self._is_outdated(name, wanted[name])]
        changes = Changes({name: self._engines.pop(name) for name in gone}, {})
        for name in wanted.keys() - self._engines.keys():
            changes.new[name] = self._engines[name] = _engine(self._saved, name)
        self._stamps = wanted
        return changes

    def close(self) -> None:
        """Follow nothing any more; instances go on."""
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()

    def _is_outdated(self, name: str, stamp: int) -> bool:
        return stamp != self._stamps.get(name) and self._engines[name].has_other_levels()


def _engine(saved: SavedCameras | SavedPipelines, name: str) -> InstanceEngine:
    def configuration() -> Configuration:
        return {**saved.ready(name), **FOR_EVER}

    return InstanceEngine(saved.instances, name, configuration)
