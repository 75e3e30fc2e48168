"""A pipeline: messages of a camera or another stream, chosen, processed, and sent as channels."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from threading import Event
from typing import Any

import msgspec
import numpy as np

from repstream.errors import MalformedMessage, ProcessingError
from repstream.messages import bsread
from repstream.messages.bsread_header import Timestamp
from repstream.messages.frame import Frame
from repstream.messages.header import size_of
from repstream.parameters.camera import packing
from repstream.parameters.pipeline import PipelineSettings
from repstream.pipelines import control
from repstream.pipelines.beam import beam_of
from repstream.pipelines.configurations import settings as settings_of
from repstream.pipelines.control import Folders
from repstream.pipelines.feed import Feed
from repstream.pipelines.gate import Gate, Verdict
from repstream.pipelines.messages import Encoder, Made
from repstream.pipelines.received import Received
from repstream.pipelines.threads import Threads
from repstream.pipelines.work import Making, Work, open_work
from repstream.sources.made import MadeSource
from repstream.sources.source import Source


class PipelineJob:
    """Fills `Job`. `feed` is where its messages come from, None where it makes them by itself.

    Raises `Refused` where the configuration cannot be used.
    """

    def __init__(self, configuration: Mapping[str, Any], feed: Feed | None, folders: Folders) -> None:
        self._feed = feed
        self._folders = folders
        self._settings = pipeline_settings(configuration)
        self._gate = Gate(self._settings)
        self._encoder = encoder_of(self._settings)
        works = opened(configuration, self._settings, folders)
        self._work = works[0]
        self._threads = Threads(works, self._settings.thread_buffer_size) if len(works) > 1 else None
        self._made = made_by(self._work)
        self._memory = bsread.Memory()
        self.received = Received()
        self.problem = ""
        self.lost: dict[str, int] = {}
        self.frame_shape: tuple[int, int, int] | None = None
        self.geometry: tuple[int, int] | None = None
        self.finished = False
        self._channels: Mapping[str, Any] | None = None

    @property
    def source(self) -> Source | None:
        return self._made or (self._feed.source if self._feed is not None else None)

    @property
    def skipped(self) -> dict[str, int]:
        return self._gate.skipped

    @property
    def no_client_timeout(self) -> float:
        # A file has no clients.
        return 0.0 if self._settings.mode == "FILE" else self._settings.no_client_timeout

    @property
    def header_changes(self) -> int:
        return self._encoder.changes

    def configure(self, configuration: Mapping[str, Any]) -> None:
        settings = pipeline_settings(configuration)
        if self._threads is None:
            self._work.configure(configuration, settings)
        else:
            self._threads.each(lambda work: work.configure(configuration, settings))
        if _shapes_headers(settings) != _shapes_headers(self._settings):
            self._encoder = encoder_of(settings)
        self._gate.settings = self._settings = settings
        self._finish()

    def take(self, parts: Sequence[Any], now: float) -> Sequence[Frame]:
        if isinstance(parts[0], Made):
            return self._taken(parts[0], now)
        try:
            message = bsread.decode(parts, self._memory)
        except MalformedMessage as error:
            self.received.malformed(error, parts)
            self.problem = str(error)
            return ()
        self.received.pulse(message.pulse_id, sum(map(size_of, parts)))
        if self._feed is not None:
            self._feed.heard(now)
        stamp = message.timestamp or divmod(time.time_ns(), 10**9)
        if not self._wants(message.pulse_id, stamp, now):
            return ()
        if self._threads is None:
            return self._sent(lambda: self._work.process(message, stamp))
        self._threads.begin(lambda work: work.process(message, stamp))
        return self.collect()

    @property
    def woken(self) -> int | None:
        return None if self._threads is None else self._threads.woken

    @property
    def busy(self) -> bool:
        return self._threads is not None and self._threads.is_full

    def collect(self) -> Sequence[Frame]:
        return [] if self._threads is None else self._results(self._threads.take())

    def hear(self, found: control.Input) -> None:
        if self._feed is not None:
            self._feed.found(found)

    def tick(self, now: float) -> None:
        if self._made is not None and self._made.problem:
            raise ProcessingError(self._made.problem)
        if (feed := self._feed) is None:
            return
        feed.tick(now, self._settings)
        if feed.problem:
            self.problem = feed.problem
            if self._settings.abort_on_timeout:
                raise ProcessingError(feed.problem)

    def close(self) -> None:
        if self._made is not None:
            self._made.close()
        (self._work if self._threads is None else self._threads).close()
        if self._feed is not None:
            self._feed.close()

    def beam(self) -> dict[str, float | None] | None:
        channels, self._channels = self._channels, None
        return beam_of(channels) if channels else None

    def rest(self) -> Sequence[Frame]:
        made = [] if self._threads is None else self._results(self._threads.take(wait=True))
        return [*made, *self._encoded(self._work.rest())]

    def _results(self, taken: Sequence[Future[Sequence[Made | Frame]]]) -> list[Frame]:
        frames: list[Frame] = []
        for future in taken:
            if self.finished:
                break
            frames += self._sent(future.result)
        return frames

    def _taken(self, made: Made, now: float) -> Sequence[Frame]:
        """What goes out of what a function has made by itself."""
        self.received.pulse(made.pulse_id, 0)
        return self._sent(lambda: (made,)) if self._wants(made.pulse_id, made.timestamp, now) else ()

    def _wants(self, pulse_id: int, timestamp: Timestamp, now: float) -> bool:
        verdict = self._gate.decide(pulse_id, timestamp, now)
        self.finished = self.finished or verdict is Verdict.END
        return verdict is Verdict.TAKE

    def _sent(self, make: Callable[[], Sequence[Made | Frame]]) -> Sequence[Frame]:
        try:
            frames = self._encoded(make())
        except (ProcessingError, ValueError) as error:
            self.lost["processing"] = self.lost.get("processing", 0) + 1
            self.problem = str(error)
            if self._settings.abort_on_error:
                raise ProcessingError(str(error)) from error
            return ()
        self.problem = ""
        for frame in frames:
            if len(frame.shape) == 2:
                height, width = frame.shape
                self.frame_shape = (width, height, np.dtype(frame.dtype).itemsize)
            self._gate.sent()
        self._finish()
        return frames

    def _encoded(self, made: Sequence[Made | Frame]) -> list[Frame]:
        return [one if isinstance(one, Frame) else self._message(one) for one in made]

    def _message(self, made: Made) -> Frame:
        self._channels = made.channels
        channels = _chosen(made.channels, self._settings)
        return self._encoder.frame(msgspec.structs.replace(made, channels=channels))

    def _finish(self) -> None:
        self.finished = self.finished or self._gate.is_finished


def opened(configuration: Mapping[str, Any], settings: PipelineSettings, folders: Folders) -> list[Work]:
    """The work, once for each thread. What remembers images that came before is done by one."""
    remembers = any(configuration.get(key) for key in ("averaging", "image_averaging"))
    threads = settings.processing_threads if settings.pipeline_type in ("processing", "stream") else 1
    works: list[Work] = []
    try:
        for _ in range(1 if remembers else max(threads, 1)):
            works.append(open_work(configuration, settings, folders))
    except BaseException:
        for work in works:
            work.close()
        raise
    return works


def made_by(work: Work) -> MadeSource | None:
    """The source that a function is which makes data by itself; None for all other work."""
    if not isinstance(work, Making):
        return None
    stop = Event()
    return MadeSource(work.messages(stop), stop)


def encoder_of(settings: PipelineSettings) -> Encoder:
    """The encoder that a pipeline is configured to have."""
    packed = packing(settings.data_compression)
    headers = settings.create_header
    if isinstance(headers, bool):
        headers = "always" if headers else "on_change"
    return Encoder(
        image_packing=packed,
        packing=packed,
        header_packing=packing(settings.data_header_compression),
        headers=headers,
        allow_type_changes=settings.allow_type_changes,
        allow_shape_changes=settings.allow_shape_changes,
    )


def pipeline_settings(configuration: Mapping[str, Any]) -> PipelineSettings:
    """The validated configuration of a pipeline."""
    found = settings_of("pipeline", configuration)
    assert isinstance(found, PipelineSettings)
    return found


def _shapes_headers(settings: PipelineSettings) -> tuple[object, ...]:
    return (
        settings.data_compression,
        settings.data_header_compression,
        settings.create_header,
        settings.allow_type_changes,
        settings.allow_shape_changes,
    )


def _chosen(channels: Mapping[str, Any], settings: PipelineSettings) -> Mapping[str, Any]:
    include, exclude = settings.include, settings.exclude
    if not include and not exclude:
        return channels
    return {
        name: value
        for name, value in channels.items()
        if (not include or name in include) and (not exclude or name not in exclude)
    }
