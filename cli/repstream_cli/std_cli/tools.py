"""The tools: each a function whose parameters are its arguments, as `TOOLS` by name."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from repstream.errors import ToolError
from repstream_cli.std_cli import tables
from repstream_cli.std_cli.asking import ask
from repstream_cli.std_cli.bar import AcquisitionBar

ENVIRONMENT = "STD_DAQ_API_URL"
DEFAULT_URL = "http://127.0.0.1:5000"

Url = Annotated[
    str, typer.Option("--url_base", "-b", envvar=ENVIRONMENT, help="Base URL of the standard DAQ's REST API.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on a terminal too, as into a pipe.")]
OutputFile = Annotated[str, typer.Argument(help="File to write: an absolute path with an extension.")]
Images = Annotated[int, typer.Argument(help="Number of images to write.")]


def get_status(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show the writer and its acquisition."""
    _show(ask(url, "/writer/status")["writer"], tables.writer, as_json)


def get_config(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show the detector's configuration."""
    _show(ask(url, "/daq/config")["config"], tables.config, as_json)


def set_config(
    config_file: Annotated[Path, typer.Argument(help="JSON with the configuration, or what changes in it.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Change the detector's configuration, and show it."""
    try:
        document = json.loads(config_file.read_bytes())
    except OSError as error:
        raise ToolError(f"{config_file}: {error.strerror}") from error
    except ValueError as error:
        raise ToolError(f"{config_file} is not JSON: {error}") from error
    _show(ask(url, "/daq/config", document)["config"], tables.config, as_json)


def get_logs(
    n: Annotated[int, typer.Option("-n", min=0, help="Number of acquisitions.")] = 1,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show the last acquisitions that made a file, the newest first."""
    _show(ask(url, f"/daq/logs/{n}")["logs"], tables.logs, as_json)


def get_stats(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show images and bytes a second of the input and of the writer."""
    _show(ask(url, "/daq/stats")["stats"], tables.stats, as_json)


def get_deploy_status(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show how the last configuration was taken."""
    _show(ask(url, "/daq/deployment")["deployment"], tables.deployment, as_json)


def write_async(
    output_file: OutputFile, n_images: Images, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Start to write images; it goes on when this has ended."""
    _show(ask(url, "/writer/write_async", _request(output_file, n_images))["writer"], tables.writer, as_json)


def write_sync(
    output_file: OutputFile, n_images: Images, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Write images and wait until the file is closed; Ctrl-C ends the waiting, not the writing."""
    try:
        with AcquisitionBar(url, output_file, n_images):
            answer = ask(url, "/writer/write_sync", _request(output_file, n_images))
    except KeyboardInterrupt:
        raise ToolError("the acquisition goes on; std_cli_write_stop ends it", 130) from None
    _show(answer["writer"], tables.writer, as_json)


def write_stop(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """End what is written, and find a writer again that was lost."""
    _show(ask(url, "/writer/stop", {})["writer"], tables.writer, as_json)


TOOLS: dict[str, Callable[..., None]] = {
    f"std_cli_{tool.__name__}": tool
    for tool in (
        get_config,
        get_deploy_status,
        get_logs,
        get_stats,
        get_status,
        set_config,
        write_async,
        write_stop,
        write_sync,
    )
}


def run(name: str, arguments: list[str]) -> int:
    """Run a tool; returns the exit code."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(context_settings={"help_option_names": ["-h", "--help"]})(TOOLS[name])
    try:
        app(arguments, prog_name=name)
    except ToolError as error:
        typer.echo(f"{name}: {error}", err=True)
        return error.code
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _request(output_file: str, n_images: int) -> dict[str, Any]:
    return {"output_file": output_file, "n_images": n_images}


def _show(answer: Any, table: Callable[[Any], Any], as_json: bool) -> None:
    """A table on a terminal, elsewhere the JSON that the standard DAQ's own tools print."""
    if as_json or not sys.stdout.isatty():
        print(json.dumps(answer, indent=2))
    else:
        Console().print(table(answer))
