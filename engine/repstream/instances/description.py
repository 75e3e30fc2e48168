"""What is known about an instance."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from repstream.parameters import curve
from repstream.pipelines.configurations import Configuration as Configuration
from repstream.pipelines.control import Folders as Folders
from repstream.pipelines.control import Kind as Kind
from repstream.pipelines.control import LogRecord as LogRecord
from repstream.pipelines.control import Statistics as Statistics


class StreamPlace(NamedTuple):
    """The address of a stream, and the name of the key that encrypts it, empty where none does."""

    address: str
    key: str = ""


class InstanceInfo(msgspec.Struct, frozen=True):
    """One instance at one moment.

    `input_address` is where a fan-in takes messages, empty for others. `started` is the Unix time of the
    last start. `camera_geometry` is width and height as streamed, None for a pipeline and before the first
    image. `message` says what is wrong with an instance that runs
    all the same (a function that fails, a source that is silent), empty where nothing is.
    """

    name: str
    kind: Kind
    stream_address: str
    input_address: str
    is_stream_active: bool
    started: float
    config: dict[str, Any]
    camera_name: str = ""
    read_only: bool = False
    camera_geometry: tuple[int, int] | None = None
    statistics: Statistics = Statistics()
    message: str = ""

    @property
    def place(self) -> StreamPlace:
        """Where its stream can be received."""
        return StreamPlace(self.stream_address, str(self.config.get(curve.KEY) or ""))
