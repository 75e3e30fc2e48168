"""Which front ends are installed."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import typer

NEEDS = {"tango": "tango", "epics": "caproto", "pva": "p4p", "http": "fastapi", "redis": "redis"}
"""The library that each front end needs; the extra of this package has the front end's name."""


def installed(front_end: str) -> bool:
    """Whether the library that a front end needs is there."""
    return importlib.util.find_spec(NEEDS[front_end]) is not None


def imported(module: str, extra: str) -> Any:
    """A module that needs this extra; raises `typer.BadParameter`, which says so, without it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise typer.BadParameter(
            f"{error.name} is not installed; install it with pip install 'repstream[{extra}]'"
        ) from error
