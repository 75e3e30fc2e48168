"""`Instances`: the cameras or the pipelines of a server, by name.

A server that shows them (a front end, a command) starts, shares, changes and stops them here, from any
thread; what one request waits for holds up no other. Names are never paths here: whoever keeps files by
these names checks them.
"""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from repstream.errors import ChildError, InstanceRuns, PortTakenError, Refused, UnknownInstance
from repstream.instances.description import Configuration, Folders, InstanceInfo, Kind, LogRecord
from repstream.instances.followers import Followers
from repstream.instances.instance import LOG_LENGTH, Instance
from repstream.instances.launcher import Launcher
from repstream.instances.ports import CAMERA_PORTS, PIPELINE_PORTS, Ports
from repstream.instances.protocol import FindStream
from repstream.instances.turns import Turns
from repstream.pipelines.configurations import complete, has_entrance, settings
from repstream.pipelines.control import Specification, Wanted

ATTEMPTS = 5
"""Ports that are tried where other programs take them between the look and the bind."""


MOST_ENDED = 200
"""Instances whose end is remembered: exit code, reason and log."""


class Instances:
    """The instances of one kind that `launcher` runs; fills `protocol.Registry`.

    `find_stream` gives pipelines their input. `ports` are handed out round robin; a name keeps its port
    until it is forgotten.
    """

    def __init__(
        self,
        kind: Kind,
        launcher: Launcher,
        *,
        find_stream: FindStream | None = None,
        folders: Folders = Folders(),  # noqa: B008
        ports: Sequence[int] | None = None,
    ) -> None:
        self.kind: Kind = kind
        self._launcher = launcher
        self._find_stream = find_stream
        self._folders = folders
        self._ports = Ports(ports or (CAMERA_PORTS if kind == "camera" else PIPELINE_PORTS))
        self._lock = threading.Lock()
        self._turns = Turns()
        self._lives: dict[str, Instance] = {}
        self._kept_ports: dict[str, int] = {}
        self._followers = Followers()
        self._closed = False

    def start(
        self,
        name: str,
        configuration: Configuration,
        *,
        read_only: bool | None = None,
        port: int = 0,
    ) -> InstanceInfo:
        with self._turns.of(name):
            if self._alive(name) is not None:
                raise InstanceRuns(name, f"a {self.kind} of this name runs: stop it or take another name")
            return self._start(name, configuration, read_only, port)

    def ensure(self, name: str, configuration: Configuration, *, port: int = 0) -> InstanceInfo:
        if (running := self._alive(name)) is not None:
            return running.info()
        with self._turns.of(name):
            running = self._alive(name)
            return running.info() if running is not None else self._start(name, configuration, None, port)

    def share(self, configuration: Configuration) -> InstanceInfo:
        whole = complete(self.kind, configuration)
        with self._turns.of(f"\0shared {sorted(whole.items(), key=repr)!r}"):
            for life in self._all_running():
                if life.read_only and life.configuration == whole:
                    return life.info()
            return self.start(str(uuid.uuid4()), whole, read_only=True)

    def get(self, name: str) -> InstanceInfo:
        return self._get(name).info()

    def running(self) -> list[InstanceInfo]:
        return [life.info() for life in self._all_running()]

    def reconfigure(self, name: str, change: Configuration, *, replace: bool = False) -> dict[str, Any]:
        return self._get(name).reconfigure(change, replace)

    def stop(self, name: str) -> None:
        with self._turns.of(name):
            self._stop(name)

    def stop_all(self) -> None:
        threads = [
            threading.Thread(target=self.stop, args=(life.specification.name,)) for life in self._all()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def forget(self, name: str) -> None:
        with self._turns.of(name):
            self._stop(name)
            with self._lock:
                self._lives.pop(name, None)
                self._kept_ports.pop(name, None)

    def exit_code(self, name: str) -> int | None:
        return self._known(name).exit_code

    def message(self, name: str) -> str:
        return self._known(name).info().message

    def logs(self, name: str) -> list[LogRecord]:
        return list(self._known(name).log)

    def beam(self, name: str) -> dict[str, float | None]:
        life = self._alive(name)
        return dict(life.beam) if life is not None else {}

    def where(self, name: str) -> str:
        return ""

    def follow(self, name: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever something of this name has changed, running or not; gives what ends that.

        Calls come from a thread of the instance, which must not be held up.
        """
        return self._followers.add(name, callback)

    def close(self) -> None:
        """Stop all, and start none any more; the launcher remains."""
        self._closed = True
        self.stop_all()

    def _start(
        self, name: str, configuration: Configuration, read_only: bool | None, port: int
    ) -> InstanceInfo:
        if self._closed:
            raise Refused(name, "the server is being stopped: it starts nothing more")
        whole = complete(self.kind, configuration)
        wanted = port or settings(self.kind, whole).port
        if read_only is None:
            read_only = bool(whole.get("read_only"))
        for attempt in range(ATTEMPTS):
            life = self._life(name, whole, self._port(name, wanted), read_only)
            try:
                life.start(self._launcher)
            except ChildError:  # there was no process whose end gives the ports back
                self._give_back(life)
                raise
            except PortTakenError:
                with self._lock:
                    self._kept_ports.pop(name, None)
                if wanted or attempt == ATTEMPTS - 1:
                    raise
            else:
                break
        return life.info()

    def _life(self, name: str, whole: dict[str, Any], port: int, read_only: bool) -> Instance:
        before = self._lives.get(name)
        life = Instance(
            Specification(
                name=name,
                kind=self.kind,
                configuration=whole,
                port=port,
                input_port=self._ports.take() if has_entrance(self.kind, whole) else 0,
                folders=self._folders,
            ),
            self._launcher.host,
            read_only=read_only,
            find_input=self._find,
            on_end=self._give_back,
            on_change=partial(self._followers.call, name),
            log=before.log if before is not None else deque[LogRecord](maxlen=LOG_LENGTH),
        )
        with self._lock:
            self._lives[name] = life
            ended = [of for of, other in self._lives.items() if other.ended.is_set()]
            for of in ended[:-MOST_ENDED]:
                del self._lives[of]
        return life

    def _port(self, name: str, wanted: int) -> int:
        if wanted or self.kind == "pipeline":
            return self._ports.take(wanted)
        with self._lock:
            kept = dict(self._kept_ports)
        if name in kept:
            with suppress(PortTakenError):  # by another program meanwhile
                return self._ports.take(kept[name])
        port = self._ports.take(avoided=kept.values())
        with self._lock:
            self._kept_ports[name] = port
        return port

    def _find(self, wanted: Wanted) -> str:
        if self._find_stream is None:
            raise Refused(wanted.name, f"no server of {wanted.kind}s is configured")
        address = self._find_stream(wanted.kind, wanted.name)
        if not wanted.entrance:
            return address
        if not (entrance := self.get(wanted.name).input_address):
            raise Refused(wanted.name, "it takes no messages: it is no fan-in")
        return entrance

    def _give_back(self, life: Instance) -> None:
        for port in (life.specification.port, life.specification.input_port):
            self._ports.give_back(port)

    def _stop(self, name: str) -> None:
        with self._lock:
            life = self._lives.get(name)
        if life is not None:
            life.stop()

    def _alive(self, name: str) -> Instance | None:
        with self._lock:
            life = self._lives.get(name)
        return life if life is not None and life.alive else None

    def _get(self, name: str) -> Instance:
        if (life := self._alive(name)) is None:
            raise UnknownInstance(name, f"no {self.kind} of this name runs")
        return life

    def _known(self, name: str) -> Instance:
        with self._lock:
            life = self._lives.get(name)
        if life is None:
            raise UnknownInstance(name, f"no {self.kind} of this name runs, nor did one")
        return life

    def _all(self) -> list[Instance]:
        with self._lock:
            return [self._lives[name] for name in sorted(self._lives)]

    def _all_running(self) -> list[Instance]:
        return [life for life in self._all() if life.alive]
