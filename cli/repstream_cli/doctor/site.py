"""What is examined: a machine, and what is to run there or runs there already."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from repstream.parameters.configuration import Configuration
from repstream_cli.doctor.machine import Machine
from repstream_cli.doctor.plan import Plan


@dataclass(frozen=True, slots=True)
class Listener:
    """A port that is to be listened on: by what, and the option of `repstream serve` that takes another."""

    what: str
    host: str
    port: int
    option: str
    udp: bool = False


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """What a running engine says of itself; `ahead`: its clock against ours, in seconds."""

    name: str
    state: str
    losing: bool
    last_error: str
    version: str
    host: str
    here: bool
    ahead: float
    source_connected: bool
    link_problem: str


LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where certificate, private key, tokens and the keys of sockets are; which address is listened on.

    `has_token`: whether servers have a token besides those in the file.
    """

    certificate: Path | None = None
    key: Path | None = None
    tokens: Path | None = None
    keys: Path | None = None
    host: str = LOOPBACK
    has_token: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """What the checks look at. `listeners` is empty where an engine runs already, which holds its ports."""

    machine: Machine = field(default_factory=Machine)
    configuration: Configuration = field(default_factory=Configuration)
    roots: tuple[Path, ...] = ()
    listeners: tuple[Listener, ...] = ()
    plan: Plan | None = None
    engine: RunningEngine | None = None
    pvs: tuple[str, ...] = ()
    timeout: float = 2.0
    secrets: Secrets = field(default_factory=Secrets)
