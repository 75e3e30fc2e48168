"""A camera server or a pipeline server of cam_server's, run until it is interrupted or a client ends it."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field

from fastapi import FastAPI

from repstream.errors import PortTakenError, RepstreamError
from repstream.instances.launcher import Launcher
from repstream.instances.local import LocalLauncher
from repstream.instances.saved.cameras import SavedCameras
from repstream.instances.saved.engines import SavedEngines
from repstream.instances.saved.pipelines import SavedPipelines
from repstream.logs import log_to_stderr
from repstream_cli import ports
from repstream_cli.cam_server.control_systems import ControlSystems, FrontEnds, served
from repstream_cli.exits import Exit
from repstream_cli.interrupt import until_interrupted
from repstream_cli.notify import Notifier
from repstream_http.certificate import Certificate
from repstream_http.compat.cam_server import convention
from repstream_http.compat.cam_server.convention import API
from repstream_http.guard import open_to_all
from repstream_http.protection import Protection
from repstream_http.server import HttpServer

log = logging.getLogger(__name__)

GF_REPSTREAM_PORT = 8888
"""Claimed twice: by the camera server and by gf_repstream."""

WARM_TIME = 10.0
"""Seconds, at most, that the first request would wait for longer than those after it."""

ANSWER_TIME = 10.0
"""Seconds that it has to answer itself, which systemd's watchdog asks for."""

LOOK = 0.2
"""Seconds between two looks whether a client ended the server."""

Saved = SavedCameras | SavedPipelines
Build = Callable[[Launcher], AbstractContextManager[tuple[FastAPI, Saved]]]


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a program listens: its name, address and port, and the host that streams are found by.

    `control_systems` show what it has, too. `protection`: who may ask, how fast, and whether by HTTPS.
    """

    program: str
    interface: str
    port: int
    hostname: str
    control_systems: ControlSystems = field(default_factory=ControlSystems)
    protection: Protection = field(default_factory=Protection)

    @property
    def address(self) -> str:
        """The address by which clients know it."""
        scheme = "https" if self.protection.certificate else "http"
        return f"{scheme}://{self.hostname or socket.gethostname()}:{self.port}"


def run(listening: Listening, build: Build, level: int, ended: threading.Event) -> int:
    """Serve what `build` makes until Ctrl-C, SIGTERM or `ended`; the exit code."""
    log_to_stderr(level)
    program, host, port = listening.program, listening.interface, listening.port
    try:
        _check_port(program, host, port)
        listening.control_systems.check_ports(host)
        with until_interrupted() as stop, ExitStack() as stack:
            launcher = stack.enter_context(closing(LocalLauncher(listening.hostname)))
            app, saved = stack.enter_context(build(launcher))
            front_ends = stack.enter_context(_shown(saved, listening))
            launcher.wait_until_warm(WARM_TIME)
            convention.protect(app, listening.protection)
            server = stack.enter_context(HttpServer(app, host, port, listening.protection.certificate))
            if warning := open_to_all(host, listening.protection.guard):
                log.warning("%s: %s", program, warning)
            print("\n".join([*front_ends.lines, f"{program} at {server.url}  (Ctrl-C ends)"]), flush=True)
            notifier = Notifier(_Answered(server.url, listening.protection.certificate))
            notifier.ready(f"serving {server.url}")
            while not stop.wait(LOOK) and not ended.is_set():
                notifier.tend()
                front_ends.tend()
            notifier.stopping()
    except (RepstreamError, OSError, ValueError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return Exit.USAGE if isinstance(error, PortTakenError) else Exit.FAULTS
    return Exit.OK


class _Answered:
    """When a server of this host has answered last: the pulse of this program."""

    def __init__(self, url: str, certificate: Certificate | None) -> None:
        self._url = f"{url}{API}/logs/txt"
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),  # it is not elsewhere
            urllib.request.HTTPSHandler(context=certificate.own_client() if certificate else None),
        )
        self._last = 0.0

    def __call__(self) -> float:
        try:
            self._opener.open(self._url, timeout=ANSWER_TIME).close()
        except urllib.error.HTTPError as error:  # that a token is needed is an answer, too
            error.close()
        except OSError:
            return self._last
        self._last = time.monotonic()
        return self._last


@contextmanager
def _shown(saved: Saved, listening: Listening) -> Iterator[FrontEnds]:
    wanted = listening.control_systems
    if wanted.tango is None and wanted.epics is None:
        yield FrontEnds()
        return
    with (
        closing(SavedEngines(saved, wanted.only)) as engines,
        served(engines, saved.instances.kind, wanted, listening.interface) as found,
    ):
        yield found


def _check_port(program: str, host: str, port: int) -> None:
    hint = "; gf_repstream is served there too" if port == GF_REPSTREAM_PORT else ""
    ports.require(host, port, program, "-p", hint=hint)
