"""A pipeline: messages of a camera or another stream, chosen, processed, and sent as channels."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
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
from repstream.pipelines.encryption import check_keys
from repstream.pipelines.failures import Failures
from repstream.pipelines.feed import Feed
from repstream.pipelines.gate import Gate, Verdict
from repstream.pipelines.job import Inlet
from repstream.pipelines.messages import Encoder, Made
from repstream.pipelines.received import Received
from repstream.pipelines.second_input import Pair, SecondInput
from repstream.pipelines.work import NOTHING, Making, Result, Work, open_work
from repstream.processing.ordered import Done, Ordered
from repstream.sources.made import MadeSource


class PipelineJob:
    """Fills `Job`. `feed` is where its messages come from, None where it makes them by itself.

    `second` is another stream whose channels join them. Raises `Refused` where the configuration cannot
    be used.
    """

    more_clients = None

    def __init__(
        self,
        configuration: Mapping[str, Any],
        feed: Feed | None,
        folders: Folders,
        second: SecondInput | None = None,
    ) -> None:
        self._feed = feed
        self._second = second
        self._folders = folders
        self._settings = pipeline_settings(configuration)
        self._gate = Gate(self._settings)
        self._encoder = encoder_of(self._settings)
        threads = self._settings.processing_threads
        self._work = open_work(configuration, self._settings, folders, max(threads, 1))
        self._threads: Ordered[Result] | None = Ordered(threads, sys.maxsize) if threads else None
        self._done: list[Done[Result]] = []
        self._made = made_by(self._work)
        self._memory = bsread.Memory()
        self.received = Received()
        self.problem = ""
        self._failures = Failures()
        self._lost: dict[str, int] = {}
        self.frame_shape: tuple[int, int, int] | None = None
        self.geometry: tuple[int, int] | None = None
        self.finished = False
        self._channels: Mapping[str, Any] | None = None

    @property
    def inlets(self) -> Sequence[Inlet]:
        source = self._made or (self._feed.source if self._feed is not None else None)
        found = () if source is None else (Inlet(source, self.take),)
        return found if self._second is None else (*found, Inlet(self._second.source, self._take_beside))

    @property
    def lost(self) -> Mapping[str, int]:
        alone = self._second.lost if self._second is not None else 0
        return {**self._lost, **({"without second input": alone} if alone else {})}

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
        check_keys(settings)
        self._done += self._all_done()
        self._work.configure(configuration, settings)
        if _shapes_headers(settings) != _shapes_headers(self._settings):
            self._encoder = encoder_of(settings)
        self._gate.settings = self._settings = settings
        self._finish()

    def take(self, parts: Sequence[Any], now: float) -> Sequence[Frame]:
        if isinstance(made := parts[0], Made | ProcessingError):
            return self._taken(made, now)
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
        if self._second is not None:
            return self._joined(self._second.join(message, stamp))
        return self._begun(message, stamp)

    @property
    def woken(self) -> int | None:
        return None if self._threads is None else self._threads.fileno()

    @property
    def busy(self) -> bool:
        threads, settings = self._threads, self._settings
        return threads is not None and (
            threads.waiting >= settings.thread_buffer_size
            or len(threads) >= settings.thread_buffer_size + settings.send_buffer_size
        )

    def collect(self) -> Sequence[Frame]:
        if self._threads is None:
            return ()
        self._done += self._threads.take()
        return self._results()

    def hear(self, found: control.Input) -> None:
        if self._feed is not None:
            self._feed.found(found)

    def tick(self, now: float) -> Sequence[Frame]:
        if self._made is not None and self._made.problem:
            raise ProcessingError(self._made.problem)
        for feed in (self._feed, self._second.feed if self._second is not None else None):
            if feed is None:
                continue
            feed.tick(now, self._settings)
            if feed.problem:
                self.problem = feed.problem
                if self._settings.abort_on_timeout:
                    raise ProcessingError(feed.problem)
        return ()

    def close(self) -> None:
        if self._made is not None:
            self._made.close()
        if self._threads is not None:
            self._threads.close()
        self._work.close()
        if self._feed is not None:
            self._feed.close()
        if self._second is not None:
            self._second.feed.close()

    def beam(self) -> dict[str, float | None] | None:
        channels, self._channels = self._channels, None
        return beam_of(channels) if channels else None

    def rest(self) -> Sequence[Frame]:
        self._done += self._all_done()
        return [*self._results(), *self._encoded(self._work.rest())]

    def _take_beside(self, parts: Sequence[Any], now: float) -> Sequence[Frame]:
        """What goes out for a message of the second input."""
        assert self._second is not None
        try:
            return self._joined(self._second.take(parts, now))
        except MalformedMessage as error:
            self.received.malformed(error, parts)
            self.problem = str(error)
            return ()

    def _joined(self, pairs: Sequence[Pair]) -> Sequence[Frame]:
        return [frame for (message, stamp), beside in pairs for frame in self._begun(message, stamp, beside)]

    def _begun(
        self, message: bsread.Message, stamp: Timestamp, beside: Mapping[str, Any] = NOTHING
    ) -> Sequence[Frame]:
        """What goes out now of a message that is wanted, and of those that threads have done."""
        try:
            task = self._work.begin(message, stamp, beside)
        except ProcessingError as error:
            self._done.append(Done(None, error))
            return self._results() if self._threads is None else self.collect()
        if task is None:
            return ()
        if self._threads is None:
            return self._sent(lambda: task(0))
        self._threads.put(task)
        return self.collect()

    def _all_done(self) -> list[Done[Result]]:
        """Wait for the threads."""
        found: list[Done[Result]] = []
        while self._threads is not None and len(self._threads):
            found += self._threads.take(wait=1.0)
        return found

    def _results(self) -> list[Frame]:
        frames: list[Frame] = []
        while self._done and not self.finished:
            frames += self._sent(partial(_result, self._done.pop(0)))
        return frames

    def _taken(self, made: Made | ProcessingError, now: float) -> Sequence[Frame]:
        """What goes out of what a function has made by itself, or failed to make."""
        if isinstance(made, ProcessingError):
            return self._sent(partial(_result, Done(None, made)))
        self.received.pulse(made.pulse_id, 0)
        return self._sent(lambda: (made,)) if self._wants(made.pulse_id, made.timestamp, now) else ()

    def _wants(self, pulse_id: int, timestamp: Timestamp, now: float) -> bool:
        verdict = self._gate.decide(pulse_id, timestamp, now)
        self.finished = self.finished or verdict is Verdict.END
        return verdict is Verdict.TAKE

    def _sent(self, make: Callable[[], Result]) -> Sequence[Frame]:
        try:
            frames = self._encoded(make())
        except (ProcessingError, ValueError) as error:
            self._lost["processing"] = self._lost.get("processing", 0) + 1
            self.problem = str(error)
            if self._settings.abort_on_error:
                raise ProcessingError(str(error)) from error
            self._failures.said(str(error), time.monotonic())
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


def _result(done: Done[Result]) -> Result:
    if done.error is not None:
        raise done.error
    return done.result or ()


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
