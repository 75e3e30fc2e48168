"""The options of cam_server's programs, as they are called there."""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

from repstream.instances.spread.servers import is_address
from repstream.pipelines.control import Kind
from repstream.version import __version__
from repstream_http import options as http_options

FOLDERS = {
    "base": "configuration/{}_config",
    "background_base": "configuration/background_config",
    "scripts_base": "configuration/user_scripts",
}
"""Folders by option; made where they are not there, while one that is given must be there."""

LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")

_WITHOUT_EFFECT = {
    "mode": "-m",
    "web_server": "-w",
    "web_server_args": "-a",
    "epics_timeout": "-e",
    "background_files_days_to_live": "-l",
}
"""Options of the original that mean nothing here; taken so that start scripts work as they are."""


@dataclass(frozen=True, slots=True)
class Program:
    """One of the programs: what it serves, and whether it is a server, a manager or a worker."""

    name: str
    kind: Kind
    port: int
    text: str
    manages: bool = False
    keeps: bool = True
    cam_server: str = "http://0.0.0.0:8888"


def parser_of(program: Program) -> argparse.ArgumentParser:
    """The options of a program."""
    parser = argparse.ArgumentParser(
        prog=program.name,
        description=program.text,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("-p", "--port", type=_port, default=program.port, help="port of the REST interface")
    add("-i", "--interface", default="0.0.0.0", help="address that it listens on")
    add("-n", "--hostname", default="", help="host in the addresses of streams; this host's name if empty")
    if program.kind == "pipeline":
        add("-c", "--cam_server", default=program.cam_server, help="address of the camera server")
        add("--root", type=Path, default=Path(), help="folder below which pipelines write files (mode FILE)")
    if program.keeps:
        base = Path(FOLDERS["base"].format(program.kind))
        add("-b", "--base", type=Path, default=base, help="folder of the configurations")
    backgrounds, scripts = Path(FOLDERS["background_base"]), Path(FOLDERS["scripts_base"])
    add("-g", "--background_base", type=Path, default=backgrounds, help="folder of the backgrounds")
    add(
        "-u", "--scripts_base", type=Path, default=scripts, help="folder of the scripts, libraries in its lib"
    )
    add("--allow-scripts", action="store_true", help="take scripts over REST; they run as this server's user")
    if program.manages:
        text = "servers that run the instances, separated by commas, where servers.json names none; this one"
        add("-s", "--servers", type=_servers, default=(), help=text)
    for name, short in _WITHOUT_EFFECT.items():
        add(short, f"--{name}", help=argparse.SUPPRESS)
    _front_ends(parser, program)
    http_options.add_to(parser)
    add("--log_level", choices=LEVELS, default="WARNING", help="log level")
    add("--version", action="version", version=__version__)
    return parser


def _front_ends(parser: argparse.ArgumentParser, program: Program) -> None:
    """Options for control systems, which the original has none of."""
    title = f"the {program.kind}s of the configuration folder in control systems"
    add = parser.add_argument_group(title).add_argument
    add("--tango", action="store_true", help="serve each as a Tango device")
    add("--tango-port", type=_port, default=9601, help="port of the Tango server without a database")
    add("--tango-database", action="store_true", help="use and register in the database at TANGO_HOST")
    add("--tango-instance", default=f"{program.kind}s", help="instance of the Tango server in the database")
    add("--epics", action="store_true", help="serve each as EPICS PVs")
    add("--epics-port", type=_port, default=5064, help="port of the EPICS server")
    add("--epics-prefix", default="$(ENGINE):", help="beginning of PV names; $(ENGINE) is the name of each")
    add(
        "--pva",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="serve them and their pictures over PV Access as well; without it, if that is installed",
    )
    add("--pva-port", type=_port, default=5075, help="its port; a free one where that is taken")
    add("--only", action="append", metavar="NAME", help="show this one and no others; may be repeated")


def level(name: str) -> int:
    """The log level of this name."""
    return logging.getLevelNamesMapping()[name]


def folder(parser: argparse.ArgumentParser, given: Path, option: str) -> Path:
    """The folder of an option; ends the program where it was given and is not there."""
    if given == parser.get_default(option):
        given.mkdir(parents=True, exist_ok=True)
    elif not given.is_dir():
        parser.error(f"--{option}: {given} is not a folder: make it first")
    return given.absolute()


def _servers(text: str) -> tuple[str, ...]:
    found = tuple(each.strip().rstrip("/") for each in text.split(",") if each.strip())
    for each in found:
        if not is_address(each):
            raise argparse.ArgumentTypeError(f"{each!r} is no address of a server, such as http://host:8880")
    return found


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 1 to 65535")
    return int(text)
