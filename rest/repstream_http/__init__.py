"""repstream over HTTP: a JSON API, a WebSocket of changes, Prometheus metrics.

Imported when first used: programs need the options of this room before they know whether the web
framework, an extra, is installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repstream_http.app import create_app
    from repstream_http.server import HttpServer

__all__ = ["HttpServer", "create_app"]

_HOMES = {"HttpServer": "repstream_http.server", "create_app": "repstream_http.app"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
