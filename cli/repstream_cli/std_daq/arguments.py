"""The arguments that all services take, and what is new in ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repstream_cli.std_daq.detector import show_version

Config = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="JSON document of the detector.", show_default=False)
]
Suffix = Annotated[
    str,
    typer.Option(
        "--source_suffix", "-s", help="The ring buffer and its metadata are named <detector_name>-<suffix>."
    ),
]
Slots = Annotated[
    int,
    typer.Option(
        "--ring_slots",
        min=0,
        max=1_000_000,
        help="Slots of the ring buffer; 0: 1000, or as many as ram_buffer_gb has room for.",
    ),
]
EngineAddress = Annotated[
    str, typer.Option("--engine_address", help="Where `repstream status` and front ends find this engine.")
]
Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=show_version, is_eager=True, expose_value=False, help="Show the version."
    ),
]
