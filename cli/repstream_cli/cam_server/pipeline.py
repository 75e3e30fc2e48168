"""`pipeline_server`, `pipeline_manager` and `pipeline_worker`, with cam_server's options."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import typer

from repstream.instances.saved.camera_server import CameraServer
from repstream_cli.cam_server import arguments
from repstream_cli.cam_server.running import Listening, run
from repstream_http.compat.cam_server import build


def pipeline_server(
    *,
    cam_server: arguments.CamServer = "http://0.0.0.0:8888",
    port: arguments.Port = 8889,
    interface: arguments.Interface = "0.0.0.0",
    base: arguments.Base = arguments.PIPELINE_CONFIG,
    background_base: arguments.BackgroundBase = arguments.BACKGROUNDS,
    scripts_base: arguments.ScriptsBase = arguments.SCRIPTS,
    hostname: arguments.Hostname = "",
    allow_scripts: arguments.AllowScripts = False,
    root: arguments.Root = Path(),
    mode: arguments.Unused = "",
    web_server: arguments.WebServer = "",
    web_server_args: arguments.WebServerArguments = "",
    log_level: arguments.LogLevel = "WARNING",
    version: arguments.Version = False,
) -> None:
    """Serve pipelines: what is computed of a camera's images, as streams and files."""
    listening = Listening("pipeline_server", interface, port, hostname)
    folders = (base, background_base, scripts_base, root)
    raise typer.Exit(_serve(listening, cam_server, folders, log_level, allow_scripts=allow_scripts))


def pipeline_manager(
    *,
    cam_server: arguments.CamServer = "http://0.0.0.0:8888",
    port: arguments.Port = 8889,
    interface: arguments.Interface = "0.0.0.0",
    servers: arguments.Servers = "",
    base: arguments.Base = arguments.PIPELINE_CONFIG,
    background_base: arguments.BackgroundBase = arguments.BACKGROUNDS,
    background_files_days_to_live: arguments.DaysToLive = "",
    scripts_base: arguments.ScriptsBase = arguments.SCRIPTS,
    hostname: arguments.Hostname = "",
    allow_scripts: arguments.AllowScripts = False,
    root: arguments.Root = Path(),
    web_server: arguments.WebServer = "",
    web_server_args: arguments.WebServerArguments = "",
    log_level: arguments.LogLevel = "WARNING",
    version: arguments.Version = False,
) -> None:
    """Serve pipelines as pipeline_server does, with permanent ones and the routes of a manager."""
    listening = Listening("pipeline_manager", interface, port, hostname)
    folders = (base, background_base, scripts_base, root)
    code = _serve(listening, cam_server, folders, log_level, allow_scripts=allow_scripts, manages=True)
    raise typer.Exit(code)


def pipeline_worker(
    *,
    cam_server: arguments.CamServer = "http://0.0.0.0:8898",
    port: arguments.Port = 8881,
    interface: arguments.Interface = "0.0.0.0",
    background_base: arguments.BackgroundBase = arguments.BACKGROUNDS,
    scripts_base: arguments.ScriptsBase = arguments.SCRIPTS,
    hostname: arguments.Hostname = "",
    root: arguments.Root = Path(),
    mode: arguments.Unused = "",
    web_server: arguments.WebServer = "",
    web_server_args: arguments.WebServerArguments = "",
    log_level: arguments.LogLevel = "WARNING",
    version: arguments.Version = False,
) -> None:
    """Serve pipelines whose configurations are given over REST; they are gone when it ends."""
    with tempfile.TemporaryDirectory(prefix="pipeline_worker-") as configurations:
        folders = (Path(configurations), background_base, scripts_base, root)
        code = _serve(Listening("pipeline_worker", interface, port, hostname), cam_server, folders, log_level)
    raise typer.Exit(code)


def _serve(
    listening: Listening,
    cam_server: str,
    folders: tuple[Path, Path, Path, Path],
    log_level: str,
    *,
    allow_scripts: bool = False,
    manages: bool = False,
) -> int:
    ended = threading.Event()
    base, backgrounds, scripts, data = folders
    try:
        cameras = CameraServer(cam_server)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--cam_server") from error
    settings = build.Settings(
        configurations=arguments.folder(base, arguments.PIPELINE_CONFIG, "--base"),
        backgrounds=arguments.folder(backgrounds, arguments.BACKGROUNDS, "--background_base"),
        scripts=arguments.folder(scripts, arguments.SCRIPTS, "--scripts_base"),
        data=data.absolute(),
        allow_scripts=allow_scripts,
        manager=listening.address if manages else "",
        end=ended.set,
    )
    return run(
        listening,
        lambda launcher: build.pipeline_server(settings, launcher, cameras),
        arguments.level(log_level),
        ended,
    )


def server() -> None:
    """Entry point of `pipeline_server`."""
    typer.run(pipeline_server)


def manager() -> None:
    """Entry point of `pipeline_manager`."""
    typer.run(pipeline_manager)


def worker() -> None:
    """Entry point of `pipeline_worker`."""
    typer.run(pipeline_worker)
