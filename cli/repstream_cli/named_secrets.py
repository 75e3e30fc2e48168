"""What `repstream keys` and `repstream tokens` share: how they are grouped and listed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the list as JSON.")]
Listed = tuple[Mapping[str, object], str]
"""The fields of one in JSON, `name` among them, and what people read behind the name."""


def group(name: str) -> typer.Typer:
    """The word that comes before `create`, `list` and so on."""
    return typer.Typer(name=name, no_args_is_help=True, add_completion=False, rich_markup_mode="rich")


def show(found: Sequence[Listed], as_json: bool, nothing: str) -> None:
    """Print a list; `nothing` is what people read in place of an empty one."""
    if as_json:
        typer.echo(json.dumps([fields for fields, _ in found], indent=2))
        return
    width = max((len(str(fields["name"])) for fields, _ in found), default=0)
    for fields, rest in found:
        typer.echo(f"{fields['name']!s:{width}}  {rest}")
    if not found:
        typer.echo(nothing)
