"""`gf_repstream`: the repeater with the arguments of the program that it takes the place of."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from repstream.errors import Refused
from repstream.logs import log_to_stderr
from repstream.parameters import gf_repstream, storage
from repstream.parameters.configuration import Configuration
from repstream.parameters.gf_repstream import IN_ADDRESS
from repstream.service.options import ServiceOptions
from repstream.version import __version__
from repstream_cli.interrupt import until_interrupted
from repstream_cli.serving import run
from repstream_cli.stack import HttpOptions, StackOptions
from repstream_http import options as http_options


def main(arguments: Sequence[str] | None = None) -> None:
    """Repeat at once what the arguments or the file say, and serve the REST interface."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        configuration = _configuration(given)
    except Refused as error:
        parser.error(error.reason)
    from repstream_http.protection import Protection  # noqa: PLC0415 - an extra

    try:
        protection = Protection.of(**http_options.given(given))
    except Refused as error:
        parser.error(str(error))
    log_to_stderr(logging.INFO)
    options = StackOptions(
        engine=ServiceOptions(name="gf_repstream", roots=tuple(given.root), configuration=configuration),
        engine_address=given.engine_address or f"tcp://{given.host}:9600",
        host=given.host,
        tango=None,
        epics=None,
        http=HttpOptions(given.http_port, {"gf_repstream": given.rest_port}, protection=protection),
    )
    with until_interrupted() as stop:
        sys.exit(run(options, stop, start=bool(configuration.streams)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gf_repstream",
        description="Receive a ZMQ stream and repeat it to several outputs. `repstream serve` does the same, "
        "with Tango, EPICS and files.",
        epilog="Example: gf_repstream --in-address tcp://localhost:9609 --send-every-nth 1 2 10",
    )
    add = parser.add_argument
    add("-v", "--version", action="version", version=f"gf_repstream (repstream {__version__})")
    add("--in-address", metavar="PROTOCOL://HOST:PORT", help=f"input (default: {IN_ADDRESS})")
    add("--in-zmq-mode", type=str.upper, choices=("PULL", "SUB"), help="its mode (default: PULL)")
    add("--out-init-port", type=int, help="port of the first output, the next ones +1 (default: 9610)")
    add("--io-threads", type=int, help="ZMQ I/O threads (default: 1)")
    add("--buffer-size", type=int, help="messages that may wait in each queue (default: 5000)")
    add("--n-output-streams", type=int, help="number of outputs (default: as many as --send-every-nth has)")
    add("--send-every-nth", type=int, nargs="+", metavar="N", help="for each output: send one frame in N")
    add("--mode-metadata", help="accepted, without effect: headers are recognised by themselves")
    add("--config-file", type=Path, help="a gf_repstream configuration file, in place of the above")
    ours = parser.add_argument_group("of this version")
    ours.add_argument("--host", default="127.0.0.1", help="address that its servers listen on (%(default)s)")
    ours.add_argument("--rest-port", type=int, default=8888, help="port of the REST interface (%(default)s)")
    ours.add_argument("--http-port", type=int, default=8000, help="port of the page (%(default)s)")
    ours.add_argument("--engine-address", help="address of the engine (tcp://HOST:9600)")
    ours.add_argument(
        "--root", type=Path, action="append", default=[], help="folder below which files may be written"
    )
    http_options.add_to(parser)
    return parser


def _configuration(given: argparse.Namespace) -> Configuration:
    """What the arguments mean; raises `Refused`."""
    options = {name: value for name in gf_repstream.ARGUMENTS if (value := getattr(given, name)) is not None}
    if given.config_file is None:
        changes = gf_repstream.of_arguments(options, Configuration().model_dump(mode="json"), "arguments")
        return storage.parse(json.dumps({"schema_version": 1, **changes}), "arguments", Configuration)
    if options:
        beside = ", ".join(f"--{name.replace('_', '-')}" for name in options)
        raise Refused("arguments", f"--config-file says all that {beside} would; leave one of them out")
    return storage.load(given.config_file, Configuration)
