"""`repstream demo`: everything at once, on this machine, with a detector that is not there."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from repstream.errors import RepstreamError
from repstream.logs import FORMAT
from repstream.sources.images import Images
from repstream_cli.demo import hints, place, setup
from repstream_cli.demo.live import LiveStatus
from repstream_cli.demo.setup import DemoOptions, Ports
from repstream_cli.exits import Exit
from repstream_cli.front_ends import installed
from repstream_cli.interrupt import until_interrupted
from repstream_cli.progress import ProgressLine
from repstream_cli.requester import requester
from repstream_cli.sizes import size as parse_size
from repstream_cli.stack import Stack

PATIENCE = 30.0
"""Seconds without a new image after which the acquisition is given up."""


def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End after the acquisition, with an exit code.")
    ] = False,
    rate: Annotated[float, typer.Option("--rate", "-r", min=0.1, help="Frames a second.")] = 20,
    size: Annotated[
        Any, typer.Option(parser=parse_size, metavar="HxW", help="Height and width of the images.")
    ] = "1200x2016",
    images: Annotated[int, typer.Option("--images", "-n", min=1, help="Images of the acquisition.")] = 100,
    folder: Annotated[Path, typer.Option(help="Folder of the files; created if its parent exists.")] = Path(
        "demo-data"
    ),
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove the demo's file at the end, if it was correct.")
    ] = False,
    any_ports: Annotated[
        bool, typer.Option("--any-ports", help="Take free ports instead of the usual ones.")
    ] = False,
) -> None:
    """Show everything: simulated detector, engine, Tango, EPICS and HTTP, one acquisition.

    It starts the acquisition through Tango, watches it through EPICS and
    HTTP, checks the file against what was sent, and says what to try. It
    needs no Tango or EPICS installation and stays on this machine. Files that
    are in the folder are left alone; its own have the next free number.

    Exit codes: 0 the file holds what was sent, 1 something went wrong.

    [bold]Examples[/bold]

      repstream demo
      repstream demo --once --rate 100 --images 500
    """
    for front_end in ("tango", "epics", "http"):
        if not installed(front_end):
            raise typer.BadParameter("the demo shows all front ends: pip install 'repstream[all]'")
    folder = folder.absolute()
    try:
        name = place.take(folder)
    except OSError as error:
        raise typer.BadParameter(f"--folder {folder}: {error.strerror}") from error
    options = DemoOptions(folder, name, size, rate, images, any_ports)
    logging.basicConfig(filename=options.log, level=logging.INFO, format=FORMAT)
    with until_interrupted() as stop:
        try:
            code = run(options, once, stop)
        except (RepstreamError, OSError) as error:
            typer.echo(f"repstream demo: {error}\nthe log {options.log} may say more", err=True)
            code = Exit.FAULTS
    if remove and code == Exit.OK:
        options.file.unlink()
        options.log.unlink()
    raise typer.Exit(code)


def run(options: DemoOptions, once: bool, stop: threading.Event) -> Exit:
    """The whole demo; everything that it starts has ended when it returns."""
    with ExitStack() as running:
        with setup.alone():
            chosen = setup.choose_ports(options.any_ports)
            typer.echo(f"the page: http://{setup.HOST}:{chosen.http}/ (in a moment)")
            stack = start(options, chosen, running)
        code = acquire(stack, options, stop)
        if not once and not stop.is_set():
            stay(stack, options, chosen, stop)
        typer.echo("ending")
    typer.echo("all processes have ended")
    return code


def start(options: DemoOptions, chosen: Ports, running: ExitStack) -> Stack:
    """Start everything; `running` ends it."""
    for child, what in (
        (setup.database(chosen), "Tango database"),
        (setup.detector(options, chosen), "simulated detector"),
    ):
        typer.echo(f"starting the {what}")
        running.enter_context(child)
    typer.echo("starting the engine with the Tango, EPICS and HTTP servers")
    stack = running.enter_context(Stack(setup.stack_options(options, chosen)))
    stack.service.execute("engine.start", None, requester("demo"))
    return stack


def acquire(stack: Stack, options: DemoOptions, stop: threading.Event) -> Exit:
    """One acquisition and the check of its file."""
    from repstream_cli.demo.acquisition import Acquisition  # noqa: PLC0415 - needs extras
    from repstream_cli.demo.check import check_file  # noqa: PLC0415

    file = options.file
    outcome = Acquisition(stack, file, options.images).run(stop, PATIENCE)
    if stop.is_set():
        typer.echo("interrupted before the acquisition was complete", err=True)
        return Exit.FAULTS
    if outcome.complaint:
        typer.echo(f"the acquisition went wrong: {outcome.complaint}", err=True)
        return Exit.FAULTS
    checked = 0

    def tick(n: int) -> None:
        nonlocal checked
        checked = n
        line.tick()

    line = ProgressLine(lambda: f"checking {checked} of {options.images} images")
    complaint = check_file(file, options.images, Images(options.shape, "uint16"), tick)
    line.finish(show=True)
    if complaint:
        typer.echo(f"{file} is wrong: {complaint}", err=True)
        return Exit.FAULTS
    typer.echo(f"{outcome.message} All {options.images} images are what was sent: {file}")
    return Exit.OK


def stay(stack: Stack, options: DemoOptions, chosen: Ports, stop: threading.Event) -> None:
    """Show what to try, then how it goes, until `stop`."""
    typer.echo("\n" + "\n".join(hints.lines(stack, options, chosen)))
    typer.echo("Ctrl-C ends everything.")
    line = ProgressLine(LiveStatus(stack.service))
    while not stop.wait(0.2):
        stack.tend()
        line.tick()
    line.finish()
