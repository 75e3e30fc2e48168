"""`repstream version`."""

from __future__ import annotations

import platform
from importlib import metadata

import typer

from repstream.version import __version__
from repstream_cli.front_ends import installed

DISTRIBUTIONS = {"tango": "pytango", "epics": "caproto", "http": "fastapi"}


def version() -> None:
    """Show the version, and which front ends are installed."""
    typer.echo(f"repstream {__version__}, Python {platform.python_version()}")
    for front_end, distribution in DISTRIBUTIONS.items():
        found = (
            f"{distribution} {metadata.version(distribution)}" if installed(front_end) else "not installed"
        )
        typer.echo(f"  {front_end:6} {found}")
