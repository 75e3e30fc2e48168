"""`std_det_driver`: the engine of a detector, commanded over the driver's WebSocket."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repstream.logs import log_to_stderr
from repstream.parameters.configuration import Configuration
from repstream.service.options import ServiceOptions
from repstream_cli.interrupt import until_interrupted
from repstream_cli.serving import run
from repstream_cli.stack import HttpOptions, StackOptions
from repstream_cli.std_daq import arguments
from repstream_cli.std_daq.detector import load


def det_driver(
    *,
    config: arguments.Config,
    port: Annotated[
        int, typer.Option("--port", "-p", min=1, max=65535, help="Port of the WebSocket.")
    ] = 8080,
    with_metadata_writer: Annotated[
        bool,
        typer.Option(
            "--with_metadata_writer",
            "-m",
            help="std_det_meta_writer_gf writes the metadata; without it this driver does.",
        ),
    ] = False,
    source_suffix: arguments.Suffix = "image",
    ring_slots: arguments.Slots = 0,
    engine_address: arguments.EngineAddress = "tcp://127.0.0.1:9600",
    root: Annotated[
        list[Path] | None, typer.Option(help="Folder below which files may be written; may be repeated.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address that the WebSocket listens on.")] = "0.0.0.0",
    version: arguments.Version = False,
) -> None:
    """Drive the writers of a detector: number_of_writers of std_det_writer write the images in turn.

    With number_of_writers 0 this driver writes them itself. It is an
    engine like that of `repstream serve`: repstream-tango, repstream-ioc
    and repstream-http attach to it by its address.
    """
    log_to_stderr()
    detector = load(config, source_suffix, ring_slots)
    if with_metadata_writer and not detector.number_of_writers:
        raise typer.BadParameter("needs number_of_writers of 1 or more", param_hint="--with_metadata_writer")
    writer = detector.writer(metadata_service=with_metadata_writer)
    configuration = Configuration(source=detector.source, writers={"main": writer})
    options = StackOptions(
        engine=ServiceOptions(
            name=detector.name, roots=tuple(root or [Path("/")]), configuration=configuration
        ),
        engine_address=engine_address,
        host=host,
        tango=None,
        epics=None,
        http=HttpOptions(None, {"std_daq_driver": port}),
    )
    with until_interrupted() as stop:
        raise typer.Exit(run(options, stop, True, "std_det_driver"))


def main() -> None:
    """Entry point of the console script."""
    typer.run(det_driver)
