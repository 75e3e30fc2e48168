"""`repstream panel`: windows for operators, imported when they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repstream.parameters.catalogue import build
from repstream_cli.exits import Exit
from repstream_cli.front_ends import imported
from repstream_cli.panel_epics import epics

panel = typer.Typer(
    name="panel",
    help="Make or open panels: Taurus, Phoebus, PyDM, Grafana.",
    no_args_is_help=True,
    add_completion=False,
)

REPEATER = "tango://127.0.0.1:9601/repstream/repeater/1#dbase=no"


@panel.callback()
def _of() -> None:
    """Make or open panels, from what the engine declares: Taurus, Phoebus, PyDM, Grafana."""


@panel.command()
def tango(
    device: Annotated[
        str, typer.Argument(help="The RepStream device; the panel finds the writers of its server.")
    ] = REPEATER,
) -> None:
    """Open the Taurus panel of a Tango server: state, streams, writers, rates and live pictures.

    Exit codes: 0 the window was closed, 1 there is no such device, 2 wrong usage.

    [bold]Examples[/bold]

      repstream panel tango
      repstream panel tango repstream/repeater/1
    """
    raise typer.Exit(Exit(imported("repstream_panels.tango.main", "panels").run(device)))


@panel.command()
def grafana(
    file: Annotated[Path, typer.Argument(help="Where the dashboard is written.")] = Path(
        "repstream-grafana.json"
    ),
) -> None:
    """Write a dashboard for Grafana: states, losses, rates, queues, and durations of writes and flushes.

    An existing file is overwritten. Import it into Grafana under Dashboards, New, Import.

    [bold]Examples[/bold]

      repstream panel grafana
      repstream panel grafana /var/lib/grafana/dashboards/repstream.json
    """
    imported("repstream_panels.grafana.dashboard", "http").write(file, build())
    typer.echo(f"import {file} in Grafana")


panel.command()(epics)
