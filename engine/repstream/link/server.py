"""The engine's address: serves an engine to front ends and scripts in other processes."""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import zmq

from repstream.errors import EngineFault, RepstreamError
from repstream.lifetime import Running
from repstream.link import wire
from repstream.link.attach import DEFAULT_ADDRESS
from repstream.link.mailbox import Mailbox
from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Role
from repstream.protocol import Completion, Engine, Event, Requester
from repstream.sockets.monitor import PeerMonitor
from repstream.sockets.security import Denials, Security, of_server

log = logging.getLogger(__name__)

LOCK, UNLOCK = "engine.lock", "engine.unlock"

REQUESTS = 32
"""Requests under way at once: some may wait for seconds, and a reset must still get through."""

HIGH_WATER_MARK = 10_000
"""Messages that may wait for one client; one that is slower misses some and joins again."""


class EngineServer(Running):
    """Serves `engine` at `address` (``tcp://127.0.0.1:*`` takes a free port).

    With a `key`, only clients that know it may join: a guard against mistakes, not encryption. That is
    `security`, which the environment asks for where it is not given.
    Raises `zmq.ZMQError` when the address cannot be bound, `Refused` where a key of CURVE is missing.
    """

    def __init__(
        self,
        engine: Engine,
        address: str = DEFAULT_ADDRESS,
        key: str = "",
        security: Security | None = None,
    ) -> None:
        self._security = of_server() if security is None else security
        self._engine = engine
        self._key = key
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._socket = context.socket(zmq.ROUTER)
        self._monitor = PeerMonitor(self._socket)
        self._denials = Denials(f"the engine's address {address}")
        self._socket.setsockopt(zmq.LINGER, 200)
        self._socket.set_hwm(HIGH_WATER_MARK)
        try:
            self._security.apply(context, self._socket)
            self._socket.bind(address)
        except zmq.ZMQError:
            self._monitor.close()
            self._socket.close(0)
            raise
        self.address: str = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._outgoing: Mailbox[tuple[bytes | None, wire.FromEngine]] = Mailbox()
        self._clients: dict[bytes, float] = {}  # identity: monotonic time of the last sign of life
        self._locks: dict[bytes, Requester] = {}  # identity: who has locked the engine from there
        self._completions: deque[Completion] = deque(maxlen=200)
        self._pool = ThreadPoolExecutor(REQUESTS, thread_name_prefix="engine address worker")
        self._thread = threading.Thread(target=self._serve, name="engine address", daemon=True)
        self._ending = threading.Event()

    def start(self) -> None:
        self._subscription = self._engine.subscribe(self._on_event)
        self._thread.start()

    def close(self) -> None:
        """Send what is queued, then stop serving."""
        self._subscription.close()
        self._ending.set()
        self._outgoing.put((None, wire.Pong(0)))
        self._thread.join(5)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._outgoing.close()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Completion):
            self._completions.append(event)
        self._outgoing.put((None, event))

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._outgoing.fileno(), zmq.POLLIN)
        while not self._ending.is_set():
            poller.poll(1000)
            self._send_waiting()
            self._receive_waiting()
            self._forget_silent()
            self._monitor.update()
            if self._security.encrypts:
                self._denials.note(self._monitor.denied)
        self._send_waiting()
        self._monitor.close()
        self._socket.close()

    def _send_waiting(self) -> None:
        for client, message in self._outgoing.take():
            data = wire.encode(message)
            for identity in (client,) if client is not None else tuple(self._clients):
                self._send(identity, data)

    def _send(self, identity: bytes, data: bytes) -> None:
        try:
            self._socket.send_multipart((identity, data), zmq.NOBLOCK)
        except zmq.Again:  # the client is too slow: it will notice the gap and join again
            log.debug("a client of the engine's address is too slow")

    def _receive_waiting(self) -> None:
        while True:
            try:
                identity, *parts = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._take(identity, wire.decode_request(b"".join(parts)))

    def _take(self, identity: bytes, message: wire.ToEngine | wire.Failed | wire.Denied) -> None:
        if isinstance(message, wire.Failed | wire.Denied):
            self._send(identity, wire.encode(message))
        elif isinstance(message, wire.Hello):
            self._hello(identity, message)
        elif identity not in self._clients:
            self._send(identity, wire.encode(wire.Denied("say hello first")))
        elif isinstance(message, wire.Bye):
            self._forget(identity)
        else:
            self._clients[identity] = time.monotonic()
            if isinstance(message, wire.Ping):
                self._send(identity, wire.encode(wire.Pong(0)))
            else:
                self._pool.submit(self._work, identity, message)

    def _hello(self, identity: bytes, hello: wire.Hello) -> None:
        reason = ""
        if hello.version != wire.VERSION:
            reason = (
                f"this engine speaks version {wire.VERSION} of its protocol, not {hello.version}; install "
                "the same version of repstream on both sides"
            )
        elif not hmac.compare_digest(hello.key.encode(), self._key.encode()):
            reason = "wrong key: this engine's address is guarded by one"
        if reason:
            log.warning("%s may not join: %s", hello.requester, reason)
            self._clients.pop(identity, None)
            self._send(identity, wire.encode(wire.Denied(reason)))
            return
        # Joined before the snapshot is taken: what happens meanwhile comes twice rather than never.
        self._clients[identity] = time.monotonic()
        snapshot = self._engine.snapshot()
        name = str(snapshot.values[self._engine.catalogue.key(Role.NAME, Group.ENGINE)])
        welcome = wire.Welcome(wire.VERSION, name, self._engine.catalogue, snapshot, tuple(self._completions))
        self._send(identity, wire.encode(welcome))

    def _work(self, identity: bytes, message: wire.Write | wire.Execute) -> None:
        answer = self._answer(message)
        if isinstance(message, wire.Execute) and isinstance(answer, wire.Done) and message.command == LOCK:
            self._locks[identity] = message.requester
        self._outgoing.put((identity, answer))

    def _answer(self, message: wire.Write | wire.Execute) -> wire.FromEngine:
        def done(handle_id: str = "") -> wire.Done:
            return wire.Done(message.number, self._engine.snapshot().sequence, handle_id)

        try:
            if isinstance(message, wire.Write):
                self._engine.write(message.values, message.requester)
                return done()
            return done(self._engine.execute(message.command, message.argument, message.requester).handle_id)
        except wire.ANSWERS as error:
            return wire.failed(message.number, error, self._engine.snapshot().sequence)
        except Exception as error:  # a fault of ours must not leave the client without an answer
            log.exception("a request failed")
            fault = EngineFault("engine", f"a fault of the engine: {error!r}")
            return wire.failed(message.number, fault, self._engine.snapshot().sequence)

    def _forget_silent(self) -> None:
        limit = time.monotonic() - 4 * wire.SILENCE
        for identity in [i for i, seen in self._clients.items() if seen < limit]:
            self._forget(identity)

    def _forget(self, identity: bytes) -> None:
        """A client has left; the control lock that it took goes with it."""
        del self._clients[identity]
        holder = self._locks.pop(identity, None)
        if holder is not None and holder not in self._locks.values():
            self._pool.submit(self._unlock, holder)

    def _unlock(self, holder: Requester) -> None:
        with suppress(RepstreamError):  # somebody else may hold it by now
            self._engine.execute(UNLOCK, None, holder)
