"""`Fleet`: the servers of the file as they are, this one among them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from repstream.errors import Refused, RepstreamError
from repstream.instances.description import Kind
from repstream.instances.spread.host import Host, Look, OwnHost
from repstream.instances.spread.placement import Candidate
from repstream.instances.spread.remote import RemoteHost
from repstream.instances.spread.servers import Server, ServersFile

log = logging.getLogger(__name__)


class Fleet:
    """Connections that follow the file. Thread-safe; waits for nobody but in the beginning. `close` it.

    `on_look` is called after each look at another server (`RemoteHost`).
    """

    def __init__(
        self,
        kind: Kind,
        own: OwnHost,
        file: ServersFile,
        on_look: Callable[[RemoteHost, Look, Look], None],
        patience: float,
    ) -> None:
        self._kind: Kind = kind
        self._own = own
        self._file = file
        self._on_look = on_look
        self._patience = patience
        self._lock = threading.Lock()
        self._remote: dict[str, RemoteHost] = {}
        self._complaint = ""
        self._closed = False

    def open(self) -> None:
        """Connect, and wait until each server has answered or is known not to; raises `Refused`."""
        self._file.servers()  # one that cannot be read is said at once
        self.servers()
        for host in list(self._remote.values()):
            host.has_looked.wait(self._patience + 1)

    def servers(self) -> Mapping[str, Server]:
        """What the file says of those that are enabled, by address."""
        try:
            listed = self._file.servers()
            self._complaint = ""
        except RepstreamError as error:
            if str(error) != self._complaint:
                log.error("the servers stay as they are: %s", error)
                self._complaint = str(error)
            listed = {address: Server() for address in (*self._remote, self._own.address)}
        enabled = {address: server for address, server in listed.items() if server.enabled}
        with self._lock:
            if not self._closed:
                for address in self._remote.keys() - enabled.keys():
                    self._remote.pop(address).close()
                for address in enabled.keys() - self._remote.keys() - {self._own.address}:
                    self._remote[address] = RemoteHost(address, self._kind, self._on_look, self._patience)
        return enabled

    def hosts(self) -> list[Host]:
        """This server, whose instances go on also where the file does not name it, and the others."""
        self.servers()
        with self._lock:
            return [self._own, *self._remote.values()]

    def host(self, address: str) -> Host:
        """The server with this address; raises `Refused`."""
        for host in self.hosts():
            if host.address == address:
                return host
        raise Refused("server", f"there is no server '{address:.100}'")

    def looks(self) -> dict[str, Look]:
        """How each of those that are enabled is, by address."""
        enabled = self.servers()
        found = {host.address: host.look() for host in self.hosts()}
        return {address: found[address] for address in enabled if address in found}

    def candidates(self, starting: Mapping[str, int]) -> list[Candidate]:
        """Those that are enabled, for an instance that is to be placed; `starting`: on the way to each."""
        enabled = self.servers()
        return [
            Candidate(
                address,
                enabled[address],
                look.problem,
                len(look.running) + starting.get(address, 0),
                sum(each.statistics.cpu for each in look.running.values()),
            )
            for address, look in self.looks().items()
            if address in enabled
        ]

    def may_have(self, name: str) -> list[str]:
        """The servers that cannot be reached and had an instance of this name."""
        looks = {host.address: host.look() for host in self.hosts()}
        return [address for address, look in looks.items() if look.problem and name in look.instances]

    def close(self) -> None:
        """Leave the others, and end what runs here."""
        with self._lock:
            self._closed = True
            remote = list(self._remote.values())
        for host in remote:
            host.close()
        self._own.close()
