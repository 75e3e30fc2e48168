"""The HTTP server: an application on uvicorn, in a thread of its own."""

from __future__ import annotations

import socket
import threading
import time

import uvicorn
from fastapi import FastAPI

from repstream.lifetime import Running
from repstream_http.certificate import Certificate
from repstream_http.door import TlsServer

PATIENCE = 2
"""Seconds that a stop gives to requests under way (one may follow a command for hours)."""
MESSAGE_LIMIT = 1 << 20
"""Bytes of a message that a client sends over a WebSocket; what they send has some hundred."""


class HttpServer(Running):
    """Serves an ASGI application over HTTP, with a `certificate` over HTTPS; a context manager.

    `port` 0 takes a free one; `port` is then the one taken. It listens on 127.0.0.1 unless `host`
    says otherwise.
    """

    def __init__(
        self,
        app: FastAPI,
        host: str = "127.0.0.1",
        port: int = 8000,
        certificate: Certificate | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.scheme = "https" if certificate else "http"
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=PATIENCE,
            ws_max_size=MESSAGE_LIMIT,
            ws_per_message_deflate=False,  # pictures are compressed already, and texts are short
        )
        self._server = TlsServer(config, certificate) if certificate else uvicorn.Server(config)
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """Where clients on this host find it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def start(self) -> None:
        """Listen and serve; raises `OSError` where the address cannot be taken."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._socket = socket.create_server((self.host, self.port), family=family, backlog=128)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="http server", daemon=True
        )
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                self.close()
                raise RuntimeError("the HTTP server ended while starting; the log says why")
            time.sleep(0.005)

    def close(self) -> None:
        """End all connections and the thread; harmless when not running."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
