"""`camera_server`, `camera_manager` and `camera_worker`, with cam_server's options."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import typer

from repstream_cli.cam_server import arguments
from repstream_cli.cam_server.running import Listening, run
from repstream_http.compat.cam_server import build


def camera_server(
    *,
    port: arguments.Port = 8888,
    interface: arguments.Interface = "0.0.0.0",
    base: arguments.Base = arguments.CAMERA_CONFIG,
    background_base: arguments.BackgroundBase = arguments.BACKGROUNDS,
    scripts_base: arguments.ScriptsBase = arguments.SCRIPTS,
    hostname: arguments.Hostname = "",
    allow_scripts: arguments.AllowScripts = False,
    mode: arguments.Unused = "",
    web_server: arguments.WebServer = "",
    web_server_args: arguments.WebServerArguments = "",
    log_level: arguments.LogLevel = "WARNING",
    version: arguments.Version = False,
) -> None:
    """Serve the streams of cameras, which run while somebody listens, and their configurations."""
    listening = Listening("camera_server", interface, port, hostname)
    folders = (base, background_base, scripts_base)
    raise typer.Exit(_serve(listening, folders, log_level, allow_scripts=allow_scripts))


def camera_manager(
    *,
    port: arguments.Port = 8888,
    interface: arguments.Interface = "0.0.0.0",
    servers: arguments.Servers = "",
    base: arguments.Base = arguments.CAMERA_CONFIG,
    background_base: arguments.BackgroundBase = arguments.BACKGROUNDS,
    scripts_base: arguments.ScriptsBase = arguments.SCRIPTS,
    hostname: arguments.Hostname = "",
    allow_scripts: arguments.AllowScripts = False,
    web_server: arguments.WebServer = "",
    web_server_args: arguments.WebServerArguments = "",
    log_level: arguments.LogLevel = "WARNING",
    version: arguments.Version = False,
) -> None:
    """Serve cameras as camera_server does, with permanent ones and the routes of a manager."""
    listening = Listening("camera_manager", interface, port, hostname)
    folders = (base, background_base, scripts_base)
    raise typer.Exit(_serve(listening, folders, log_level, allow_scripts=allow_scripts, manages=True))


def camera_worker(
    *,
    port: arguments.Port = 8880,
    interface: arguments.Interface = "0.0.0.0",
    background_base: arguments.BackgroundBase = arguments.BACKGROUNDS,
    scripts_base: arguments.ScriptsBase = arguments.SCRIPTS,
    hostname: arguments.Hostname = "",
    mode: arguments.Unused = "",
    web_server: arguments.WebServer = "",
    web_server_args: arguments.WebServerArguments = "",
    epics_timeout: arguments.EpicsTimeout = "",
    log_level: arguments.LogLevel = "WARNING",
    version: arguments.Version = False,
) -> None:
    """Serve cameras that are configured over REST; configurations are gone when it ends."""
    with tempfile.TemporaryDirectory(prefix="camera_worker-") as configurations:
        folders = (Path(configurations), background_base, scripts_base)
        code = _serve(Listening("camera_worker", interface, port, hostname), folders, log_level)
    raise typer.Exit(code)


def _serve(
    listening: Listening,
    folders: tuple[Path, Path, Path],
    log_level: str,
    *,
    allow_scripts: bool = False,
    manages: bool = False,
) -> int:
    ended = threading.Event()
    base, backgrounds, scripts = folders
    settings = build.Settings(
        configurations=arguments.folder(base, arguments.CAMERA_CONFIG, "--base"),
        backgrounds=arguments.folder(backgrounds, arguments.BACKGROUNDS, "--background_base"),
        scripts=arguments.folder(scripts, arguments.SCRIPTS, "--scripts_base"),
        data=Path.cwd(),
        allow_scripts=allow_scripts,
        manager=listening.address if manages else "",
        end=ended.set,
    )
    return run(
        listening,
        lambda launcher: build.camera_server(settings, launcher),
        arguments.level(log_level),
        ended,
    )


def server() -> None:
    """Entry point of `camera_server`."""
    typer.run(camera_server)


def manager() -> None:
    """Entry point of `camera_manager`."""
    typer.run(camera_manager)


def worker() -> None:
    """Entry point of `camera_worker`."""
    typer.run(camera_worker)
