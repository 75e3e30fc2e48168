"""`repstream tokens`: make, list, rotate and remove the tokens of HTTP servers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from repstream import private_file
from repstream_cli.exits import Exit
from repstream_cli.named_secrets import AsJson, group, show
from repstream_http.tokens import Token, TokenFile

Name = Annotated[
    str, typer.Argument(help="Whose token it is; the log names it beside what was done with it.")
]
File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        "-f",
        envvar="REPSTREAM_HTTP_TOKENS",
        help="File of the tokens, which servers are given as --http-tokens.",
        show_default="~/.config/repstream/tokens.json",
    ),
]

tokens = group("tokens")


@tokens.callback()
def _group() -> None:
    """Make, list, rotate and remove tokens of HTTP servers.

    The file holds names, rights and digests, no tokens. Servers that were given it (--http-tokens) read it
    again whenever it has changed: no restart is needed.

    [bold]Examples[/bold]

      repstream tokens create anna --may change
      repstream tokens create grafana --may read
      repstream tokens rotate anna --overlap 24
    """


@tokens.command()
def create(
    name: Name,
    may: Annotated[
        Literal["read", "change"], typer.Option(help="read, or change, which includes reading.")
    ] = "change",
    days: Annotated[float, typer.Option(min=0, help="Days for which it is good; 0: for ever.")] = 0,
    file: File = None,
) -> None:
    """Make a token and print it; it is shown only this once."""
    known = _file(file)
    typer.echo(known.create(name, may, days))
    typer.echo(f"the token of {name}, who may {may}; {known.path} holds its digest", err=True)


@tokens.command("list")
def listed(file: File = None, as_json: AsJson = False) -> None:
    """List the tokens: names, rights, when they were made and until when they are good."""
    known = _file(file)
    show(
        [(_fields(t), f"{t.may:6}  made {_date(t.created)}  {_until(t)}") for t in known.read()],
        as_json,
        f"no tokens in {known.path}; `repstream tokens create NAME` makes one",
    )
    raise typer.Exit(Exit.OK)


@tokens.command()
def rotate(
    name: Name,
    overlap: Annotated[float, typer.Option(min=0, help="Hours for which the former one stays good.")] = 0,
    file: File = None,
) -> None:
    """Make another token under a name, and print it; pages that used the former must log in again."""
    typer.echo(_file(file).rotate(name, overlap))
    typer.echo(f"the former token of {name} is good for {overlap:g} h more", err=True)


@tokens.command()
def remove(name: Name, file: File = None) -> None:
    """Remove a token: it is no longer accepted."""
    _file(file).remove(name)
    typer.echo(f"the token of {name} is forgotten")


def _file(given: Path | None) -> TokenFile:
    return TokenFile(given or private_file.home() / "tokens.json")


def _fields(token: Token) -> dict[str, object]:
    return {"name": token.name, "may": token.may, "created": token.created, "expires": token.expires}


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(seconds))


def _until(token: Token) -> str:
    if token.expires is None:
        return "for ever"
    word = "until" if token.expires > time.time() else "EXPIRED"
    return f"{word} {_date(token.expires)}"
