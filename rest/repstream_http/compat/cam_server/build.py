"""A camera server and a pipeline server, put together from what they serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from repstream.errors import Refused
from repstream.instances.description import Folders
from repstream.instances.launcher import Launcher
from repstream.instances.protocol import FindStream
from repstream.instances.registry import Instances
from repstream.instances.saved import permanent as permanent_instances
from repstream.instances.saved.backgrounds import Backgrounds
from repstream.instances.saved.cameras import Cameras, SavedCameras
from repstream.instances.saved.configurations import Configurations
from repstream.instances.saved.permanent import Permanent
from repstream.instances.saved.pipelines import SavedPipelines
from repstream.instances.saved.scripts import Scripts
from repstream.instances.spread.backgrounds import BackgroundsForOthers, Kept
from repstream.instances.spread.registry import Spread
from repstream.instances.spread.servers import FILE as SERVERS
from repstream.instances.spread.servers import Server, ServersFile
from repstream.pipelines.control import Kind
from repstream_http.compat.cam_server import camera, convention, pipeline
from repstream_http.compat.cam_server.kept_log import KeptLog
from repstream_http.compat.cam_server.manager import Manager
from repstream_http.compat.cam_server.server import Common
from repstream_http.compat.cam_server.stored import Stored
from repstream_http.instances.page import with_page

LIBRARIES = "lib"
"""The folder of the libraries in that of the scripts."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server is made of.

    `configurations`, `backgrounds`, `scripts` are its folders, which are there; pipelines write below `data`.
    `allow_scripts`: whether clients may bring scripts, which run as the server's user. `manager`: the
    address of a manager; empty for a server that is none. `servers`: those that a manager uses where its file
    of servers names none; empty: itself. `end` ends the server; None: no client may.
    """

    configurations: Path
    backgrounds: Path
    scripts: Path
    data: Path
    allow_scripts: bool = False
    manager: str = ""
    servers: tuple[str, ...] = ()
    end: Callable[[], None] | None = None

    @property
    def folders(self) -> Folders:
        """Those that instances look into."""
        return Folders(self.backgrounds, self.scripts, self.scripts / LIBRARIES, self.data)


@contextmanager
def camera_server(settings: Settings, launcher: Launcher) -> Iterator[tuple[FastAPI, SavedCameras]]:
    """The application of a camera server, and its cameras; all that run on this host end with it."""
    own, log = Instances("camera", launcher, folders=settings.folders), KeptLog()
    spread = _spread(settings, own, log)
    cameras = SavedCameras(spread or own, Configurations(settings.configurations, "camera"))
    permanent = _permanent(settings, cameras.start_for_ever)
    with _running(settings, spread or own, log, permanent, cameras.resolve) as common:
        stored = Stored(cameras.configurations, Backgrounds(settings.backgrounds))
        routes = camera.routes(common, stored, cameras)
        if spread is not None and permanent is not None:
            manager = Manager(common, spread, cameras.configurations, permanent, cameras.configure)
            routes += manager.routes()
        app = convention.create_app("Camera server", camera.PREFIX, routes)
        with with_page(app, cameras, spread.servers if spread is not None else dict):
            yield app, cameras


@contextmanager
def pipeline_server(
    settings: Settings, launcher: Launcher, cameras: Cameras
) -> Iterator[tuple[FastAPI, SavedPipelines]]:
    """The application of a pipeline server, and its pipelines; all that run on this host end with it."""

    def find(kind: Kind, name: str) -> str:
        return cameras.stream(name).address if kind == "camera" else pipelines.ensure(name).stream_address

    own, log = Instances("pipeline", launcher, find_stream=find, folders=settings.folders), KeptLog()
    spread = _spread(settings, own, log, find)
    pipelines = SavedPipelines(
        spread or own,
        Configurations(settings.configurations, "pipeline"),
        Backgrounds(settings.backgrounds),
        cameras,
        fill_in=bool(settings.manager),
    )
    permanent = _permanent(settings, pipelines.start_for_ever)
    with _running(settings, spread or own, log, permanent) as common:
        stored = Stored(pipelines.configurations, pipelines.backgrounds)
        libraries = Scripts(settings.scripts / LIBRARIES, "lib", settings.allow_scripts)
        routes = pipeline.routes(common, stored, pipelines, libraries, permanent)
        if spread is not None and permanent is not None:
            routes += Manager(common, spread, pipelines.configurations, permanent, pipelines.save).routes()
        app = convention.create_app("Pipeline server", pipeline.PREFIX, routes)
        with with_page(app, pipelines, spread.servers if spread is not None else dict):
            yield app, pipelines


def _spread(
    settings: Settings, own: Instances, log: KeptLog, find_stream: FindStream | None = None
) -> Spread | None:
    if not settings.manager:
        return None
    usual = {address: Server() for address in settings.servers or (settings.manager,)}
    file = ServersFile(settings.configurations / SERVERS, usual)
    return Spread(
        own,
        settings.manager,
        file,
        own_log=log.lines,
        find_stream=find_stream,
        backgrounds=BackgroundsForOthers(partial(_kept, Backgrounds(settings.backgrounds))),
    )


def _kept(backgrounds: Backgrounds, name: str) -> Kept | None:
    try:
        return Kept(backgrounds.stamp(name), partial(backgrounds.load, name))
    except (Refused, OSError):
        return None


def _permanent(settings: Settings, start: Callable[[str, str], object]) -> Permanent | None:
    if not settings.manager:
        return None
    return Permanent(settings.configurations / permanent_instances.FILE, start)


@contextmanager
def _running(
    settings: Settings,
    instances: Instances | Spread,
    log: KeptLog,
    permanent: Permanent | None,
    resolve: Callable[[str], str] = str,
) -> Iterator[Common]:
    """The routes that both have, while instances may run."""
    prefix = camera.PREFIX if instances.kind == "camera" else pipeline.PREFIX
    scripts = Scripts(settings.scripts, permitted=settings.allow_scripts)
    spread = instances if isinstance(instances, Spread) else None
    log.open()
    if permanent is not None:
        permanent.open()
    try:
        yield Common(prefix, instances, scripts, log, end=settings.end, spread=spread, resolve=resolve)
    finally:
        if permanent is not None:
            permanent.close()
        instances.close()
        log.close()
