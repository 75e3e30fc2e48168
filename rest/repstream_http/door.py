"""The door of a server with TLS: encrypted connections come in, plain ones learn that they must encrypt.

A browser that is given `host:port` asks in plain HTTP first, and so do scripts with an old address. TLS alone
would hang up on them without a word.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

import uvicorn

from repstream_http.certificate import Certificate

log = logging.getLogger(__name__)

HANDSHAKE = b"\x16"
"""What a TLS connection begins with: the content type of a handshake (RFC 8446 section 5.1)."""
PATIENCE = 10.0
"""Seconds that a client has to begin, and then to finish its handshake or its plain request."""
FAREWELL = 1.0
"""Seconds in which a client that was turned away may read why, or answer the farewell of TLS."""
HEAD = 8192
PAUSE = 0.5
"""Seconds before the next try where no connection can be taken, as with too many open files."""

_REQUEST = re.compile(rb"(?P<method>[A-Z]+) (?P<target>/[!-~]*) HTTP/1\.[01]\r?\n(?P<fields>.*)", re.DOTALL)
_FIELD = re.compile(rb"^(?P<name>[\w-]+):[ \t]*(?P<value>[^\r\n]*?)[ \t]*\r?$", re.MULTILINE)
_HOST = re.compile(rb"[\w.-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?")


class TlsServer(uvicorn.Server):
    """uvicorn behind such a door; `sockets` is the one that listens."""

    def __init__(self, config: uvicorn.Config, certificate: Certificate) -> None:
        super().__init__(config)
        self._certificate = certificate
        self._arrivals: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        assert sockets
        sockets[0].setblocking(False)
        await super().startup(sockets=[])
        self._door = asyncio.create_task(self._receive(sockets[0]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._door.cancel()
        for arrival in self._arrivals:
            arrival.cancel()
        await asyncio.gather(self._door, *self._arrivals, return_exceptions=True)
        await super().shutdown(sockets)
        # Who does not answer the farewell of TLS would keep the loop from ending.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                while self.server_state.connections:
                    await asyncio.sleep(0.01)

    async def _receive(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                arrived, _ = await loop.sock_accept(listening)
            except OSError as error:
                log.error("no connection can be taken: %s", error.strerror)
                await asyncio.sleep(PAUSE)
                continue
            arrival = asyncio.create_task(self._let_in(arrived))
            self._arrivals.add(arrival)
            arrival.add_done_callback(self._arrivals.discard)

    async def _let_in(self, arrived: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE):
                first = await _first_byte(arrived)
            if first == HANDSHAKE:
                await loop.connect_accepted_socket(
                    self._protocol,
                    arrived,
                    ssl=self._certificate.context(),
                    ssl_handshake_timeout=PATIENCE,
                    ssl_shutdown_timeout=FAREWELL,
                )
                return  # the connection has the socket now
            async with asyncio.timeout(PATIENCE):
                await _turn_away(arrived)
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            log.debug("a connection came to nothing: %s", error)
        except BaseException:
            arrived.close()
            raise
        arrived.close()

    def _protocol(self) -> asyncio.Protocol:
        """What `uvicorn.Server.startup` makes for each connection."""
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


async def _first_byte(arrived: socket.socket) -> bytes:
    """The first byte, which stays to be read; empty where the other end has hung up."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(arrived, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(arrived)
    return arrived.recv(1, socket.MSG_PEEK)


async def _turn_away(arrived: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    head = b""
    while b"\r\n\r\n" not in head and len(head) < HEAD:
        more = await loop.sock_recv(arrived, HEAD)
        if not more:
            break
        head += more
    answer = answer_to(head)
    if not answer:
        return
    await loop.sock_sendall(arrived, answer)
    arrived.shutdown(socket.SHUT_WR)
    with suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL):
            while await loop.sock_recv(arrived, 1 << 16):
                pass  # a connection that is closed with unread bytes loses what was sent


def answer_to(head: bytes) -> bytes:
    """The answer to the head of a plain request; nothing to what is no HTTP.

    A person's browser is led to the encrypted page. A program is refused: to be led there would hide that it
    sends its token in the open each time.
    """
    request = _REQUEST.match(head)
    if request is None:
        return b""
    fields = {f["name"].lower(): f["value"] for f in _FIELD.finditer(request["fields"])}
    host = fields.get(b"host", b"")
    url = b"https://" + host + request["target"] if _HOST.fullmatch(host) else b""
    a_person = request["method"] == b"GET" and b"text/html" in fields.get(b"accept", b"")
    if url and a_person and b"authorization" not in fields:
        return _answer(HTTPStatus.TEMPORARY_REDIRECT, b"", b"location: " + url + b"\r\n")
    reason = f"this port speaks HTTPS only: ask {url.decode() or 'with https://'}"
    error = {"subject": request["target"].decode(), "reason": reason, "allowed": ["https"]}
    kind = b"content-type: application/json\r\n"
    return _answer(HTTPStatus.BAD_REQUEST, json.dumps({"error": error}).encode(), kind)


def _answer(status: HTTPStatus, body: bytes, fields: bytes) -> bytes:
    line = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n"
    return line.encode() + fields + b"\r\n" + body
