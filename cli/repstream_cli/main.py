"""The command line: `repstream --help`."""

from __future__ import annotations

import sys

import typer

from repstream.errors import RepstreamError
from repstream_cli.consume import consume
from repstream_cli.demo.command import demo
from repstream_cli.doctor.command import doctor
from repstream_cli.epics import PASSED_ON, ioc, pvs
from repstream_cli.exits import Exit
from repstream_cli.follow import follow
from repstream_cli.look import look
from repstream_cli.panel import panel
from repstream_cli.serve import serve
from repstream_cli.simulate import simulate
from repstream_cli.status import status
from repstream_cli.std_cli.scripts import std_tools
from repstream_cli.verify import verify
from repstream_cli.version import version

app = typer.Typer(
    name="repstream",
    help="Repeat, watch and write the images of X-ray detectors, from Tango, EPICS and HTTP at once.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,
)
for command in (demo, serve, status, doctor, simulate, consume, look, follow, verify, std_tools, version):
    app.command()(command)
for program in (ioc, pvs):
    app.command(context_settings=PASSED_ON, add_help_option=False)(program)
app.add_typer(panel)


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except (RepstreamError, OSError) as error:  # the user's or the system's; a fault of ours shows itself
        typer.echo(f"repstream: {error}", err=True)
        sys.exit(Exit.FAULTS)


if __name__ == "__main__":
    main()
