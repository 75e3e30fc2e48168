"""Options that cam_server's programs share, as they are called there."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from repstream_cli.std_daq.arguments import Version as Version

CAMERA_CONFIG = Path("configuration/camera_config")
PIPELINE_CONFIG = Path("configuration/pipeline_config")
BACKGROUNDS = Path("configuration/background_config")
SCRIPTS = Path("configuration/user_scripts")
"""Folders that are made where they are not there; one that is given must be there."""

Port = Annotated[int, typer.Option("--port", "-p", min=1, max=65535, help="Port of the REST interface.")]
Interface = Annotated[str, typer.Option("--interface", "-i", help="Address that it listens on.")]
Hostname = Annotated[
    str,
    typer.Option(
        "--hostname", "-n", help="Host in the addresses of streams.", show_default="this host's name"
    ),
]
Base = Annotated[Path, typer.Option("--base", "-b", help="Folder of the configurations.")]
BackgroundBase = Annotated[Path, typer.Option("--background_base", "-g", help="Folder of the backgrounds.")]
ScriptsBase = Annotated[
    Path, typer.Option("--scripts_base", "-u", help="Folder of the user scripts, libraries in its lib.")
]
CamServer = Annotated[str, typer.Option("--cam_server", "-c", help="Address of the camera server.")]
AllowScripts = Annotated[
    bool,
    typer.Option(
        "--allow-scripts",
        help="Take scripts and libraries over the network. They run as the user of this server.",
    ),
]
Root = Annotated[Path, typer.Option("--root", help="Folder below which pipelines write files (mode FILE).")]
Servers = Annotated[
    str,
    typer.Option(
        "--servers", "-s", help="Kept for clients that ask for it: instances are processes of this host."
    ),
]
LogLevel = Annotated[
    str, typer.Option("--log_level", help="Log level: CRITICAL, ERROR, WARNING, INFO or DEBUG.")
]
Unused = Annotated[str, typer.Option("--mode", "-m", hidden=True)]
WebServer = Annotated[str, typer.Option("--web_server", "-w", hidden=True)]
WebServerArguments = Annotated[str, typer.Option("--web_server_args", "-a", hidden=True)]
EpicsTimeout = Annotated[str, typer.Option("--epics_timeout", "-e", hidden=True)]
DaysToLive = Annotated[str, typer.Option("--background_files_days_to_live", "-l", hidden=True)]
"""Options of the original that have no meaning here; taken so that start scripts work as they are."""

LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")


def level(name: str) -> int:
    """The log level of this name; refuses others."""
    if name not in LEVELS:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(LEVELS)}", param_hint="--log_level")
    return logging.getLevelNamesMapping()[name]


def folder(given: Path, default: Path, option: str) -> Path:
    """The folder that is given, which must be there, or the default one, which is made."""
    if given == default:
        given.mkdir(parents=True, exist_ok=True)
    elif not given.is_dir():
        raise typer.BadParameter(f"{given} is not a folder: make it first", param_hint=option)
    return given.absolute()
