"""caproto's server with port and interface given, puts in order, and beacons that make no noise."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping
from ipaddress import ip_address
from typing import Any

import caproto
from caproto.asyncio.server import Context, VirtualCircuit
from caproto.server.common import DisconnectedCircuit

from repstream_epics.channels import Channel
from repstream_epics.requests import SETTLED
from repstream_epics.updates import Backlog, Dispatch

log = logging.getLogger(__name__)

_ORDER_PATIENCE = 0.2
"""Seconds that a client's next request waits at most for its put to be taken."""

_FIRST_BEACON, _LAST_BEACON = 0.02, 15.0
"""Seconds between beacons, doubled from the first to the last (Channel Access protocol)."""


class Circuit(VirtualCircuit):  # type: ignore[misc]  # caproto is untyped
    """A client's connection: a request waits until the put before it has been taken or refused.

    So ``caput X 5; caget X_RBV`` and a row of puts mean what they say. The end of a long command is not
    waited for. The answer to a put leaves behind every update that was published before it; in caproto
    clients saw the end of a command before its results.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._backlog = Backlog()
        self._updates = asyncio.Event()
        self._is_slow = False

    def receive(self, subscription: int, update: bytes) -> None:
        """Take an update to be sent; while the client asks for none, only the newest of each PV."""
        only_newest = not self.events_on.is_set()
        if self._backlog.add(subscription, update, only_newest) and not only_newest and not self._is_slow:
            self._is_slow = True
            log.warning("client %s takes updates too slowly and gets the newest only", self.circuit.address)
        self._updates.set()

    async def subscription_queue_loop(self) -> None:
        """Send what comes as soon as the client takes it; what comes meanwhile goes together."""
        self.events_on.set()
        try:
            while True:
                await self._updates.wait()
                await self.events_on.wait()
                self._updates.clear()
                await self._send_updates()
                await asyncio.sleep(0)
        except DisconnectedCircuit:
            self._sub_task = None  # caproto would wait for its end, which is here
            await self._on_disconnect()
            self.circuit.disconnect()
            await self.context.circuit_disconnected(self)

    async def _send_updates(self) -> None:
        updates = self._backlog.take(self.circuit.event_add_commands)
        if updates and self.connected:
            try:
                await self._send_buffers(updates)
            except (OSError, caproto.CaprotoNetworkError) as error:
                raise DisconnectedCircuit(str(error)) from error

    async def send(self, *commands: Any) -> None:
        if any(isinstance(command, caproto.WriteNotifyResponse) for command in commands):
            await self._send_updates()
        await super().send(*commands)

    async def let_go(self, channel: Any) -> None:
        """Disconnect the client from one PV; it searches for it then."""
        with contextlib.suppress(DisconnectedCircuit):
            await self._cull_subscriptions(None, lambda subscription: subscription.channel is channel)
            await self.send(channel.disconnect())

    async def _command_queue_iteration(self, command: Any) -> Any:
        """Leave out what a client asks of a channel that it does not yet know to be gone.

        caproto would take that for an error after which it hears no more of this client.
        """
        sid = getattr(command, "sid", None)
        if sid is not None and sid not in self.circuit.channels_sid:
            return None
        return await super()._command_queue_iteration(command)

    async def _start_write_task(self, handle_write: Callable[[], Awaitable[None]]) -> None:
        settled = asyncio.Event()
        SETTLED.set(settled)  # the task takes a copy of the context
        self.tasks.create(handle_write()).add_done_callback(lambda _: settled.set())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ORDER_PATIENCE):
                await settled.wait()


class Server(Context):  # type: ignore[misc]  # caproto is untyped
    """Serves channels on one interface and port (0: any free one) until cancelled."""

    CircuitClass = Circuit

    def clients(self) -> tuple[int, int]:
        """How many clients there are, and how many channels they have open."""
        circuits = tuple(self.circuits)
        return len(circuits), sum(len(circuit.circuit.channels) for circuit in circuits)

    def __init__(self, channels: Mapping[str, Channel], interface: str, port: int) -> None:
        super().__init__(dict(channels), [socket.gethostbyname(interface)])
        self.ca_server_port = port  # instead of the process' EPICS_CA_SERVER_PORT
        self.subscription_queue = Dispatch(self.subscriptions, self.last_dead_band)
        self._changed = asyncio.Event()

    def offer(self, channels: Mapping[str, Channel]) -> None:
        """Serve more PVs; clients that have sought them for long are woken by the beacons."""
        self.pvdb |= channels
        self._changed.set()

    async def withdraw(self, names: Collection[str]) -> None:
        """Serve some PVs no more, and disconnect their clients."""
        for name in [
            each for each in self.pvdb if _record(each) in names
        ]:  # fields, too, which are kept there
            del self.pvdb[name]
        for circuit in tuple(self.circuits):
            for channel in tuple(circuit.circuit.channels.values()):
                if _record(channel.name) in names:
                    await circuit.let_go(channel)

    async def subscription_queue_loop(self) -> None:
        """Updates are handed on where they are published."""

    async def serve(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled; calls `ready` once clients can connect. Raises `OSError` for a used port."""

        async def started(_: Any) -> None:
            ready()

        try:
            await self.run(startup_hook=started)
        finally:
            for circuit in tuple(self.circuits):
                circuit.client.close()
            await asyncio.sleep(0)

    async def _bind_tcp_sockets_with_consistent_port_number(
        self, make_socket: Callable[[str, int], Awaitable[socket.socket]]
    ) -> tuple[int, dict[str, socket.socket]]:
        """Where searches are broadcast IOCs share the port and each takes its own TCP port, as base does.

        On a single address only one of two would be found (tried), so there it is an error.
        """
        (interface,) = self.interfaces
        try:
            listening = self._listening(interface)
        except OSError as error:
            if not ip_address(interface).is_unspecified:
                where = f"Channel Access port {self.ca_server_port} on {interface}"
                raise OSError(error.errno, f"{where} cannot be opened: {error.strerror}") from error
            listening = _bound(interface, 0)
        port = listening.getsockname()[1]
        self.ca_server_port = self.ca_server_port or port
        return port, {interface: listening}

    def _listening(self, interface: str) -> socket.socket:
        """The port for connections; any free one is free for searches too, which come by UDP."""
        while True:
            listening = _bound(interface, self.ca_server_port)
            if self.ca_server_port:
                return listening
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as searches:
                try:
                    searches.bind(listening.getsockname())
                    return listening
                except OSError:
                    listening.close()

    async def broadcast_beacon_loop(self) -> None:
        """Announce this server to clients; to nobody beyond this host while it listens on loopback.

        The socket is not connected: caproto's is, and logs a traceback for each beacon that nobody hears.
        """
        (interface,) = self.interfaces
        targets = list(self.beacon_socks)
        if ip_address(interface).is_loopback:
            targets = [(interface, self.environ["EPICS_CAS_BEACON_PORT"])]
        period = _FIRST_BEACON
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as beacons:
            beacons.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            beacons.setblocking(False)
            while True:
                message = self.broadcaster.send(caproto.Beacon(13, self.port, self.beacon_count, interface))
                for target in targets:
                    with contextlib.suppress(OSError):  # a network that is away now may be back for the next
                        beacons.sendto(message, target)
                self.beacon_count += 1
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(period):
                        await self._changed.wait()
                period = min(2 * period, _LAST_BEACON)
                if self._changed.is_set():
                    # As after a start: a beacon that comes too early has clients search anew.
                    self._changed.clear()
                    period = _FIRST_BEACON


def _record(name: str) -> str:
    """The record that a name with a field or a modifier belongs to."""
    return name.partition(".")[0]


def _bound(interface: str, port: int) -> socket.socket:
    """A socket for connections. caproto's function leaves one open where the port is in use."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind((interface, port))
    except OSError:
        bound.close()
        raise
    return bound
