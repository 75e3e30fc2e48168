"""The one output of an instance: a stream with its queue, as the repeater's streams have it."""

from __future__ import annotations

from typing import Any

import zmq

from repstream.dataplane.outputs import StreamOutput
from repstream.dataplane.transport import open_transport
from repstream.errors import InvalidValue, PortTakenError, Refused
from repstream.parameters.camera import CameraSettings
from repstream.parameters.pipeline import PipelineSettings
from repstream.parameters.stream import StreamConfig
from repstream.pipelines.control import Folders
from repstream.pipelines.encryption import curve
from repstream.pipelines.file_output import open_file
from repstream.policies.slow_consumer import SlowRule

NOWHERE = Folders()
MOST_QUEUED = 1_000_000
LARGE = 8 << 20
"""Bytes that a PUSH socket takes a message to have, so that it holds few; others wait in the queue."""


def open_output(
    settings: CameraSettings | PipelineSettings,
    port: int,
    context: zmq.Context[zmq.Socket[bytes]],
    connect_to: str = "",
    folders: Folders = NOWHERE,
) -> StreamOutput:
    """The output: bound to a port, connected to an address, or a file.

    Raises `PortTakenError`, `InvalidValue`; nothing stays open then.
    """
    if isinstance(settings, PipelineSettings) and settings.mode == "FILE":
        config = stream_config(settings.model_copy(update={"mode": "PUSH"}), f"tcp://*:{port}")
        return StreamOutput("output", config, open_file(settings, folders))
    config = stream_config(settings, connect_to or f"tcp://*:{port}")
    try:
        expected = LARGE if config.mode == "PUSH" else 0
        transport = open_transport("output", config, context, connect=bool(connect_to), expected=expected)
    except Refused as error:
        if connect_to:
            raise InvalidValue("output_stream", error.reason) from error
        raise PortTakenError(f"port {port} is taken: {error.reason}") from error
    return StreamOutput("output", config, transport)


def stream_config(settings: CameraSettings | PipelineSettings, address: str) -> StreamConfig:
    """A stream with the mode, the queue and the rule that the settings ask for."""
    mode = mode_of(settings)
    rule, length = SlowRule.DROP_OLDEST, settings.queue_size
    if isinstance(settings, PipelineSettings) and settings.buffer_size:
        length = settings.buffer_size
    elif mode == "PUSH":
        blocks = not isinstance(settings, PipelineSettings) or settings.block
        rule = SlowRule.BLOCK if blocks else SlowRule.DROP_NEWEST
    fields: dict[str, Any] = {
        "address": address,
        "mode": mode,
        "on_slow": rule,
        "buffer_size": min(length, MOST_QUEUED),
        **curve(settings),
    }
    return StreamConfig.model_validate(fields)


def mode_of(settings: CameraSettings | PipelineSettings) -> str:
    """The socket of the output: PUB or PUSH."""
    if isinstance(settings, CameraSettings):
        return "PUB"
    if settings.mode is not None:
        return settings.mode
    connects = settings.output_stream or settings.output_pipeline
    return "PUSH" if connects or settings.pipeline_type in ("store", "fanout") else "PUB"
