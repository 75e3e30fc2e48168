"""What the IOC's commands are given alike: engines, the prefix of PV names, and the key of addresses."""

from __future__ import annotations

from typing import Annotated

import typer

from repstream.link.attach import DEFAULT_ADDRESS, DEFAULT_NAME

Engines = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=]ADDRESS...",
        help=f"Engines. Without a name: {DEFAULT_NAME}.",
        show_default=DEFAULT_ADDRESS,
    ),
]
Prefix = Annotated[str, typer.Option(help="Beginning of all PV names; $(ENGINE) in it is the engine's name.")]
Key = Annotated[str, typer.Option(envvar="REPSTREAM_KEY", help="Key of the engines' addresses.")]
