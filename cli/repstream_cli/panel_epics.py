"""`repstream panel epics`: displays for Phoebus or PyDM, written from the catalogue."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from repstream.parameters.catalogue import build
from repstream_cli.front_ends import imported

_SIZE = re.compile(r"([1-9]\d{0,5})x([1-9]\d{0,5})")


def epics(
    folder: Annotated[Path, typer.Argument(help="Where the displays are written; made if need be.")] = Path(
        "repstream-panels"
    ),
    *,
    prefix: Annotated[str, typer.Option(help="Beginning of all PV names.")] = "X:REPSTREAM:",
    areadetector: Annotated[
        str,
        typer.Option(
            metavar="PREFIX", help="Prefix of areaDetector's PVs, for a panel of them.", show_default="none"
        ),
    ] = "",
    program: Annotated[
        str, typer.Option("--for", metavar="phoebus|pydm", help="Program that shows them: .bob or .ui files.")
    ] = "phoebus",
    image_size: Annotated[
        str,
        typer.Option(metavar="WIDTHxHEIGHT", help="Size of the images, in whose pixels regions are drawn."),
    ] = "2048x2048",
) -> None:
    """Write displays for Phoebus or PyDM: an overview, a stream, a writer, a picture with its regions.

    Existing files are overwritten. The picture is shown over PV Access (serve --pva), all else over
    Channel Access.

    [bold]Examples[/bold]

      repstream panel epics
      repstream panel epics --for pydm && pydm repstream-panels/overview.ui
      repstream panel epics /screens/repstream --prefix X12SA:REPSTREAM: --image-size 1030x1064
    """
    match = _SIZE.fullmatch(image_size)
    if match is None:
        raise typer.BadParameter("must be like 2048x2048", param_hint="--image-size")
    files = imported("repstream_panels.epics.files", "epics")
    if program not in list(files.Program):
        raise typer.BadParameter(f"must be {' or '.join(files.Program)}", param_hint="--for")
    size = int(match[1]), int(match[2])
    written = files.write(folder, build(), prefix, size, areadetector, program=files.Program(program))
    also = ", ".join(path.name for path in written[1:])
    typer.echo(f"open {written[0]} in {program}, which also finds {also} there")
