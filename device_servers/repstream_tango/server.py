"""The Tango device server of repstream, a process of its own attached to an engine by address."""

from __future__ import annotations

from repstream_tango import telemetry  # noqa: F401  # isort: skip  before tango is imported

import argparse
import logging
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from time import monotonic
from weakref import WeakSet

import msgspec
from tango import ApiUtil, DevFailed
from tango.server import run

from repstream.errors import EngineUnreachable, RegistrationError
from repstream.link.remote import RemoteEngine
from repstream.logs import log_to_stderr
from repstream.parameters.catalogue import Catalogue, Parameter
from repstream_tango import following, renewal
from repstream_tango.command_line import DEFAULT_PORT, Device, devices, from_tango, parser
from repstream_tango.device import EngineDevice
from repstream_tango.following import Followed
from repstream_tango.names import SERVER
from repstream_tango.projection import CLASSES, MakeClass, device_classes
from repstream_tango.publisher import Publisher
from repstream_tango.registration import (
    is_registered,
    open_database,
    register,
    registered_engines,
)

JOIN_TIME = 5.0
"""Seconds that a start waits for the engine, to learn its slots."""

USAGE = 2
FAILED = 1

log = logging.getLogger(__name__)

KEY_VARIABLE = "REPSTREAM_KEY"
"""Environment variable with the engine's key, where its address is guarded by one."""


def main(argv: Sequence[str] | None = None, classes: Sequence[MakeClass] = CLASSES) -> int:
    """Serve devices of these classes until SIGTERM or SIGINT; returns the exit status."""
    try:
        options = parser().parse_args(from_tango(sys.argv[1:] if argv is None else argv))
        log_to_stderr()
        if options.database:
            os.environ["TANGO_HOST"] = options.database
        _refuse_used(options.host, _port_of(options))
        followed = None
        if options.devices is not None:
            options.repeater = following.read(options.devices)
            followed = Followed(options.devices, None if _without_database(options) else _server(options))
        catalogue = catalogue_of(_engine_addresses(options), one_for_all=followed is None)
        arguments = tango_arguments(options, catalogue)
        own_engines = _own_engines(options)
    except RegistrationError as error:
        print(f"{SERVER}: {error}", file=sys.stderr)
        return USAGE
    engines: WeakSet[RemoteEngine] = WeakSet()

    def connect(address: str) -> RemoteEngine:
        engine = _connect(address)
        engines.add(engine)
        return engine

    renewal.watch(engines, catalogue)
    made = device_classes(catalogue, Publisher(connect), options.engine, classes, own_engines)
    try:
        run(
            _served(_named(options, catalogue) if _without_database(options) else None, made),
            args=arguments,
            msg_stream=_Unbuffered(),
            post_init_callback=None if followed is None else (followed.start, (own_engines,)),
            raises=True,
        )
    except DevFailed as failed:
        print(f"{SERVER}: {failed.args[0].desc}", file=sys.stderr)
        return FAILED
    return 0


def tango_arguments(options: argparse.Namespace, catalogue: Catalogue) -> list[str]:
    """The options as cppTango takes them, with the database asked first.

    Raises `RegistrationError` with what to do.
    """
    without_database = _without_database(options)
    port = _port_of(options)
    # -host alone would leave the server listening on every interface (cppTango 10.3).
    # Clients would be given 0.0.0.0 as the address, so an empty host stands for every interface.
    host = "" if options.host == "0.0.0.0" else options.host
    host = f"[{host}]" if ":" in host else host
    arguments = [SERVER, options.instance, "-ORBendPoint", f"giop:tcp:{host}:{port or ''}"]
    arguments += [f"-v{options.verbose}"] * bool(options.verbose)
    named = _named(options, catalogue)
    if without_database:
        if options.register:
            raise RegistrationError(
                "--register needs a database: give --database HOST:PORT or set TANGO_HOST"
            )
        return [*arguments, "-nodb", "-dlist", ",".join(f"{d.tango_class}::{d.name}" for d in named)]
    server, database = _server(options), open_database()
    if warning := unreachable_from(options.host, database.get_db_host()):
        log.warning("%s", warning)
    if options.register:
        register(database, server, named, options.engine, dict(options.alias))
    elif not is_registered(database, server):
        raise RegistrationError(
            f"the database does not know {server}; add --register to enter it with its devices"
        )
    return arguments


def _named(options: argparse.Namespace, catalogue: Catalogue) -> list[Device]:
    """The devices that the options name, or leave to us."""
    ours = [] if options.only_devices else devices(options.repeater, options.writer, catalogue)
    return list(dict.fromkeys([*ours, *options.device]))


def _served(
    named: Sequence[Device] | None, made: Sequence[type[EngineDevice]]
) -> Sequence[type[EngineDevice]]:
    """Those classes that have a device: for any other one cppTango makes one, called NoName.

    All where a database says which devices there are.
    """
    there = None if named is None else {device.tango_class for device in named}
    return [one for one in made if there is None or one.__name__ in there]


def unreachable_from(host: str, database_host: str) -> str:
    """A warning where the devices are entered under an address that only this machine can reach."""
    if not _is_loopback(host) or _is_loopback(database_host) or _is_here(database_host):
        return ""
    return (
        f"the devices are exported at {host}, which only this machine can reach, to a database on "
        f"{database_host}; give --host the address that clients use, or 0.0.0.0"
    )


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


def _is_here(host: str) -> bool:
    return host.partition(".")[0] == socket.gethostname().partition(".")[0]


def catalogue_of(addresses: Sequence[str], one_for_all: bool = True) -> Catalogue:
    """The catalogue of the engines at these addresses, whose slots become devices and attributes.

    That of an engine with the usual slots where none answers in time; see `renewal` for what is then. Where
    engines have different alarm levels, those are no level of the class: each device minds its own. So it is
    without `one_for_all`: other engines may come that have levels of their own. Raises
    `RegistrationError` where they are of different kinds.
    """
    with ExitStack() as stack:
        engines = [stack.enter_context(closing(_connect(address))) for address in addresses]
        until = monotonic() + JOIN_TIME
        for engine in engines:
            try:
                engine.wait_connected(max(0.0, until - monotonic()))
            except EngineUnreachable as error:
                log.warning("%s; serving the usual slots as INVALID until then", error)
        catalogues = [e.catalogue for e in engines if e.connected] or [engines[0].catalogue]
        return _common(catalogues, one_for_all)


def _common(catalogues: Sequence[Catalogue], one_for_all: bool) -> Catalogue:
    first = catalogues[0]
    for other in catalogues[1:]:
        if other.parameters.keys() != first.parameters.keys():
            raise RegistrationError("these engines are of different kinds: start a server for each kind")
    parameters = {}
    for key, parameter in first.parameters.items():
        alike = all(other.parameters[key].alarm == parameter.alarm for other in catalogues)
        alike = alike and (one_for_all or not _has_levels(parameter))
        parameters[key] = parameter if alike else msgspec.structs.replace(parameter, alarm=None)
    return msgspec.structs.replace(first, parameters=parameters)


def _has_levels(parameter: Parameter) -> bool:
    """Whether a number is an alarm from a level on."""
    alarm = parameter.alarm
    levels = (
        () if alarm is None else (alarm.warning_low, alarm.warning_high, alarm.alarm_low, alarm.alarm_high)
    )
    return any(level is not None for level in levels)


def _engine_addresses(options: argparse.Namespace) -> list[str]:
    """Where the engines are: a registered server goes by the properties of its devices."""
    if not (_without_database(options) or options.register):
        found = registered_engines(open_database(), _server(options))
    else:
        found = list(dict.fromkeys(device.engine for device in options.repeater or () if device.engine))
    return found or [str(options.engine)]


def _own_engines(options: argparse.Namespace) -> dict[str, str]:
    return {d.name.lower(): d.engine for d in options.repeater or () if d.engine}


def _without_database(options: argparse.Namespace) -> bool:
    return bool(options.nodb) or not ApiUtil.get_env_var("TANGO_HOST")


def _port_of(options: argparse.Namespace) -> int:
    """The port to listen on, 0 for a free one."""
    return int(options.port or (DEFAULT_PORT if _without_database(options) else 0))


def _server(options: argparse.Namespace) -> str:
    return f"{SERVER}/{options.instance}"


def _connect(address: str) -> RemoteEngine:
    # Not an option or a property: those can be read by others.
    return RemoteEngine(address, os.environ.get(KEY_VARIABLE, ""), "tango")


def _refuse_used(host: str, port: int) -> None:
    if not port:
        return
    # cppTango would say no more than "INITIALIZE: Transport endpoint could not be bound".
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise RegistrationError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
            ) from None


class _Unbuffered:
    """Standard output that a waiting parent reads at once, also through a pipe."""

    def write(self, text: str) -> None:
        print(text, end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
