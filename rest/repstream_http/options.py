"""The options of every program that serves HTTP, declared once: for typer's commands and for argparse's."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer


@dataclass(frozen=True, slots=True)
class _Option:
    flag: str
    variable: str
    kind: type
    metavar: str
    text: str


_OPTIONS: Mapping[str, _Option] = {
    "tls_certificate": _Option(
        "--tls-certificate",
        "REPSTREAM_TLS_CERTIFICATE",
        Path,
        "FILE",
        "Certificate and its chain (PEM): serve HTTPS with it. Renewed files are taken up by themselves.",
    ),
    "tls_key": _Option(
        "--tls-key",
        "REPSTREAM_TLS_KEY",
        Path,
        "FILE",
        "Private key of the certificate (PEM, no pass phrase).",
    ),
}


def option(name: str) -> Any:
    """An option for a command of typer's; its default stands in the signature."""
    declared = _OPTIONS[name]
    return typer.Option(declared.flag, envvar=declared.variable, metavar=declared.metavar, help=declared.text)


def add_to(parser: argparse.ArgumentParser) -> None:
    """All of them for a parser of argparse's; what is not given stands in the environment, or is None."""
    group = parser.add_argument_group("security of HTTP")
    for name, declared in _OPTIONS.items():
        text = f"{declared.text[:1].lower()}{declared.text[1:].rstrip('.')} [env: {declared.variable}]"
        # A text is converted as what is given would be.
        found = os.environ.get(declared.variable) or None
        group.add_argument(
            declared.flag, dest=name, type=declared.kind, metavar=declared.metavar, help=text, default=found
        )
