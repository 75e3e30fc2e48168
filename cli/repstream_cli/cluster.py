"""`repstream cluster`: several hosts that write one acquisition, by the addresses of their engines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from repstream.cluster import acquisition
from repstream.cluster.acquisition import Request
from repstream.cluster.cluster import Cluster
from repstream.cluster.member import Look, Progress
from repstream.files import gaps
from repstream.files.host_files import Joined
from repstream.link.attach import addresses_of
from repstream_cli.cluster_ray import ray
from repstream_cli.exits import Exit
from repstream_cli.interrupt import until_interrupted
from repstream_cli.progress import ProgressLine
from repstream_cli.status import number

cluster = typer.Typer(
    name="cluster",
    help="Write one acquisition on several hosts.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)

Engines = Annotated[
    list[str],
    typer.Option(
        "--engine",
        "-e",
        envvar="REPSTREAM_ENGINES",
        help="host=tcp://address:9600, repeated; the k-th has the images with id % N == k.",
        show_default=False,
    ),
]
Key = Annotated[str, typer.Option(envvar="REPSTREAM_KEY", help="Key of the engines' addresses.")]
Writer = Annotated[str, typer.Option(help="Name of the writer that takes part on every host.")]
Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the engines' answers.")]
File = Annotated[Path, typer.Argument(help="The file that shows all images.", show_default=False)]
Images = Annotated[int, typer.Option("--images", "-n", min=1, help="Number of images.", show_default=False)]
FirstId = Annotated[int, typer.Option(min=0, help="Id of the first image.")]


cluster.add_typer(ray)


@cluster.callback()
def _of() -> None:
    """Write one acquisition on several hosts: each writes its share of the images, one file shows all."""


@cluster.command()
def status(
    engine: Engines,
    key: Key = "",
    writer: Writer = "main",
    timeout: Timeout = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show each host: what it does, its load, since when it runs; one that is unreachable is shown so.

    Exit codes: 0 all well, 1 one is unreachable, in ERROR or losing frames, 2 wrong usage.

    [bold]Example[/bold]

      repstream cluster status -e north=tcp://north:9600 -e south=tcp://south:9600
    """
    with Cluster(_addresses(engine), key, writer) as attached:
        attached.wait_reachable(timeout)
        looks = attached.look()
    shown = json.dumps([_as_dict(look) for look in looks], indent=2) if as_json else "\n".join(lines(looks))
    typer.echo(shown)
    raise typer.Exit(Exit.OK if all(look.is_well for look in looks) else Exit.FAULTS)


@cluster.command()
def acquire(
    file: File,
    images: Images,
    engine: Engines,
    *,
    first_id: FirstId = 0,
    run_id: Annotated[str, typer.Option(help="Label of the run.")] = "",
    idle_timeout: Annotated[
        float | None, typer.Option(min=0, help="End if no image comes for this time, in seconds.")
    ] = None,
    patience: Annotated[float, typer.Option(min=1, help="Seconds after which a silent host is lost.")] = 10,
    key: Key = "",
    writer: Writer = "main",
    timeout: Timeout = 3,
) -> None:
    """Write one acquisition on all hosts, and make the file that shows all its images.

    All hosts begin or none does. It says when all wait for images; Ctrl-C stops all and makes the file of
    what came. The folder of the file must be the same on all hosts and here.

    Exit codes: 0 all images are there, 1 refused, or a host failed, or images are missing, 2 wrong usage, 4
    stopped early.

    [bold]Example[/bold]

      repstream cluster acquire /data/scan.h5 -n 1000 -e north=tcp://north:9600 -e south=tcp://south:9600
    """
    request = Request(file.absolute(), images, first_id, run_id, idle_timeout)
    with Cluster(_addresses(engine), key, writer) as attached, until_interrupted() as interrupted:
        attached.wait_reachable(timeout)
        going = attached.begin(request)
        typer.echo(f"all {len(engine)} hosts wait for the images {first_id} to {first_id + images - 1}")
        now: list[Progress] = []
        line = ProgressLine(lambda: ", ".join(f"{each.host} {each.written}" for each in now))
        is_stopped = False

        def look(progress: Sequence[Progress]) -> None:
            nonlocal is_stopped
            now[:] = progress
            line.tick()
            if interrupted.is_set() and not is_stopped:
                is_stopped = True
                going.stop()

        ended = going.wait(on_look=look, patience=patience)
        line.finish(show=True)
        _report(ended, going.join(ended))


@cluster.command()
def stop(engine: Engines, key: Key = "", writer: Writer = "main", timeout: Timeout = 3) -> None:
    """Stop the writer on every host; what was received is written.

    Exit codes: 0 every host took it, 1 one did not, 2 wrong usage.
    """
    with Cluster(_addresses(engine), key, writer) as attached:
        attached.wait_reachable(timeout)
        failed = attached.stop()
    for host, why in failed.items():
        typer.echo(f"{host}: {why}", err=True)
    raise typer.Exit(Exit.FAULTS if failed else Exit.OK)


@cluster.command()
def join(file: File, images: Images, engine: Engines, first_id: FirstId = 0) -> None:
    """Make the file that shows all images, if acquire could not: from what the hosts have written.

    The engines are not asked; their names say which files there are. Exit codes as those of acquire.
    """
    request = Request(file.absolute(), images, first_id)
    ended = acquisition.ended_in_files(request, list(_addresses(engine)))
    _report(ended, acquisition.join(request, ended, {}))


def lines(looks: Sequence[Look]) -> list[str]:
    """Each host in a line or two."""
    found = []
    for look in looks:
        engine, source, writer, newest = look.engine, look.source, look.writer, look.newest
        if not look.reachable:
            found.append(f"{look.name} at {look.address}: UNREACHABLE; {engine.status}")
            continue
        found.append(
            f"{look.name} at {look.address}: {engine.state}{', losing frames' if engine.losing else ''}, "
            f"engine {engine.name} on {engine.host}, up {engine.uptime:.0f} s"
            f"{f', start {engine.starts}' if engine.starts else ''}; received "
            f"{number(source.rate)} Hz, {number(source.throughput)} MB/s, missing {source.missing}"
        )
        found.append(
            f"  writer {writer.name}: {writer.state}, {number(writer.disk_rate)} MB/s to the disk, "
            f"{number(writer.free_space)} GB free"
            + (
                f"; {newest.full_file_name}: {newest.acq_state}, {newest.num_written} of "
                f"{newest.num_requested or 'any number of'} images"
                if newest.acquisition_id
                else ""
            )
        )
    return found


def _as_dict(look: Look) -> dict[str, object]:
    found: dict[str, object] = {"name": look.name, "address": look.address, "reachable": look.reachable}
    groups = {"engine": look.engine, "source": look.source, "writer": look.writer, "acquisition": look.newest}
    return found | {name: group.model_dump(mode="json") for name, group in groups.items()}


def _report(ended: Sequence[Progress], made: Joined) -> None:
    outcome, message = acquisition.outcome_of(ended)
    for share in made.shares:
        typer.echo(f"  {share.host}: {share.written} images in {share.file}, missing {share.missing}")
    missing = gaps.count(made.missing_ids)
    typer.echo(f"{made.path}: {made.written} of {made.count} images; {outcome}: {message}")
    if missing:
        typer.echo(f"  missing ids: {gaps.as_text(made.missing_ids, 1000)}")
    if outcome in ("interrupted", "aborted"):
        raise typer.Exit(Exit.CUT_SHORT)
    raise typer.Exit(Exit.FAULTS if missing or outcome != "completed" else Exit.OK)


def _addresses(engines: Sequence[str]) -> Mapping[str, str]:
    try:
        return addresses_of(engines)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--engine") from error
