"""`repstream std-tools`: the standard DAQ's tools as programs, where their user wants them.

std-daq-client installs programs of the same names, and of two packages the one that is installed last would
silently take the place of the other. So these come into being by a command only.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from repstream.errors import ToolError
from repstream_cli.std_cli.tools import TOOLS

MARK = "# made by repstream std-tools"


def std_tools(
    folder: Annotated[Path, typer.Argument(help="Existing folder on the PATH, such as ~/.local/bin.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of other programs of these names there.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove them from the folder instead.")] = False,
) -> None:
    """Make the standard DAQ's tools (std_cli_get_status and so on) in a folder.

    Their names, arguments and STD_DAQ_API_URL are those of std-daq-client's,
    and so is their output, as JSON, into a pipe. On a terminal they show
    tables, and how far a std_cli_write_sync is. Programs of these names that
    are in the folder already stay as they are, unless --replace is given.

    [bold]Examples[/bold]

      repstream std-tools ~/.local/bin
      repstream std-tools ~/.local/bin --remove
    """
    try:
        changed = _remove(folder) if remove else _make(folder, replace)
    except OSError as error:
        raise ToolError(f"{error.filename or folder}: {error.strerror}") from error
    typer.echo(f"{'removed' if remove else 'made'} {', '.join(changed) or 'nothing'} in {folder}")


def _make(folder: Path, replace: bool) -> list[str]:
    foreign = [name for name in TOOLS if (folder / name).exists() and not _is_ours(folder / name)]
    if foreign and not replace:
        raise ToolError(
            f"{folder} has {', '.join(foreign)} of another package, which stay; --replace replaces them"
        )
    for name in TOOLS:
        path = folder / name
        command = f'exec {shlex.quote(sys.executable)} -m repstream_cli.std_cli {name} "$@"'
        path.write_text(f"#!/bin/sh\n{MARK}\n{command}\n")
        path.chmod(0o755)
    return list(TOOLS)


def _remove(folder: Path) -> list[str]:
    ours = [name for name in TOOLS if _is_ours(folder / name)]
    for name in ours:
        (folder / name).unlink()
    return ours


def _is_ours(path: Path) -> bool:
    return path.is_file() and MARK in path.read_text(errors="replace")
