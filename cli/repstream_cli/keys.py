"""`repstream keys`: make, list, exchange, rotate and remove the keys of encrypted ZMQ sockets (CURVE)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repstream.sockets.keys import FOLDER_VARIABLE, SECRET, Key, Keys
from repstream_cli.exits import Exit
from repstream_cli.named_secrets import AsJson, group, show

Name = Annotated[str, typer.Argument(help="Name of the key, such as detector or daq.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        envvar=FOLDER_VARIABLE,
        metavar="FOLDER",
        help="Folder of the keys; that of `repstream serve --settings FILE` is keys beside FILE.",
        show_default="~/.config/repstream/keys",
    ),
]

keys = group("keys")


@keys.callback()
def _group() -> None:
    """Make, list, exchange, rotate and remove keys of encrypted ZMQ sockets (CURVE).

    Each side has a key pair of its own and knows the other's public key. Parameters, options and logs carry
    names only. A secret key stays in its file, which nobody but its owner may read.

    [bold]Example[/bold], a detector host and an engine host:

      detector$ repstream keys create detector
      engine$   repstream keys create engine
      engine$   repstream keys add detector '<what detector$ repstream keys show detector prints>'
      detector$ repstream keys add engine '<what engine$ repstream keys show engine prints>'
    """


@keys.command()
def create(name: Name, folder: Folder = None) -> None:
    """Make a key pair, and print its public key for the other side.

    A name that is taken is refused; `repstream keys rotate` makes another pair under it.
    """
    _say_public(Keys(folder).create(name), folder)


@keys.command("list")
def listed(folder: Folder = None, as_json: AsJson = False) -> None:
    """List all names: whether the pair is ours, and the public key.

    Exit codes: 0 all well, 1 others may read a secret key.
    """
    known = Keys(folder)
    found = list(known)
    exposed = [key.name for key in found if known.is_exposed(key.name)]
    show(
        [(_fields(key), f"{'pair  ' if key.own else 'public'}  {key.public}") for key in found],
        as_json,
        f"no keys in {known.place}; `repstream keys create NAME` makes a pair",
    )
    for name in exposed:
        path = known.place / f"{name}{SECRET}"
        typer.echo(
            f"others may read {path}: chmod 600 {path}; if somebody may have, `repstream keys rotate {name}`",
            err=True,
        )
    raise typer.Exit(Exit.FAULTS if exposed else Exit.OK)


@keys.command("show")
def shown(name: Name, folder: Folder = None) -> None:
    """Print the public key of a name, which may be known to everybody."""
    typer.echo(Keys(folder).public(name).decode())


@keys.command()
def add(
    name: Name,
    public: Annotated[str, typer.Argument(metavar="KEY", help="Public key, as the other side shows it.")],
    folder: Folder = None,
) -> None:
    """Keep somebody's public key under a name."""
    Keys(folder).add(name, public)
    typer.echo(f"{name} is known; name it in curve_peers, or in an option that takes names of keys")


@keys.command()
def rotate(name: Name, folder: Folder = None) -> None:
    """Make another key pair under a name, and print its public key; the former pair is gone.

    Connections that are open stay so. The other side needs the new public key (`repstream keys remove`, then
    `add`) before the next one; a socket of ours has the new pair when it is opened next: after the repeater's
    stop and start, or at the next start of the program.
    """
    _say_public(Keys(folder).rotate(name), folder)


@keys.command()
def remove(name: Name, folder: Folder = None) -> None:
    """Remove a name and its keys: whoever has that key can no longer connect."""
    Keys(folder).remove(name)
    typer.echo(f"{name} is forgotten; connections that are open stay so")


def _fields(key: Key) -> dict[str, object]:
    return {"name": key.name, "own": key.own, "public": key.public}


def _say_public(key: Key, folder: Path | None) -> None:
    typer.echo(key.public)
    typer.echo(
        f"the public key of {key.name}: `repstream keys add {key.name} '{key.public}'` on the other side; "
        f"the secret one stays in {Keys(folder).place / key.name}{SECRET}",
        err=True,
    )
