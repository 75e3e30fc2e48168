"""Everything that is open while frames are repeated: the input, the streams and the writers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import zmq

from repstream.accounting import COUNT_LIMIT, GapTracker, InputLedger, RunLog
from repstream.dataplane.control import Lane, Merge, Note, Notice, Report, SourceReport, Turn
from repstream.dataplane.lanes import Enveloping, LaneTransport
from repstream.dataplane.last_frames import LastFrames
from repstream.dataplane.merged_source import MergedSource
from repstream.dataplane.outputs import Passing, StreamOutput
from repstream.dataplane.steps import Step, step_of
from repstream.dataplane.transport import Transport, open_transport
from repstream.dataplane.turns import Decoded, OwnTurn
from repstream.dataplane.writing.writer import WriterOutput
from repstream.errors import MalformedMessage
from repstream.messages.formats import FrameDecoder, NoImage, kind_of
from repstream.messages.frame import Frame
from repstream.messages.header import size_of
from repstream.messages.series import SeriesEnd, SeriesStart, images_of
from repstream.parameters.configuration import Configuration
from repstream.parameters.source import SourceConfig
from repstream.parameters.writer import WriterConfig
from repstream.sockets.security import Guarded
from repstream.sources.opening import open_source
from repstream.sources.ring_image import RingImage
from repstream.sources.source import NEVER, PacedSource, Source

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.005
"""How often is looked, while frames come, whether something else is to be done."""

BURST_MESSAGES = 64
BURST_BYTES = 4 << 20
"""What is received at most meanwhile where an output's queue wants its turn, too."""

SMALL, GROUP_FRAMES = 64 << 10, 64
"""Frames of up to this size (bytes), or in a ring, go to the writers in batches of up to this number."""


class Repeater:
    """One input and its outputs, from start to stop. Used from the loop's thread.

    `tell` takes notices of writers and for the log; `wake` is called from other threads when `poll` is due.
    `expected` is the size of a frame in bytes as an earlier one showed it, 0 where none did; a
    configured size counts instead. `largest` is that of the largest frame so far, or what was expected.
    `last_frames` keeps those of the streams that pictures are made of. `lane`, `merge` and `turn` as in
    `Open`.
    Raises `Refused` where an address cannot be had; nothing stays open then.
    """

    def __init__(
        self,
        configuration: Configuration,
        tell: Callable[[Notice], None],
        wake: Callable[[], None],
        expected: int = 0,
        last_frames: LastFrames | None = None,
        *,
        lane: Lane | None = None,
        merge: Merge | None = None,
        turn: Turn | None = None,
    ) -> None:
        self.ledger = InputLedger(gaps=GapTracker(configuration.source.id_step))
        self._runs: RunLog | None = None
        if configuration.source.receivers > 1:
            self._runs = self.ledger.gaps = RunLog()
        self.streams: dict[int, StreamOutput] = {}
        self.writers: dict[int, WriterOutput] = {}
        self.source: Source | None = None
        self._paced: PacedSource | None = None
        self._merged: MergedSource | None = None
        self._late = 0
        self.last_malformed = ""
        self._shape: tuple[int, ...] | None = None
        self._dtype: str | None = None
        self._configuration = configuration
        self._last_frames = last_frames or LastFrames()
        source = configuration.source
        self._expected = self.largest = _configured_bytes(source) or expected
        self._decode: Callable[[Sequence[Any]], Decoded | None] = FrameDecoder(
            source.channel,
            source.threshold,
            source.verify_hash,
            note=lambda text: tell(Note(logging.WARNING, f"metadata at the input: {text}")),
        ).decode
        if turn is not None:
            self._decode = OwnTurn(turn, source.id_step, self._decode)
        self._repeat_malformed = source.repeat_malformed
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(source.io_threads)
        try:
            self._open(tell, wake, lane, merge)
        except BaseException:
            for stream in self.streams.values():
                stream.close(0)
            self._context.destroy(linger=0)
            raise
        self._outputs: tuple[StreamOutput | WriterOutput, ...] = (
            *self.streams.values(),
            *self.writers.values(),
        )
        self._offers = [stream.offer for stream in self.streams.values()]
        self._keep_last()
        self._group: list[Frame] = []  # for the writers

    @property
    def blocking(self) -> bool:
        """Whether an output holds up the input."""
        return any(output.blocking for output in self._outputs)

    @property
    def due(self) -> float:
        """Seconds after which `poll` is wanted again by the source."""
        paced = self._paced
        return NEVER if paced is None else paced.due

    @property
    def waiting(self) -> list[StreamOutput]:
        """The streams that have frames left to send."""
        return [stream for stream in self.streams.values() if stream.waiting]

    @property
    def acquiring(self) -> bool:
        """Whether a writer has an acquisition under way."""
        return any(writer.busy for writer in self.writers.values())

    def receive(self, end: float, called: Callable[[], Any]) -> int:
        """Receive and distribute one burst; how many messages that were. None where an output blocks.

        It lasts as long as messages come without a pause and every output sends them at once, until
        `end` (monotonic) or until `called`, which is asked every 5 ms, says that something else is to
        be done.

        Small frames are gathered for the writers as long as more of them are there, never while one is
        awaited.
        """
        source, ledger = self.source, self.ledger
        if source is None or self.blocking:
            return 0
        # To wait in the socket costs a fraction of a turn of the loop, but nothing else is done meanwhile.
        patient = not self.waiting
        now = time.monotonic()
        clock, look, most = time.time() - now, now + LOOK_SECONDS, ledger.nbytes + BURST_BYTES
        number = 0
        while patient or (number < BURST_MESSAGES and ledger.nbytes < most):
            parts = source.receive(patient and not self._group)
            if parts is None:
                if not self._group or self._hand_over():
                    break
                continue
            number += 1
            now = time.monotonic()
            attention = self._take(parts, now, now + clock)
            # Nothing keeps an image while the next one is awaited: its memory may serve that one.
            del parts
            if attention:
                break
            if now >= look:
                if now >= end or called():
                    break
                look = now + LOOK_SECONDS
        self._hand_over()
        return number

    def misfit(self, configuration: Configuration) -> str:
        """Why a service with this configuration cannot take this over; empty where it can."""
        ours = self._configuration
        for what in ("source", "streams", "slots"):
            if getattr(ours, what) != getattr(configuration, what):
                return f"runs with other settings ({what})"
        return ""

    def update(self, configuration: Configuration) -> None:
        """Take the parameters that may change while running."""
        self._configuration = configuration
        for name, config in configuration.streams.items():
            if (stream := self.streams.get(configuration.slots[f"streams.{name}"])) is not None:
                stream.update(config)
        for name, writer_config in configuration.writers.items():
            if (writer := self.writers.get(configuration.slots[f"writers.{name}"])) is not None:
                writer.update(writer_config)
        self._keep_last()

    def watch(self) -> None:
        """Follow who connects to the sockets and who goes, and how long the writers wait."""
        if self.source is not None:
            self.source.update()
        for stream in self.streams.values():
            stream.watch()
        now, held = time.monotonic(), self.blocking
        for writer in self.writers.values():
            writer.watch(now, held)

    def poll(self) -> None:
        """Follow what the writers' threads did, and a source that wants it."""
        if self._paced is not None and not self._paced.due:
            self._paced.update()
        for writer in self.writers.values():
            writer.poll()

    def report(self) -> Report:
        """Everything now; `losses` are those that nobody planned."""
        ledger, merged = self.ledger.snapshot(), self._merged
        if merged is not None:
            late, self._late = merged.late - self._late, merged.late
            for stream in self.streams.values():
                stream.lose(late, "late")
        return Report(
            clock=time.monotonic(),
            source=SourceReport(
                ledger=ledger,
                connected=self.source is not None and self.source.connected,
                last_time=ledger.last_time,
                shape=self._shape,
                dtype=self._dtype,
                problem="" if self.source is None else self.source.problem,
                runs=() if self._runs is None else self._runs.take(),
                denied=self.source.denied if isinstance(self.source, Guarded) else 0,
                merge=None if merged is None else merged.report(),
            ),
            streams={slot: stream.report() for slot, stream in self.streams.items()},
            writers={slot: writer.report() for slot, writer in self.writers.items()},
            # Half of what a count can be, so that the others still show beside it.
            losses=min(ledger.missing, COUNT_LIMIT // 2)
            + sum(ledger.malformed.values())
            + sum(stream.alarms for stream in self.streams.values())
            + sum(writer.losses for writer in self.writers.values()),
            behind={
                slot: behind
                for slot, writer in self.writers.items()
                if (behind := writer.report_behind()) is not None
            },
            last_frames=self._last_frames.address,
        )

    def end_source(self) -> int:
        """A stop has begun: how many messages are still taken, at most."""
        if self._merged is not None:
            self._merged.finish()
        return self.source.capacity if self.source is not None else 0

    def close_source(self) -> None:
        """Receive no more, and end the acquisitions; what was received is still written."""
        if self.source is not None:
            self.source.close()
            self.source = self._paced = None
        for writer in self.writers.values():
            writer.end(discard=False)
            writer.release()

    def give_up_files(self, patience: float) -> None:
        """Fail the acquisitions that wait for a disk that has not answered for `patience` seconds."""
        now = time.monotonic()
        for writer in self.writers.values():
            writer.give_up(now, patience)

    def close_streams(self, linger: float) -> tuple[threading.Thread, int]:
        """Close all streams; what their sockets hold has `linger` seconds to get out.

        Returns the thread that ends when every address is free again, and how many frames were
        left in the queues.
        """
        left = sum(stream.give_up() for stream in self.streams.values())
        for stream in self.streams.values():
            stream.close(linger)
        ending = threading.Thread(target=self._context.term, name="closing streams", daemon=True)
        ending.start()
        return ending, left

    def _take(self, parts: Sequence[Any], now: float, clock: float) -> bool:
        """Offer what a message holds to the outputs; whether one of them wants the loop's attention.

        It came at `now` (monotonic), which is `clock` for people.
        """
        try:
            frame = self._decode(parts)
        except MalformedMessage as error:
            return self._refuse(parts, error)
        except Exception as error:
            # A message that shows a fault of ours must not end the streams of all others.
            log.exception("a message could not be decoded; it counts as malformed, reason internal")
            return self._refuse(parts, MalformedMessage("internal", f"{type(error).__name__}: {error}"))
        if not isinstance(frame, Frame):
            return frame is not None and self._pass_on(frame)
        frame.arrived = clock
        self._shape, self._dtype = frame.shape, frame.dtype
        self.largest = max(self.largest, frame.nbytes)
        self.ledger.book_frame(frame.frame_id, frame.nbytes - frame.unpacked, clock)
        held = False
        for offer in self._offers:
            if offer(frame, now):
                held = True
        if self.writers:
            self._group.append(frame)
            keeps_memory = frame.nbytes > SMALL and not isinstance(frame.payloads[0], RingImage)
            if (keeps_memory or len(self._group) >= GROUP_FRAMES) and self._hand_over():
                held = True
        return held

    def _refuse(self, parts: Sequence[Any], error: MalformedMessage) -> bool:
        """Count a malformed message, and forward it where that is asked for; whether an output blocks now."""
        passing = Passing(parts, sum(map(size_of, parts)))
        self.ledger.book_malformed(error.reason, passing.nbytes)
        self.last_malformed = str(error)
        return self._repeat_malformed and self._repeat(passing)

    def _repeat(self, passing: Passing) -> bool:
        """Offer a message without an image to all streams; whether one of them wants the loop's attention."""
        held = False
        for stream in self.streams.values():
            if stream.pass_on(passing):
                held = True
        return held

    def _hand_over(self) -> bool:
        """Offer to the writers what came for them; whether one of them holds up the input."""
        if not self._group:
            return False
        now = time.monotonic()
        frames, self._group = self._group, []
        held = False
        for writer in self.writers.values():
            if writer.admit(frames, now):
                held = True
        return held

    def _pass_on(self, message: SeriesStart | SeriesEnd | NoImage) -> bool:
        """Hand a message without an image to all streams; whether an output blocks now."""
        passing = Passing(message.parts, sum(map(size_of, message.parts)), kind_of(message))
        held = self._hand_over()
        if self._repeat(passing):
            held = True
        self.ledger.book_other(passing.kind, passing.nbytes)
        now = time.monotonic()
        if isinstance(message, SeriesStart):
            self.ledger.gaps.begin_series(images_of(message))
            for writer in self.writers.values():
                if writer.begin_series(message, now):
                    held = True
        elif isinstance(message, SeriesEnd):
            self.ledger.gaps.end_series()
            for writer in self.writers.values():
                writer.end_series(message, now)
        return held

    def _keep_last(self) -> None:
        """Keep the last frame of the streams that pictures are made of."""
        shown = {picture.stream for picture in self._configuration.pictures.values()}
        for stream in self.streams.values():
            stream.keep(self._last_frames.of(stream.name) if stream.name in shown else None)

    def _open(
        self,
        tell: Callable[[Notice], None],
        wake: Callable[[], None],
        lane: Lane | None,
        merge: Merge | None,
    ) -> None:
        configuration = self._configuration
        for name, config in configuration.streams.items():
            if config.enable:
                slot = configuration.slots[f"streams.{name}"]
                transport: Transport
                step: Step | None
                if lane is not None and name in lane.streams:
                    transport = LaneTransport(lane.number, name, config, self._context, self._expected)
                    step = Enveloping()
                else:
                    transport = open_transport(name, config, self._context, expected=self._expected)
                    step = step_of(config, self._first_writer)
                self.streams[slot] = StreamOutput(name, config, transport, step, wake)
        for name, writer_config in configuration.writers.items():
            if writer_config.enable:
                slot = configuration.slots[f"writers.{name}"]
                self.writers[slot] = WriterOutput(
                    slot=slot,
                    name=name,
                    config=writer_config,
                    source=configuration.source,
                    received=self.ledger,
                    tell=tell,
                    wake=wake,
                )
        # Last, so that no frame comes before there is somewhere to go.
        self.source = open_source(configuration.source, self._context, self._expected)
        if merge is not None:
            self.source = self._merged = MergedSource(self.source, merge, configuration.source.id_step)
        self._paced = self.source if isinstance(self.source, PacedSource) else None

    def _first_writer(self) -> WriterConfig:
        configuration = self._configuration
        for name, writer in configuration.writers.items():
            if configuration.slots[f"writers.{name}"] == 1:
                return writer
        return WriterConfig()


def _configured_bytes(source: SourceConfig) -> int:
    """Size of an image in bytes where the configuration says it, else 0."""
    if source.image_type == "any":
        return 0
    return source.image_height * source.image_width * np.dtype(source.image_type).itemsize
