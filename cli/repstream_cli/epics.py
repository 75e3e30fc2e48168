"""`repstream ioc` and `repstream pvs`: programs of the EPICS front end, imported when they are called."""

from __future__ import annotations

import typer

from repstream_cli.front_ends import imported


def ioc(context: typer.Context) -> None:
    """Serve engines as EPICS PVs, as repstream-ioc does; `repstream ioc --help` shows its options."""
    _pass_on("repstream_epics.main", context)


def pvs(context: typer.Context) -> None:
    """List the PVs of an IOC as names, table, archiver's JSON or database; see `repstream pvs --help`."""
    _pass_on("repstream_epics.list_pvs", context)


def _pass_on(module: str, context: typer.Context) -> None:
    """Run the function `run` of a module with all arguments."""
    app = typer.Typer(add_completion=False)
    app.command()(imported(module, "epics").run)
    typer.main.get_command(app)(args=context.args, prog_name=context.command_path)
