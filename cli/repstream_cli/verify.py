"""`repstream verify`: is a file complete and undamaged?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from repstream.errors import StorageError
from repstream.files import gaps
from repstream.files.verify import Findings
from repstream.files.verify import verify as look
from repstream_cli.exits import Exit
from repstream_cli.progress import ProgressLine

MOST_SHOWN = 20


def verify(
    file: Annotated[Path, typer.Argument(help="The HDF5 file.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything that was found as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress line.")] = False,
) -> None:
    """Look at every image of a file: complete, what is missing, or what is damaged.

    Files that it refers to by a virtual dataset are looked at too. Images with a checksum are compared
    with it, compressed ones without are unpacked, others must be there in full.

    Exit codes: 0 complete, 1 something is missing or damaged, 2 the file cannot be read, 4 undamaged but cut
    short: it was stopped before all images that were asked for had come.

    [bold]Examples[/bold]

      repstream verify /data/run1.h5
      repstream verify --json /data/run1.h5 | jq .missing
    """
    progress = [0, 0]

    def tick(done: int, total: int) -> None:
        progress[:] = done, total
        line.tick()

    line = ProgressLine(lambda: f"{progress[0]} of {progress[1]} images looked at", quiet)
    try:
        found = look(file, tick)
    except StorageError as error:
        line.finish()
        typer.echo(
            json.dumps({"path": str(file), "error": str(error)}) if as_json else str(error), err=not as_json
        )
        raise typer.Exit(Exit.USAGE) from error
    line.finish(show=True)
    typer.echo(json.dumps(found.as_dict()) if as_json else "\n".join(lines(found)))
    raise typer.Exit(exit_code(found))


def exit_code(found: Findings) -> Exit:
    """The verdict: damage counts more than an early end."""
    if not found.complete:
        return Exit.FAULTS
    return Exit.CUT_SHORT if found.cut_short else Exit.OK


def lines(found: Findings) -> list[str]:
    """The findings for people."""
    how = "readable" if found.checked == "readable" else f"checked by {found.checked}"
    blank = f", {found.blank} of them blank" if found.blank else ""
    files = f" in {len(found.files) - 1} files" if len(found.files) > 1 else ""
    text = [f"{found.path}: {found.images} images{files}{blank}, {how}; {found.outcome or 'no outcome'}"]
    text += [f"  {problem}" for problem in found.problems]
    if found.missing:
        text.append(f"  missing ids: {gaps.as_text(found.missing, 1000)}")
    text += [f"  image {number}: {wrong}" for number, wrong in found.damaged[:MOST_SHOWN]]
    if len(found.damaged) > MOST_SHOWN:
        text.append(f"  ... and {len(found.damaged) - MOST_SHOWN} more")
    if not found.complete:
        return [*text, "NOT complete"]
    got = found.images - found.blank
    return [*text, f"CUT SHORT: {got} of {found.requested} images" if found.cut_short else "complete"]
