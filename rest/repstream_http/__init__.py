"""repstream over HTTP: a JSON API, a WebSocket of changes, Prometheus metrics."""

from repstream_http.app import create_app
from repstream_http.server import HttpServer

__all__ = ["HttpServer", "create_app"]
