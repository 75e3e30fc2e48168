"""`std_det_writer` and `std_det_meta_writer_gf`: they write the files that the driver orders."""

from __future__ import annotations

import logging
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Annotated

import typer

from repstream.dataplane.storing.metadata_part import write_metadata
from repstream.dataplane.storing.part import write_part
from repstream.dataplane.storing.part_service import PartService
from repstream.errors import Refused
from repstream.garbage_collection import spare_frames
from repstream.logs import log_to_stderr
from repstream_cli.exits import Exit
from repstream_cli.interrupt import until_interrupted
from repstream_cli.std_daq import arguments
from repstream_cli.std_daq.detector import Detector, load

log = logging.getLogger(__name__)


def det_writer(
    config: arguments.Config,
    writer_id: Annotated[int, typer.Argument(min=0, help="Number of this writer, from 0.")],
    source_suffix: arguments.Suffix = "image",
    version: arguments.Version = False,
) -> None:
    """Write every nth image of each acquisition of the driver, from this number on.

    A number that is number_of_writers or more ends at once, without error.
    """
    log_to_stderr()
    detector = load(config, source_suffix)
    if writer_id >= detector.number_of_writers:
        log.info("writer %d: number_of_writers is %d", writer_id, detector.number_of_writers)
        raise typer.Exit
    raise typer.Exit(_serve(detector, str(writer_id), write_part))


def det_meta_writer(
    config: arguments.Config,
    source_suffix: arguments.Suffix = "image",
    version: arguments.Version = False,
) -> None:
    """Write the metadata of all images of each acquisition of the driver (its option -m)."""
    log_to_stderr()
    raise typer.Exit(_serve(load(config, source_suffix), "meta", write_metadata))


def _serve(detector: Detector, name: str, work: Callable[[Connection], None]) -> Exit:
    spare_frames()
    with until_interrupted() as stop:
        try:
            service = PartService(detector.socket(name), work)
        except Refused as error:
            typer.echo(str(error), err=True)
            return Exit.USAGE
        log.info("waiting for the driver at %s", detector.socket(name))
        stop.wait()
        service.close()
    return Exit.OK


def main() -> None:
    """Entry point of the console script std_det_writer."""
    typer.run(det_writer)


def main_of_metadata() -> None:
    """Entry point of the console script std_det_meta_writer_gf."""
    typer.run(det_meta_writer)
