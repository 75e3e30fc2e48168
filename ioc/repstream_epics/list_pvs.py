"""`repstream pvs`: the PVs that an IOC serves, for other programs."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Annotated

import typer

from repstream.errors import EngineUnreachable
from repstream.link.attach import addresses_of, attached
from repstream.logs import log_to_stderr
from repstream_epics.listing import Format, listing
from repstream_epics.options import Engines, Key, Prefix
from repstream_epics.server import PREFIX, IocServer
from repstream_epics.views import chosen

log = logging.getLogger(__name__)

JOIN_TIME = 2.0


def run(
    engines: Engines = None,
    *,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="names; csv: with record, unit, limits, choices, title; archiver: JSON for the Archiver "
            "Appliance; db: records for a softIoc.",
        ),
    ] = Format.NAMES,
    prefix: Prefix = PREFIX,
    areadetector: Annotated[
        str, typer.Option(metavar="PREFIX", help="List areaDetector's view too.", show_default="not listed")
    ] = "",
    key: Key = "",
) -> None:
    """List the PVs of an IOC, which need not run.

    Where an engine does not answer, its usual PVs are listed.
    """
    log_to_stderr()
    try:
        addresses = addresses_of(engines or ())
        with ExitStack() as stack:
            found = stack.enter_context(attached(addresses, key, "epics"))
            for engine in found.values():
                try:
                    engine.wait_connected(JOIN_TIME)
                except EngineUnreachable as error:
                    log.warning("%s; listing the usual PVs", error)
            ioc = IocServer(found, prefix, views=chosen(areadetector))
            typer.echo(listing(ioc.channels, form), nl=False)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
