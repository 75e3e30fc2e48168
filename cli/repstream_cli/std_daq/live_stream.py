"""`std_live_stream`: the images of a ring buffer as a live stream."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from repstream.errors import Refused
from repstream.logs import log_to_stderr
from repstream.parameters.configuration import Configuration
from repstream.parameters.stream import StreamConfig
from repstream.service.options import ServiceOptions
from repstream_cli.interrupt import until_interrupted
from repstream_cli.serving import run
from repstream_cli.stack import StackOptions
from repstream_cli.std_daq import arguments
from repstream_cli.std_daq.detector import Detector, load
from repstream_http.compat.std_daq.document import LiveStream, policy_parameters

QUEUE = 100
"""Messages that wait for a slow client; the oldest go."""


def live_stream(
    *,
    config: arguments.Config,
    stream_address: Annotated[str, typer.Argument(help="Address to bind, such as tcp://*:9610.")],
    stream_type: Annotated[
        Literal["array-1.0", "bsread"], typer.Option("--type", "-t", help="Format of the messages.")
    ] = "array-1.0",
    source_suffix: arguments.Suffix = "image",
    ring_slots: arguments.Slots = 0,
    engine_address: arguments.EngineAddress = "tcp://127.0.0.1:*",
    version: arguments.Version = False,
) -> None:
    """Publish the images of a ring buffer; which ones, live_stream_configs says for this address.

    An address that the document does not name gets all of them.
    """
    log_to_stderr()
    detector = load(config, source_suffix, ring_slots)
    try:
        stream = stream_of(detector, stream_address, stream_type)
        configuration = Configuration(source=detector.source, streams={"live": stream})
    except (ValueError, Refused) as error:
        raise typer.BadParameter(str(error)) from error
    options = StackOptions(
        engine=ServiceOptions(name=f"{detector.name}-live", configuration=configuration),
        engine_address=engine_address,
        tango=None,
        epics=None,
        http=None,
    )
    with until_interrupted() as stop:
        raise typer.Exit(run(options, stop, True, "std_live_stream"))


def stream_of(detector: Detector, address: str, stream_type: str) -> StreamConfig:
    """The stream at an address, with the policy that the document has for it."""
    policies = detector.document.live_stream_configs or {}
    policy = policies.get(address, LiveStream(type="forward"))
    fields: dict[str, Any] = {
        "address": address,
        "mode": "PUB",
        "format": stream_type,
        "channel": "",
        "buffer_size": QUEUE,
        "alarm_on_drop": False,
        "policy": policy.type,
        **policy_parameters(address, policy),
    }
    return StreamConfig.model_validate(fields)


def main() -> None:
    """Entry point of the console script."""
    typer.run(live_stream)
