"""Saved cameras and pipelines as engines, which front ends show before they run and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

from repstream.errors import Refused
from repstream.instances.description import Configuration
from repstream.instances.engine import InstanceEngine
from repstream.instances.saved.cameras import FOR_EVER, SavedCameras
from repstream.instances.saved.pipelines import SavedPipelines


@contextmanager
def engines_of(
    saved: SavedCameras | SavedPipelines, only: Sequence[str] = ()
) -> Iterator[dict[str, InstanceEngine]]:
    """An engine for each name that is saved now, or for those in `only`; raises `Refused` for an unknown one.

    What is started through one of them runs until it is stopped, also while nobody receives its stream.
    """
    known = saved.names()
    for name in only:
        if name not in known:
            kind = saved.instances.kind
            raise Refused(kind, f"no {kind} {name!r} is saved, only {', '.join(known) or 'none'}")
    with ExitStack() as stack:
        yield {name: stack.enter_context(closing(_engine(saved, name))) for name in only or known}


def _engine(saved: SavedCameras | SavedPipelines, name: str) -> InstanceEngine:
    def configuration() -> Configuration:
        return {**saved.ready(name), **FOR_EVER}

    return InstanceEngine(saved.instances, name, configuration)
