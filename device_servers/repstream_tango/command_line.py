"""The options of `repstream-tango`, and how another program starts it."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from repstream.errors import RegistrationError
from repstream.link.attach import DEFAULT_ADDRESS
from repstream.parameters.catalogue import Catalogue, Group
from repstream_tango.names import REPEATER_CLASS, SERVER, SLOT_CLASSES, WRITER_CLASS

DEFAULT_PORT = 9601
"""TCP port without a database; with one, Tango takes a free port unless --port is given."""

READY_LINE = "Ready to accept request"
"""What the server prints on a line of its own when its devices answer."""

DEVICE_NAME = re.compile(r"[^\s/:#]+/[^\s/:#]+/[^\s/:#]+")

NO_REPEATERS: Mapping[str, str] = MappingProxyType({})

EPILOG = """\
examples:
  repstream-tango --nodb
      without a database: tango://127.0.0.1:9601/repstream/repeater/1#dbase=no
  repstream-tango beamline --register
      enter the instance "beamline" and its devices into the database, and serve
  repstream-tango beamline
      serve what the database says of this instance (as Starter does)
  repstream-tango 1 -nodb -dlist RepStream::bl/rep/1,HDF5Writer::bl/writer/1 -ORBendPoint giop:tcp::9601 -v4
      Tango's own options are understood too: -?, -nodb, -dlist, -ORBendPoint, -host, -port, -v4
"""


GIOP = re.compile(r"giop:tcp:(\[.*\]|[^:]*):(\d*)")
"""An end point as omniORB has it: ``giop:tcp:host:port``, each of which may be left out."""


@dataclass(frozen=True)
class Device:
    """A device of a server: its Tango class, its name ``domain/family/member``, and its engine's address.

    Without an address it is that of the server.
    """

    tango_class: str
    name: str
    engine: str = ""


def parser() -> argparse.ArgumentParser:
    """The options; see `--help`."""
    options = argparse.ArgumentParser(
        prog=SERVER,
        description="Tango devices RepStream and HDF5Writer of a running repstream engine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("instance", nargs="?", default="1", help="instance of the server (default: 1)")
    add(
        "--engine",
        default=DEFAULT_ADDRESS,
        metavar="ADDRESS",
        help="address of the engine (default: %(default)s)",
    )
    where = options.add_mutually_exclusive_group()
    where.add_argument("--nodb", action="store_true", help="run without a Tango database")
    where.add_argument(
        "--database",
        metavar="HOST:PORT",
        help="Tango database (default: TANGO_HOST; without that, as --nodb)",
    )
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add(
        "--port", type=_port, help=f"port to listen on (default: {DEFAULT_PORT} with --nodb, else a free one)"
    )
    add("--register", action="store_true", help="enter the devices into the database first")
    add(
        "--repeater",
        type=_repeater,
        metavar="DEVICE[=ADDRESS]",
        action="append",
        help="name of a RepStream device, and of its engine's address where the server shows several engines"
        " of one kind (default: repstream/repeater/1)",
    )
    add(
        "--devices",
        type=Path,
        metavar="FILE",
        help="JSON object of the RepStream devices and the addresses of their engines, in the place of"
        " --repeater; devices come and go with what it says",
    )
    add(
        "--writer",
        type=_device_name,
        metavar="DEVICE",
        action="append",
        help="name of an HDF5Writer device, once for each; its slot is the number at its end"
        " (default: repstream/writer/1, one for each slot)",
    )
    add(
        "--device",
        type=_device,
        metavar="CLASS::DEVICE",
        action="append",
        default=[],
        help="a device of any other class that the server has, once for each",
    )
    add(
        "--alias",
        type=_alias,
        metavar="DEVICE=ALIAS",
        action="append",
        default=[],
        help="short name of a device in the database, entered with --register; once for each",
    )
    add(
        "--only-devices",
        action="store_true",
        help="no other devices than those of --device (as Tango's -dlist)",
    )
    add(
        "-v",
        dest="verbose",
        nargs="?",
        const="4",
        metavar="LEVEL",
        help="Tango's own log on the console, 1 to 5",
    )
    return options


def from_tango(arguments: Sequence[str]) -> list[str]:
    """Tango's own way of writing options in ours: ``-nodb``, ``-dlist A::b/c/1``, ``-ORBendPoint …``, ``-?``.

    Raises `RegistrationError` for a value that cannot be used. What is not Tango's stays as it is.
    """
    found: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        name, equals, given = argument.partition("=")
        if name in SAME:
            found += [SAME[name], *([given] if equals else [])]
        elif name == "-ORBendPoint":
            found += _end_point(next(rest, ""))
        elif name == "-dlist":
            found += [part for device in next(rest, "").split(",") for part in ("--device", device.strip())]
            found.append("--only-devices")
        else:
            found.append(argument)
    return found


SAME = {
    "-?": "--help",
    "-nodb": "--nodb",
    "-host": "--host",
    "-port": "--port",
}


def _end_point(text: str) -> list[str]:
    match = GIOP.fullmatch(text)
    if match is None:
        raise RegistrationError(f"-ORBendPoint {text!r} is no end point such as giop:tcp:host:port")
    host, port = match[1].strip("[]") or "0.0.0.0", match[2]
    return ["--host", host, *(["--port", port] if port else [])]


def devices(
    repeaters: Sequence[Device] | None, writers: Sequence[str] | None, catalogue: Catalogue
) -> list[Device]:
    """The devices of a server: one repeater, and a writer for each slot unless they are named.

    Where none are named, each stream and picture has a device, too.
    """
    found = list(repeaters or [Device(REPEATER_CLASS, "repstream/repeater/1")])
    found += [Device(WRITER_CLASS, name) for name in writers or _of_slots(catalogue, Group.WRITER)]
    if not repeaters and not writers:
        for group in (Group.STREAM, Group.PICTURE):
            found += [Device(SLOT_CLASSES[group], name) for name in _of_slots(catalogue, group)]
    return found


def _of_slots(catalogue: Catalogue, group: str) -> list[str]:
    return [f"repstream/{catalogue.groups[group].singular}/{slot}" for slot in catalogue.slots(group)]


def command_line(
    engine: str = DEFAULT_ADDRESS,
    instance: str = "1",
    *,
    database: str = "",
    register: bool = False,
    host: str = "127.0.0.1",
    port: int = 0,
    repeaters: Mapping[str, str] = NO_REPEATERS,
    writers: Sequence[str] = (),
    more: Sequence[str] = (),
    devices_file: Path | None = None,
) -> list[str]:
    """What starts the server as a process of its own, attached to the engine at `engine`.

    `repeaters` gives a device of each name to the engine of its own address; empty: that of the server.
    `more`: devices of other classes, such as ``LimaCCDs::bl/lima/1``. `devices_file` says which devices there
    are in the place of `repeaters`, and is followed.
    Without `database` (``host:port``) it runs without one. It serves once it has printed
    `READY_LINE`, and SIGTERM ends it with status 0.
    """
    line = [sys.executable, "-m", "repstream_tango.server", instance, "--engine", engine, "--host", host]
    line += ["--database", database] if database else ["--nodb"]
    line += ["--register"] * register + ["--port", str(port)] * bool(port)
    for repeater, address in repeaters.items():
        line += ["--repeater", f"{repeater}={address}" if address else repeater]
    line += ["--devices", str(devices_file)] if devices_file is not None else []
    line += [part for device in more for part in ("--device", device)]
    return line + [part for writer in writers for part in ("--writer", writer)]


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65536:
        raise argparse.ArgumentTypeError(f"{port} is no port: 1 to 65535")
    return port


def _repeater(text: str) -> Device:
    name, _, address = text.rpartition("=")
    if "://" not in address:
        name, address = text, ""
    return Device(REPEATER_CLASS, _device_name(name), address)


def _device(text: str) -> Device:
    tango_class, separator, name = text.partition("::")
    if not separator or not tango_class:
        raise argparse.ArgumentTypeError(f"{text!r} must be a class and a name, such as MyClass::a/b/1")
    return Device(tango_class, _device_name(name))


def _alias(text: str) -> tuple[str, str]:
    device, separator, alias = text.partition("=")
    if not separator or not alias or "/" in alias:
        raise argparse.ArgumentTypeError(f"{text!r} must be a device and its alias, such as a/b/1=detector")
    return _device_name(device), alias


def _device_name(text: str) -> str:
    if not DEVICE_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no device name: it has three parts, domain/family/member"
        )
    return text
