"""What encrypts the sockets of an instance: each has a key of its own, by the names of its settings."""

from __future__ import annotations

from collections.abc import Iterator

from repstream.errors import InvalidValue, Refused
from repstream.parameters.camera import CameraSettings, StreamSettings
from repstream.parameters.curve import KEY, PEERS
from repstream.parameters.pipeline import PipelineSettings
from repstream.pipelines.configurations import has_entrance
from repstream.sockets.security import security

OUTPUT, INPUT, SECOND = "", "input_", "bsread_"
"""What the names of the settings of a socket begin with."""


def curve(settings: StreamSettings, which: str = OUTPUT) -> dict[str, str]:
    """Key and peers of a socket, as sources and streams call them."""
    return {name: getattr(settings, which + name) for name in (KEY, PEERS)}


def check_keys(settings: CameraSettings | PipelineSettings) -> None:
    """Raises `InvalidValue` where a key that is asked for is missing: nothing may be open then."""
    for which, binds in _sockets(settings):
        keys = curve(settings, which)
        try:
            security(keys[KEY], keys[PEERS], "socket", binds=binds)
        except Refused as error:
            raise InvalidValue(which + error.subject.rpartition(".")[2], error.reason) from error


def _sockets(settings: CameraSettings | PipelineSettings) -> Iterator[tuple[str, bool]]:
    """What the settings of each socket begin with, and whether it binds."""
    if isinstance(settings, CameraSettings):
        yield from ((OUTPUT, True), (INPUT, False))
    else:
        yield OUTPUT, not (settings.output_stream or settings.output_pipeline)
        yield INPUT, has_entrance("pipeline", settings.model_dump())
        yield SECOND, False
