"""`Spread`: the instances of several servers as one registry."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from repstream.errors import (
    EngineUnreachable,
    InstanceRuns,
    Refused,
    RepstreamError,
    UnknownInstance,
)
from repstream.instances.description import Configuration, InstanceInfo, Kind, LogRecord
from repstream.instances.followers import Followers
from repstream.instances.protocol import FindStream
from repstream.instances.registry import Instances
from repstream.instances.spread.backgrounds import BackgroundsForOthers
from repstream.instances.spread.fleet import Fleet
from repstream.instances.spread.host import Host, Look, OwnHost
from repstream.instances.spread.placement import choose, host_of
from repstream.instances.spread.places import Places
from repstream.instances.spread.remote import PATIENCE, RemoteHost
from repstream.instances.spread.servers import ServersFile
from repstream.instances.turns import Turns
from repstream.pipelines.configurations import complete

log = logging.getLogger(__name__)

FRESH = 0.5
"""Seconds for which what a server said of an instance is taken as it is."""

CONNECTED = ("input_pipeline", "output_pipeline")
"""Keys of a pipeline that name another one, which is started first, on the same server."""


class Spread:
    """Instances on the servers of a file; fills `Registry`. `close` it; what runs elsewhere goes on.

    One that runs stays where it is. A server that cannot be reached gets nothing new, and holds nobody up;
    what ran there counts as ended and is started elsewhere when it is asked for, and is stopped there
    as soon as that server answers again. What an instance subtracts is given to its server before, from
    `backgrounds`; without them their folder has to be shared. `own` are the instances of this server, whose
    address in the file is `address`.
    """

    def __init__(
        self,
        own: Instances,
        address: str,
        file: ServersFile,
        *,
        own_log: Callable[[], Sequence[LogRecord]] = tuple,
        find_stream: FindStream | None = None,
        backgrounds: BackgroundsForOthers | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.kind: Kind = own.kind
        self.address = address
        self.file = file
        self._own = own
        self._find_stream = find_stream
        self._backgrounds = backgrounds
        self._fleet = Fleet(own.kind, OwnHost(address, own, own_log), file, self._looked, patience)
        self._choosing = threading.Lock()
        self._turns = Turns()
        self._places = Places()
        self._starting: Counter[str] = Counter()
        self._followers = Followers()
        self._closed = False
        self._fleet.open()

    def start(
        self, name: str, configuration: Configuration, *, read_only: bool | None = None, port: int = 0
    ) -> InstanceInfo:
        with self._turns.of(name):
            if self._found(name) is not None:
                raise InstanceRuns(name, f"a {self.kind} of this name runs: stop it or take another name")
            return self._start(name, configuration, read_only, port)

    def ensure(self, name: str, configuration: Configuration, *, port: int = 0) -> InstanceInfo:
        if (running := self._found(name)) is not None:
            return running[1]
        with self._turns.of(name):
            running = self._found(name)
            return running[1] if running is not None else self._start(name, configuration, None, port)

    def share(self, configuration: Configuration) -> InstanceInfo:
        whole = complete(self.kind, configuration)
        with self._turns.of(f"\0shared {sorted(whole.items(), key=repr)!r}"):
            for info in self.running():
                if info.read_only and _without_read_only(info.config) == _without_read_only(whole):
                    return info
            return self.start(str(uuid.uuid4()), whole, read_only=True)

    def get(self, name: str) -> InstanceInfo:
        return self._get(name)[1]

    def running(self) -> list[InstanceInfo]:
        return [info for _, info in self.placed().values()]

    def where(self, name: str) -> str:
        return next((host.address for host in self._fleet.hosts() if name in host.look().running), "")

    def reconfigure(self, name: str, change: Configuration, *, replace: bool = False) -> dict[str, Any]:
        host, _ = self._get(name)
        self._give_background(host, change)
        return host.reconfigure(name, change, replace)

    def stop(self, name: str) -> None:
        self._end(name, lambda host: host.stop(name))

    def stop_all(self) -> None:
        self._each(self._fleet.hosts(), lambda host: host.stop_all())

    def forget(self, name: str) -> None:
        self._end(name, lambda host: host.forget(name))
        self._places.forget(name)

    def exit_code(self, name: str) -> int | None:
        return None if self._found(name) is not None else self._last_host(name).exit_code(name)

    def message(self, name: str) -> str:
        if (running := self._found(name)) is not None:
            return running[1].message
        host = self._last_host(name)
        if problem := host.look().problem:
            return f"its server {host.address} {problem}"
        if host.address == self.address:
            return self._own.message(name)
        return self._places.reason(name)

    def logs(self, name: str) -> list[LogRecord]:
        return self._last_host(name).logs(name)

    def beam(self, name: str) -> dict[str, float | None]:
        running = self._found(name)
        return dict(running[0].look().beams.get(name, {})) if running is not None else {}

    def follow(self, name: str, callback: Callable[[], None]) -> Callable[[], None]:
        leave_others = self._followers.add(name, callback)
        leave_own = self._own.follow(name, callback)

        def leave() -> None:
            leave_own()
            leave_others()

        return leave

    def close(self) -> None:
        """End what runs here; leave the other servers."""
        self._closed = True
        self._fleet.close()

    # What a manager shows beside its instances.

    def servers(self) -> dict[str, Look]:
        """The servers of the file that are enabled, by address, as they are."""
        return self._fleet.looks()

    def placed(self) -> dict[str, tuple[str, InstanceInfo]]:
        """The instances that run by name, each with the address of its server."""
        found: dict[str, tuple[str, InstanceInfo]] = {}
        for host in self._fleet.hosts():
            for name, info in host.look().running.items():
                if name not in found or self._places.of(name) == host.address:
                    found[name] = (host.address, info)
        return dict(sorted(found.items()))

    def at(self, address: str) -> Host:
        """The server with this address; raises `Refused`."""
        return self._fleet.host(address)

    def _found(self, name: str) -> tuple[Host, InstanceInfo] | None:
        """Where an instance runs, as its server says now; asks no other one."""
        place = self._places.of(name)
        for host in sorted(self._fleet.hosts(), key=lambda host: host.address != place):
            if name in host.look().running and (info := host.look(FRESH).running.get(name)) is not None:
                return host, info
        return None

    def _get(self, name: str) -> tuple[Host, InstanceInfo]:
        if (found := self._found(name)) is not None:
            return found
        reason = f"no {self.kind} of this name runs"
        with suppress(UnknownInstance):
            host = self._last_host(name)
            if problem := host.look().problem:
                reason = f"its server {host.address} {problem}"
        raise UnknownInstance(name, reason)

    def _last_host(self, name: str) -> Host:
        place = self._places.of(name)
        for host in self._fleet.hosts():
            if host.address == place:
                return host
        with suppress(UnknownInstance):
            self._own.message(name)
            return self._fleet.host(self.address)
        raise UnknownInstance(name, f"no {self.kind} of this name runs, nor did one")

    def _start(
        self, name: str, configuration: Configuration, read_only: bool | None, port: int
    ) -> InstanceInfo:
        if self._closed:
            raise Refused(name, "the server is being stopped: it starts nothing more")
        whole = complete(self.kind, configuration)
        beside = self._started_first(whole)
        camera = str(whole.get("camera_name") or "") if self.kind == "pipeline" else ""
        near = self._near(camera)
        while True:
            with self._choosing:
                chosen = choose(
                    name, self._fleet.candidates(self._starting), camera=camera, near=near, beside=beside
                )
                self._starting[chosen.address] += 1
            try:
                host = self._fleet.host(chosen.address)
                if host.look(FRESH).problem:
                    continue  # which it had not shown before: another one then
                given = port or int(whole.get("port") or 0) or chosen.server.port_of(name) or 0
                self._give_background(host, whole)
                info = host.start(name, whole, read_only, given)
            except RepstreamError as error:
                self._places.ended(name, getattr(error, "reason", str(error)))
                raise
            finally:
                self._starting[chosen.address] -= 1
            self._places.took(name, chosen.address, self._fleet.may_have(name))
            return info

    def _give_background(self, host: Host, configuration: Configuration) -> None:
        if self._backgrounds is not None:
            self._backgrounds.give(host, configuration)

    def _started_first(self, whole: Configuration) -> set[str]:
        """The servers of the pipelines that this one is connected to, which are started if need be."""
        places = set()
        for key in CONNECTED if self.kind == "pipeline" else ():
            if other := whole.get(key):
                if self._find_stream is not None:
                    self._find_stream("pipeline", str(other))
                places.add(self.where(str(other)))
        return places - {""}

    def _near(self, camera: str) -> str:
        """The host that a camera's images come from, where that makes a difference."""
        hosts = {host_of(address) for address in self._fleet.servers()}
        if not camera or len(hosts) < 2 or self._find_stream is None:
            return ""
        try:
            return host_of(self._find_stream("camera", camera))
        except RepstreamError:  # then the pipeline says why
            return ""

    def _end(self, name: str, end: Callable[[Host], None]) -> None:
        with self._turns.of(name):
            hosts, mute = self._fleet.hosts(), self._fleet.may_have(name)
            self._places.unwanted(name, mute)
            there = [host for host in hosts if name in host.look().running]
            place = self._places.of(name) or self.address
            last = [host for host in hosts if host.address == place and not host.look().problem]
            for host in there or last:
                end(host)
        if mute and not there:
            raise EngineUnreachable(
                f"{name} may go on at {', '.join(mute)}, which cannot be reached, and is stopped when it can"
            )

    def _each(self, hosts: list[Host], do: Callable[[Host], None]) -> None:
        """Do it with all that can be reached, one beside the other; what fails is logged."""

        def one(host: Host) -> None:
            try:
                do(host)
            except RepstreamError as error:
                log.warning("server %s: %s", host.address, error)

        threads = [threading.Thread(target=one, args=(each,)) for each in hosts if not each.look().problem]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _looked(self, host: RemoteHost, before: Look, now: Look) -> None:
        """Take note of what a server says now; what has to be asked of it is asked in another thread."""
        if bool(now.problem) != bool(before.problem):
            level = logging.WARNING if now.problem else logging.INFO
            log.log(level, "server %s %s", host.address, now.problem or "answers")
        if now.restarts > before.restarts:
            self._places.started_anew(host.address)
        unwanted = self._places.seen(now.running, host.address)
        gone = {} if now.problem else before.running
        ended = [info for name, info in gone.items() if name not in now.running]
        if unwanted or ended:
            threading.Thread(target=self._settle, args=(host, unwanted, ended), daemon=True).start()
        for name in {*before.instances, *now.instances}:
            if before.running.get(name) != now.running.get(name):
                self._followers.call(name)

    def _settle(self, host: RemoteHost, unwanted: list[str], ended: list[InstanceInfo]) -> None:
        for name in unwanted:
            log.warning("%s at %s was stopped or started elsewhere: it is ended there", name, host.address)
            try:
                host.stop(name)
            except RepstreamError as error:
                log.warning("server %s: %s", host.address, error)
                self._places.unwanted(name, [host.address])
        for info in ended:
            with suppress(RepstreamError):
                if reason := _reason(info, host.logs(info.name)):
                    self._places.ended(info.name, reason)
                    self._followers.call(info.name)


def _reason(info: InstanceInfo, records: Sequence[LogRecord]) -> str:
    """Why an instance has ended, by the last error in its log since its start; empty where there is none."""
    errors = [each.text for each in records if each.level == "ERROR" and each.time >= info.started]
    return errors[-1] if errors else ""


def _without_read_only(config: Configuration) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "read_only"}
