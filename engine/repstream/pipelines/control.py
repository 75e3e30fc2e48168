"""Messages between a registry and an instance's process.

The registry asks (`Request`), the instance answers each with one `Answer` and speaks on its own (`Notice`).
Both notice the death of the other by the end of the pipe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from repstream.pipe_messages import PipeMessages

Kind = Literal["camera", "pipeline"]


class Folders(msgspec.Struct, frozen=True):
    """Where instances find what configurations name; None: there is none, and names are refused.

    Backgrounds are ``<id>.npy``, scripts ``<name>`` or ``<name>.py``; what pipelines
    write lies below `data`.
    """

    backgrounds: Path | None = None
    scripts: Path | None = None
    libraries: Path | None = None
    data: Path | None = None


class Statistics(msgspec.Struct, frozen=True):
    """Figures of a running instance, some 10 times a second.

    `rx_rate`, `tx_rate` are messages a second, `throughput` bytes a second received; counts and
    `total_bytes` go from the start. `denied`: how often somebody without a key, or with a wrong one, was
    refused. `clients` are TCP connections to the output, `more_clients` those to a
    forwarder, None where there is none. `cpu` is in percent of
    one core, `memory` the bytes that no other process shares. `header_changes` counts new data headers.
    `frame_shape` is width, height and bytes of a pixel, None before the first image. `lost` counts
    messages that were received or made and not sent, by reason; `skipped` those that the configuration
    leaves out.
    """

    clients: int = 0
    more_clients: int | None = None
    rx_rate: float = 0.0
    rx_count: int = 0
    tx_rate: float = 0.0
    tx_count: int = 0
    throughput: float = 0.0
    total_bytes: int = 0
    process_id: int = 0
    cpu: float = 0.0
    memory: int = 0
    header_changes: int = 0
    frame_shape: tuple[int, int, int] | None = None
    pulse_id: int | None = None
    denied: int = 0
    lost: dict[str, int] = {}
    skipped: dict[str, int] = {}


class LogRecord(msgspec.Struct, frozen=True):
    """One line of an instance's log; `time` in Unix seconds."""

    time: float
    logger: str
    level: str
    text: str


class Specification(msgspec.Struct, frozen=True):
    """What an instance is started with: the complete configuration, and the port that its stream binds.

    `input_port` is where a fan-in binds its input, 0 for others.
    """

    name: str
    kind: Kind
    configuration: dict[str, Any]
    port: int
    input_port: int = 0
    folders: Folders = Folders()


class Reconfigure(msgspec.Struct, frozen=True, tag="reconfigure"):
    """Take another complete configuration, at once; nothing changes where the answer has a reason."""

    request: int
    configuration: dict[str, Any]


class Input(msgspec.Struct, frozen=True, tag="input"):
    """Where the stream is that a `Wanted` asked for; or the reason why it is not to be had."""

    address: str
    reason: str = ""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """End in good order: what was received is sent or written."""


Request = Reconfigure | Input | Stop


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The stream is bound and the source is open."""


class Wanted(msgspec.Struct, frozen=True, tag="wanted"):
    """The stream of a camera or (`kind`) pipeline is needed: start it if need be, and answer with `Input`.

    `entrance`: not its stream is wanted, but where it takes messages (a fan-in).
    """

    kind: Kind
    name: str
    entrance: bool = False


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """The answer to a request; empty `reason`: done. `subject` is the key that is to blame."""

    request: int
    reason: str = ""
    subject: str = ""


class Report(msgspec.Struct, frozen=True, tag="report"):
    """How the instance fares."""

    statistics: Statistics
    message: str = ""
    camera_geometry: tuple[int, int] | None = None


class Measured(msgspec.Struct, frozen=True, tag="measured"):
    """The beam in the newest image, at most ten times a second; None where there is no such number."""

    beam: dict[str, float | None]


class Logged(msgspec.Struct, frozen=True, tag="logged"):
    """A line of its log."""

    record: LogRecord


PORT = "port"
"""The key of the port of a stream: what an instance blames that finds it taken."""


class Ending(msgspec.Struct, frozen=True, tag="ending"):
    """Why it ends, just before it does; empty `reason` where it was asked to or nobody listened.

    `subject` is the key of the configuration that is to blame, empty where none is.
    """

    reason: str = ""
    subject: str = ""


Notice = Ready | Wanted | Answer | Report | Measured | Logged | Ending


requests: PipeMessages[Request] = PipeMessages(Request, enc_hook=str)
notices: PipeMessages[Notice] = PipeMessages(Notice, enc_hook=str)
specifications: PipeMessages[Specification] = PipeMessages(
    Specification, enc_hook=str, dec_hook=lambda kind, value: kind(value)
)
"""Paths are texts on the way."""
