"""What stands between the source and an output and changes frames on their way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from repstream.dataplane.reused_memory import ReusedMemory
from repstream.dataplane.workers import Work
from repstream.messages import array_1_0, std_daq_frame
from repstream.messages.conversion import ALL, Array, Bsread, Format
from repstream.messages.frame import Frame
from repstream.messages.header import header_of, size_of
from repstream.parameters.header_columns import parse_channels
from repstream.parameters.run_id import as_given
from repstream.parameters.stream import StreamConfig
from repstream.parameters.writer import WriterConfig


class Step(Protocol):
    """Makes the frame that goes on from one that came. Called in the order of the frames, from one thread.

    A step sees frames only: other messages do not pass it. It has no clock and no output but its
    result, so it may as well run in a process that consumes one stream and provides another.
    """

    def __call__(self, frame: Frame) -> Frame | Work | None:
        """The frame that goes on, or None where the step does not know its format. `frame` stays as it is.

        What takes long is handed back as `Work`, for other threads than the loop's. Raises
        `MalformedMessage` with the reason for which a frame cannot go on.
        """


class StdDetWriterHeader:
    """Headers for an external std-det-writer, numbered from 0; array-1.0 is all that it knows.

    `settings` gives the settings of the writer that it stands for, which may change.
    """

    def __init__(self, settings: Callable[[], WriterConfig]) -> None:
        self._settings = settings
        self._number = -1

    def __call__(self, frame: Frame) -> Frame | None:
        if frame.format != array_1_0.HTYPE:
            return None
        self._number += 1
        writer = self._settings()
        header = array_1_0.std_det_writer_header(
            header_of(frame.parts),
            self._number,
            output_file=writer.output_file,
            run_id=as_given(writer.run_id),
            n_images=writer.num_images,
            detector_name=writer.detector_name,
            user_id=writer.user_id,
        )
        parts = [header, *frame.parts[1:]]
        return msgspec.structs.replace(frame, parts=parts, nbytes=sum(map(size_of, parts)))


class Converting:
    """Frames in another format; where pixels are packed or unpacked, that is work for other threads."""

    def __init__(self, format: Format) -> None:
        self._format = format
        self._memory = ReusedMemory()

    def __call__(self, frame: Frame) -> Frame | Work:
        payload = self._format.payload(frame)
        if payload is None:
            return Work(frame.frame_id, frame.nbytes, lambda: self._packed(frame))
        return self._made(frame, payload)

    def _packed(self, frame: Frame) -> Frame:
        return self._made(frame, self._format.packed(frame, self._memory))

    def _made(self, frame: Frame, payload: Any) -> Frame:
        parts = self._format.parts(frame, payload)
        return msgspec.structs.replace(frame, parts=parts, nbytes=sum(map(size_of, parts)), unpacked=0)


def for_ring_buffer(frame: Frame) -> Frame | None:
    """The frame as a ring buffer takes it: metadata, and the bytes for the slot."""
    parts = std_daq_frame.encoded(frame)
    if parts is None:
        return None
    return msgspec.structs.replace(frame, parts=parts, nbytes=sum(map(size_of, parts)), unpacked=0)


def step_of(config: StreamConfig, settings: Callable[[], WriterConfig]) -> Step | None:
    """The step that a stream is configured to have; `settings` are those of writer 1."""
    if config.address.startswith("ring://"):
        return for_ring_buffer
    match config.format:
        case "array-1.0":
            return Converting(Array())
        case "bsread":
            channels = ALL if config.attribute_channels == ALL else parse_channels(config.attribute_channels)
            return Converting(Bsread(config.channel, config.compression, config.pulse_id, channels))
    return StdDetWriterHeader(settings) if config.header == "std_det_writer" else None
