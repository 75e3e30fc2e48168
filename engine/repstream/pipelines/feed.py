"""Where the messages of a pipeline come from: the stream of a camera, of another pipeline, or an address."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import zmq

from repstream.errors import InvalidValue, Refused
from repstream.parameters.pipeline import PipelineSettings
from repstream.parameters.source import SourceConfig
from repstream.pipelines.control import Input, Wanted
from repstream.pipelines.encryption import INPUT, curve
from repstream.sources.source import Source
from repstream.sources.zmq import ZmqSource

log = logging.getLogger(__name__)

BUFFERED = 16
"""Messages that wait at the input; small ones wait in the kernel, too, and all of them at the sender.

Few: each large image that waits is memory fresh from the system, which costs as much as to receive it.
"""


class Feed:
    """A source that is sought anew when it is silent for too long.

    `ask` sends a `Wanted` to the registry, whose answer comes by `found`. `wanted` is None for an address
    that is given.
    """

    def __init__(
        self,
        open_at: Callable[[str], Source],
        address: str,
        wanted: Wanted | None,
        ask: Callable[[Wanted], None],
    ) -> None:
        self._open_at = open_at
        self._address = address
        self._wanted = wanted
        self._ask = ask
        self._last = self._sought = time.monotonic()
        self.source = open_at(address)
        self.problem = ""

    def heard(self, now: float) -> None:
        """A message came."""
        self._last = now
        self.problem = ""

    def tick(self, now: float, settings: PipelineSettings) -> None:
        """Seek the source where it has been silent for the time that the settings give it."""
        self.source.update()
        from_camera = self._wanted is not None
        patience = settings.camera_timeout if from_camera else settings.stream_timeout
        if patience <= 0 or now - max(self._last, self._sought) < patience:
            return
        self._sought = now
        what = f"{self._wanted.kind} {self._wanted.name}" if self._wanted is not None else self._address
        why = f": {self.source.problem}" if self.source.problem else ""
        self.problem = f"{what} has sent nothing for {now - self._last:.0f} s{why}"
        log.warning("%s", self.problem)
        if self._wanted is not None:
            self._ask(self._wanted)
        else:
            self._reopen()

    def found(self, found: Input) -> None:
        """Where the source is now, or why it is not to be had."""
        if found.reason:
            self.problem = found.reason
            log.warning("%s", found.reason)
        elif found.address != self._address:
            self._address = found.address
            self._reopen()

    def close(self) -> None:
        self.source.close()

    def _reopen(self) -> None:
        try:
            opened = self._open_at(self._address)
        except Refused as error:
            self.problem = error.reason
            return
        self.source.close()
        self.source = opened


def wanted_by(settings: PipelineSettings) -> Wanted | None:
    """The instance whose stream a pipeline receives; None where it gives an address, or needs none."""
    if settings.input_stream:
        return None
    if settings.input_pipeline:
        return Wanted("pipeline", settings.input_pipeline)
    return Wanted("camera", settings.camera_name) if settings.camera_name else None


def opener(settings: PipelineSettings, context: zmq.Context[zmq.Socket[bytes]]) -> Callable[[str], Source]:
    """What opens the input at an address. Raises `Refused`."""
    binds = settings.pipeline_type == "fanin" and not settings.input_stream and not settings.input_pipeline
    mode = settings.input_mode or ("PULL" if settings.pipeline_type == "fanin" else "SUB")

    def open_at(address: str) -> Source:
        try:
            config = SourceConfig(
                address=address,
                mode=mode,
                connection="bind" if binds else "connect",
                buffer_size=BUFFERED,
                **curve(settings, INPUT),
            )
        except ValueError:
            raise InvalidValue(
                "input_stream", f"{address!r:.200} is no address such as tcp://host:port"
            ) from None
        return ZmqSource(context, config)

    return open_at
