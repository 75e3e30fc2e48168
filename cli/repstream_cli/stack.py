"""One engine and any set of front ends on it, started and ended together."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import zmq

from repstream.errors import PortTakenError
from repstream.lifetime import Running
from repstream.link.attach import DEFAULT_ADDRESS
from repstream.link.history import History
from repstream.link.server import EngineServer
from repstream.protocol import Engine
from repstream.service.kind import REPEATER_ENGINE, EngineKind
from repstream.service.on_close import CloseCommand
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream_cli import ports
from repstream_cli.children import Child
from repstream_tango.command_line import READY_LINE, command_line
from repstream_tango.names import LIMA_CLASS

if TYPE_CHECKING:
    from repstream_epics.access import WriteAccess  # an extra
    from repstream_epics.pva.server import PvaServer
    from repstream_epics.server import IocServer
    from repstream_http.protection import Protection

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TangoOptions:
    """The Tango server. With a `database` (``host:port``) its devices are entered there if `register`.

    `lima`: name of the device for Lima's clients, which is not served without.
    """

    port: int = 9601
    database: str = ""
    instance: str = "1"
    register: bool = False
    lima: str = ""


@dataclass(frozen=True, slots=True)
class EpicsOptions:
    """The EPICS server. `area_detector`: the prefix of areaDetector's PVs, which are not served without.

    `pva_port`: that of PV Access, which is not served without. `access`: who may write, None for everybody.
    """

    port: int = 5064
    prefix: str = "X:REPSTREAM:"
    area_detector: str = ""
    pva_port: int | None = None
    access: WriteAccess | None = None


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """The HTTP server, none of its own with `port` None; `views`: ports of replaced systems' interfaces.

    `simulator`: images a second of a simulated detector that clients of views may start; 0: there is none.
    `protection`: who may ask, how fast, and the certificate for HTTPS; None: everybody on this host.
    """

    port: int | None = 8000
    views: Mapping[str, int] = field(default_factory=dict)
    simulator: float = 0.0
    protection: Protection | None = None

    @property
    def secure(self) -> str:
        """What the schemes of its addresses end with."""
        return "s" if self.protection and self.protection.certificate else ""


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """The mirror of the standard DAQ's documents: where Redis is, and what its streams' names begin with."""

    url: str
    namespace: str = "daq"


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What is started; a front end that is None is not. `on_close`: see `CloseCommand`."""

    engine: ServiceOptions
    engine_address: str = DEFAULT_ADDRESS
    key: str = ""
    host: str = "127.0.0.1"
    on_close: str = ""
    kind: EngineKind = REPEATER_ENGINE
    tango: TangoOptions | None = field(default_factory=TangoOptions)
    epics: EpicsOptions | None = field(default_factory=EpicsOptions)
    http: HttpOptions | None = field(default_factory=HttpOptions)
    redis: RedisOptions | None = None


class Stack(Running):
    """The engine and its front ends; a context manager, to be used from the main thread.

    Raises `PortTakenError` before anything is started, `ChildError` when the Tango server
    does not come up; then nothing is left running.
    """

    def __init__(self, options: StackOptions) -> None:
        self.options = options
        self.service = Service(options.engine, kind=options.kind)
        self.engine_address = options.engine_address
        self.http_port = 0
        self.epics_port = 0
        self.pva_port = 0
        self.tango: Child | None = None
        self._open = ExitStack()

    def start(self) -> None:
        check_ports(self.options)
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End what was started, in the opposite order."""
        self._open.close()

    def tend(self) -> None:
        """Look after the processes; call it once in a while."""
        if self.tango is not None:
            self.tango.tend()

    def _start(self) -> None:
        options = self.options
        self._open.enter_context(self.service)
        if options.on_close:
            self._open.callback(CloseCommand(self.service, options.on_close).close)
        try:
            server = EngineServer(self.service, options.engine_address, options.key)
        except zmq.ZMQError as error:
            raise PortTakenError(
                f"the engine cannot listen on {options.engine_address}: {error.strerror}; "
                "--engine-address takes another"
            ) from error
        self._open.enter_context(server)
        self.engine_address = server.address
        if options.epics is not None:
            self._start_epics(options.epics)
        if options.http is not None or options.redis is not None:
            history = self._history()
            if options.http is not None:
                self._start_http(options.http, history)
            if options.redis is not None:
                self._start_redis(options.redis, history)
        if options.tango is not None:
            self._start_tango(options.tango)

    def _start_epics(self, epics: EpicsOptions) -> None:
        servers = self._open.enter_context(
            epics_servers({self.options.engine.name: self.service}, epics, self.options.host)
        )
        self.epics_port, self.pva_port = servers.port, servers.pva_port

    def _history(self) -> History:
        settings = self.options.engine.settings
        kept = settings.with_name(f"{settings.stem}.acquisitions.jsonl") if settings is not None else None
        history = History(self.service, kept)
        self._open.callback(history.close)
        return history

    def _start_redis(self, redis: RedisOptions, history: History) -> None:
        from repstream_http.compat.std_daq_redis.mirror import Mirror  # noqa: PLC0415 - an extra

        self._open.enter_context(Mirror(self.service, history, redis.url, redis.namespace))

    def _start_http(self, http: HttpOptions, history: History) -> None:
        from repstream_cli.simulator import SimulatedDetector  # noqa: PLC0415 - needs an extra
        from repstream_http.app import create_app  # noqa: PLC0415 - an extra
        from repstream_http.compat.views import VIEWS  # noqa: PLC0415
        from repstream_http.guard import open_to_all  # noqa: PLC0415
        from repstream_http.protection import Protection  # noqa: PLC0415
        from repstream_http.server import HttpServer  # noqa: PLC0415

        protection = http.protection or Protection()
        own = protection.certificate
        if warning := open_to_all(self.options.host, protection.guard):
            log.warning("%s", warning)
        name = self.options.engine.name
        if http.port is not None:
            histories = {name: history}
            app = create_app({name: self.service}, protection.guard, histories, protection.limits)
            server = HttpServer(app, self.options.host, http.port, own)
            self.http_port = self._open.enter_context(server).port
        simulator = SimulatedDetector(self.service, http.simulator) if http.simulator else None
        if simulator is not None:
            self._open.callback(simulator.stop)
        for name, port in http.views.items():
            application = VIEWS[name].protected(self.service, history, simulator, protection)
            view = HttpServer(application, self.options.host, port, own)
            self._open.enter_context(view)

    def _start_tango(self, tango: TangoOptions) -> None:
        command = command_line(
            ports.reachable(self.engine_address),
            tango.instance,
            database=tango.database,
            register=tango.register,
            host=self.options.host,
            port=tango.port,
            more=[f"{LIMA_CLASS}::{tango.lima}"] if tango.lima else [],
        )
        environment = {"REPSTREAM_KEY": self.options.key} if self.options.key else {}
        self.tango = self._open.enter_context(Child("tango", command, READY_LINE, environment))


class EpicsServers:
    """The EPICS servers of some engines, which may come and go while they serve."""

    def __init__(self, ioc: IocServer, pva: PvaServer | None) -> None:
        self._ioc, self._pva = ioc, pva
        self.port = ioc.port
        self.pva_port = 0 if pva is None else pva.port

    def add(self, name: str, engine: Engine) -> None:
        """Show one more engine; raises `ValueError` for names that PVs cannot have."""
        if self._pva is not None:
            self._pva.add(name, engine)
        try:
            self._ioc.add(name, engine)
        except ValueError:
            if self._pva is not None:
                self._pva.remove(name)
            raise

    def remove(self, name: str) -> None:
        """Show an engine no more; nothing happens where it was not shown."""
        self._ioc.remove(name)
        if self._pva is not None:
            self._pva.remove(name)

    def tend(self) -> None:
        """They are threads of this process, and need nothing."""


@contextmanager
def epics_servers(engines: Mapping[str, Engine], epics: EpicsOptions, host: str) -> Iterator[EpicsServers]:
    """The IOC of these engines by name, and their PV Access where it is wanted."""
    from repstream_epics.server import IocServer  # noqa: PLC0415 - an extra
    from repstream_epics.views import chosen  # noqa: PLC0415

    with ExitStack() as stack:
        views = chosen(epics.area_detector)
        ioc = IocServer(engines, epics.prefix, epics.port, host, views, access=epics.access)
        stack.enter_context(ioc)
        if epics.pva_port is None:
            yield EpicsServers(ioc, None)
            return
        from repstream_epics.pva.server import PvaServer  # noqa: PLC0415 - an extra

        pva = PvaServer(engines, epics.prefix, epics.pva_port, host, access=epics.access)
        yield EpicsServers(ioc, stack.enter_context(pva))


def check_ports(options: StackOptions) -> None:
    """Raises `PortTakenError` for the first port that is taken, and says which option to give."""
    engine = ports.host_and_port(options.engine_address)
    if engine is not None:
        ports.require(*engine, "the engine", "--engine-address")
    if options.tango is not None:
        ports.require(options.host, options.tango.port, "the Tango server", "--tango-port")
    if options.epics is not None and options.host not in ("0.0.0.0", "::"):
        # On a single address only one of two IOCs is found; where searches are broadcast they may share.
        ports.require(options.host, options.epics.port, "the EPICS server", "--epics-port", udp=True)
    if options.http is not None:
        if options.http.port is not None:
            ports.require(options.host, options.http.port, "the HTTP server", "--http-port")
        for name, port in options.http.views.items():
            ports.require(options.host, port, f"the view {name}", f"--view {name}=PORT")
