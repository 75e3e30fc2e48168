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


MOST_READS, MOST_CHANGES = 1000.0, 100.0

_OPTIONS: Mapping[str, _Option] = {
    "read_token": _Option(
        "--http-read-token",
        "REPSTREAM_HTTP_READ_TOKEN",
        str,
        "TOKEN",
        "Token needed for reading over HTTP; give it in the environment, arguments can be read by all users.",
    ),
    "change_token": _Option(
        "--http-change-token",
        "REPSTREAM_HTTP_CHANGE_TOKEN",
        str,
        "TOKEN",
        "Token needed for changes over HTTP.",
    ),
    "read_only": _Option(
        "--http-read-only", "REPSTREAM_HTTP_READ_ONLY", bool, "", "Refuse all changes over HTTP."
    ),
    "tokens": _Option(
        "--http-tokens",
        "REPSTREAM_HTTP_TOKENS",
        Path,
        "FILE",
        "File of named tokens (repstream tokens), read again when it has changed; everything then needs one.",
    ),
    "open_reading": _Option(
        "--http-open-reading",
        "REPSTREAM_HTTP_OPEN_READING",
        bool,
        "",
        "With --http-tokens: everybody may read, tokens are for changes.",
    ),
    "most_reads": _Option(
        "--http-max-reads",
        "REPSTREAM_HTTP_MAX_READS",
        float,
        "HZ",
        "Requests a second that one address may send to read; 0: any number. This host is not limited.",
    ),
    "most_changes": _Option(
        "--http-max-changes",
        "REPSTREAM_HTTP_MAX_CHANGES",
        float,
        "HZ",
        "Requests a second that one address may send to change something; 0: any number.",
    ),
    "tls_certificate": _Option(
        "--tls-certificate",
        "REPSTREAM_TLS_CERTIFICATE",
        Path,
        "FILE",
        "Certificate and its chain (PEM): serve HTTPS with it. Renewed files are used without a restart.",
    ),
    "tls_key": _Option(
        "--tls-key",
        "REPSTREAM_TLS_KEY",
        Path,
        "FILE",
        "Private key of the certificate (PEM, no pass phrase).",
    ),
}

_DEFAULTS: Mapping[str, Any] = {
    "read_token": "",
    "change_token": "",
    "most_reads": MOST_READS,
    "most_changes": MOST_CHANGES,
}


def option(name: str, *flags: str) -> Any:
    """An option for a command of typer's; its default stands in the signature. `flags`: other than usual."""
    declared = _OPTIONS[name]
    return typer.Option(
        *(flags or (declared.flag,)),
        envvar=declared.variable,
        metavar=declared.metavar or None,
        help=declared.text,
    )


def add_to(parser: argparse.ArgumentParser) -> None:
    """All of them for a parser of argparse's; what is not given is in the environment, or the default."""
    group = parser.add_argument_group("security of HTTP")
    for name, declared in _OPTIONS.items():
        text = f"{declared.text[:1].lower()}{declared.text[1:].rstrip('.')} [env: {declared.variable}]"
        found = os.environ.get(declared.variable) or None
        if declared.kind is bool:
            group.add_argument(
                declared.flag, dest=name, action="store_true", default=found in ("1", "true"), help=text
            )
        else:
            group.add_argument(
                declared.flag,
                dest=name,
                type=declared.kind,
                metavar=declared.metavar,
                default=_DEFAULTS.get(name)
                if found is None
                else found,  # a text is converted as a given one is
                help=text.replace("%", "%%"),
            )


def given(namespace: argparse.Namespace) -> dict[str, Any]:
    """What was given of them, by the names of `Protection.of`."""
    return {name: getattr(namespace, name) for name in _OPTIONS}
