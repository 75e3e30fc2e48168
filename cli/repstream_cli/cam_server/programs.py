"""`camera_server`, `pipeline_server`, their managers and their workers."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from repstream.errors import Refused
from repstream.instances.saved.camera_server import CameraServer
from repstream_cli.cam_server.control_systems import ControlSystems
from repstream_cli.cam_server.options import Program, folder, level, parser_of
from repstream_cli.front_ends import installed
from repstream_cli.stack import EpicsOptions, TangoOptions
from repstream_http import options as http_options

if TYPE_CHECKING:
    from repstream_cli.cam_server.running import Build  # an extra
    from repstream_http.compat.cam_server.build import Settings

CAMERA_SERVER = Program(
    "camera_server",
    "camera",
    8888,
    "Serve the streams of cameras, which run while somebody listens, and their configurations.",
)
CAMERA_MANAGER = Program(
    "camera_manager",
    "camera",
    8888,
    "Serve cameras as camera_server does, with permanent ones and the routes of a manager.",
    manages=True,
)
CAMERA_WORKER = Program(
    "camera_worker",
    "camera",
    8880,
    "Serve cameras that are configured over REST; the configurations are gone when it ends.",
    keeps=False,
)
PIPELINE_SERVER = Program(
    "pipeline_server",
    "pipeline",
    8889,
    "Serve pipelines: what is computed of cameras' images, as streams and files.",
)
PIPELINE_MANAGER = Program(
    "pipeline_manager",
    "pipeline",
    8889,
    "Serve pipelines as pipeline_server does, with permanent ones and the routes of a manager.",
    manages=True,
)
PIPELINE_WORKER = Program(
    "pipeline_worker",
    "pipeline",
    8881,
    "Serve pipelines that are configured over REST; the configurations are gone when it ends.",
    keeps=False,
    cam_server="http://0.0.0.0:8898",
)


def serve(program: Program, arguments: Sequence[str] | None = None) -> int:
    """Run a program until it is interrupted, or a client ends it; the exit code."""
    parser = parser_of(program)
    given = parser.parse_args(arguments)
    if not installed("http"):
        parser.error("it needs the HTTP front end: pip install 'repstream[http]'")
    from repstream_cli.cam_server.running import Listening, run  # noqa: PLC0415 - an extra
    from repstream_http.compat.cam_server.build import Settings  # noqa: PLC0415
    from repstream_http.protection import Protection  # noqa: PLC0415

    try:
        protection = Protection.of(**http_options.given(given))
    except Refused as error:
        parser.error(str(error))
    listening = Listening(
        program.name, given.interface, given.port, given.hostname, _control_systems(parser, given), protection
    )
    ended = threading.Event()
    with ExitStack() as stack:
        if program.keeps:
            base = folder(parser, given.base, "base")
        else:
            base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{program.name}-")))
        settings = Settings(
            configurations=base,
            backgrounds=folder(parser, given.background_base, "background_base"),
            scripts=folder(parser, given.scripts_base, "scripts_base"),
            data=(given.root if program.kind == "pipeline" else Path()).absolute(),
            allow_scripts=given.allow_scripts,
            manager=listening.address if program.manages else "",
            servers=given.servers if program.manages else (),
            end=ended.set,
        )
        return run(listening, _build(parser, given, program, settings), level(given.log_level), ended)


def _control_systems(parser: argparse.ArgumentParser, given: argparse.Namespace) -> ControlSystems:
    for name in ("tango", "epics"):
        if getattr(given, name) and not installed(name):
            parser.error(f"--{name}: it is not installed: pip install 'repstream[{name}]'")
    database = os.environ.get("TANGO_HOST", "") if given.tango_database else ""
    if given.tango_database and not database:
        parser.error("--tango-database needs TANGO_HOST=host:port in the environment")
    tango = TangoOptions(0 if database else given.tango_port, database, given.tango_instance, bool(database))
    if given.pva and not installed("pva"):
        parser.error("--pva: it is not installed: pip install 'repstream[pva]'")
    pva = installed("pva") if given.pva is None else given.pva
    epics = EpicsOptions(given.epics_port, given.epics_prefix, pva_port=given.pva_port if pva else None)
    return ControlSystems(
        tango if given.tango else None, epics if given.epics else None, tuple(given.only or ())
    )


def _build(
    parser: argparse.ArgumentParser, given: argparse.Namespace, program: Program, settings: Settings
) -> Build:
    from repstream_http.compat.cam_server import build  # noqa: PLC0415 - an extra

    if program.kind == "camera":
        return lambda launcher: build.camera_server(settings, launcher)
    try:
        cameras = CameraServer(given.cam_server)
    except ValueError as error:
        parser.error(f"--cam_server: {error}")
    return lambda launcher: build.pipeline_server(settings, launcher, cameras)


def camera_server() -> None:
    """Entry point of `camera_server`."""
    sys.exit(serve(CAMERA_SERVER))


def camera_manager() -> None:
    """Entry point of `camera_manager`."""
    sys.exit(serve(CAMERA_MANAGER))


def camera_worker() -> None:
    """Entry point of `camera_worker`."""
    sys.exit(serve(CAMERA_WORKER))


def pipeline_server() -> None:
    """Entry point of `pipeline_server`."""
    sys.exit(serve(PIPELINE_SERVER))


def pipeline_manager() -> None:
    """Entry point of `pipeline_manager`."""
    sys.exit(serve(PIPELINE_MANAGER))


def pipeline_worker() -> None:
    """Entry point of `pipeline_worker`."""
    sys.exit(serve(PIPELINE_WORKER))
