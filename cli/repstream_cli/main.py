"""The command line: `repstream --help`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from repstream.errors import RepstreamError
from repstream_cli.exits import Exit
from repstream_cli.lazy import LazyCommand, Place

PASSED_ON: Mapping[str, Any] = {
    "context_settings": {
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "help_option_names": list[str](),
    },
    "add_help_option": False,
}
"""Settings of a command that hands all its arguments on."""

COMMANDS: Mapping[str, Place] = {
    "demo": Place(
        "repstream_cli.demo.command",
        "demo",
        "Show everything: simulated detector, engine, Tango, EPICS and HTTP, one acquisition.",
    ),
    "serve": Place(
        "repstream_cli.serve",
        "serve",
        "Run one engine with Tango, EPICS and HTTP on it, until Ctrl-C or SIGTERM.",
    ),
    "status": Place(
        "repstream_cli.status",
        "status",
        "Show the state of an engine, its streams and its writers; of several engines a table.",
    ),
    "cluster": Place("repstream_cli.cluster", "cluster", "Write one acquisition on several hosts."),
    "doctor": Place(
        "repstream_cli.doctor.command",
        "doctor",
        "Check this machine, and say what to do about each problem.",
    ),
    "simulate": Place(
        "repstream_cli.simulate",
        "simulate",
        "Send frames as a detector does: synthetic images, recorded messages, or the images of a file.",
    ),
    "consume": Place(
        "repstream_cli.consume",
        "consume",
        "Receive a stream: count frames, gaps and faults, show rates, keep the messages if asked to.",
    ),
    "look": Place(
        "repstream_cli.look",
        "look",
        "Look at one image of any stream: print what is counted in it, save it, open silx view.",
    ),
    "follow": Place(
        "repstream_cli.follow",
        "follow",
        "Follow a file while it is written: images, rate, last id; ends when the file is finished.",
    ),
    "verify": Place(
        "repstream_cli.verify",
        "verify",
        "Look at every image of a file: complete, what is missing, or what is damaged.",
    ),
    "keys": Place(
        "repstream_cli.keys",
        "keys",
        "Make, list, exchange, rotate and remove keys of encrypted ZMQ sockets (CURVE).",
    ),
    "tokens": Place(
        "repstream_cli.tokens", "tokens", "Make, list, rotate and remove tokens of HTTP servers."
    ),
    "std-tools": Place(
        "repstream_cli.std_cli.scripts",
        "std_tools",
        "Make the standard DAQ's tools (std_cli_get_status and so on) in a folder.",
    ),
    "version": Place(
        "repstream_cli.version", "version", "Show the version, and which front ends are installed."
    ),
    "ioc": Place(
        "repstream_cli.epics",
        "ioc",
        "Serve engines as EPICS PVs, as repstream-ioc does; `repstream ioc --help` shows its options.",
        PASSED_ON,
    ),
    "pvs": Place(
        "repstream_cli.epics",
        "pvs",
        "List the PVs of an IOC as names, table, archiver's JSON or database; see `repstream pvs --help`.",
        PASSED_ON,
    ),
    "cameras": Place(
        "repstream_cli.instances",
        "cameras",
        "List, start, change and stop cameras of a camera server; read their logs.",
    ),
    "pipelines": Place(
        "repstream_cli.instances",
        "pipelines",
        "List, start, change and stop pipelines of a pipeline server; read their logs.",
    ),
    "panel": Place("repstream_cli.panel", "panel", "Make or open panels: Taurus, Phoebus, PyDM, Grafana."),
}


class Commands(TyperGroup):
    """The commands above, each imported when it is used."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: LazyCommand(name, place) for name, place in COMMANDS.items()}


app = typer.Typer(
    name="repstream",
    cls=Commands,
    help="Repeat, watch and write the images of X-ray detectors, from Tango, EPICS and HTTP at once.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        COMMANDS["version"].load()()
        raise typer.Exit


@app.callback()
def _is_a_group(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help=COMMANDS["version"].summary),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except (RepstreamError, OSError) as error:  # the user's or the system's; a fault of ours shows itself
        typer.echo(f"repstream: {error}", err=True)
        sys.exit(Exit.FAULTS)


if __name__ == "__main__":
    main()
