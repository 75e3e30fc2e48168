"""Which source an address stands for."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol

import zmq

from repstream.errors import Refused
from repstream.parameters.source import SOURCES, SourceConfig
from repstream.sources.source import Source

EXTRAS = {"pva": "pva", "ca": "epics", "cam": "epics"}
"""The extra that brings the library of a scheme."""


class Opener(Protocol):
    """`open_source` of a module that provides a source."""

    def __call__(
        self, config: SourceConfig, context: zmq.Context[zmq.Socket[bytes]], expected: int
    ) -> Source:
        """Open a source. `expected` is the size of a frame in bytes, 0 where nothing is known of it.

        `context` is that of the data plane, for sources that are ZMQ sockets. Raises `Refused` where
        the source cannot be had; nothing stays open then.
        """


def open_source(config: SourceConfig, context: zmq.Context[zmq.Socket[bytes]], expected: int = 0) -> Source:
    """The source at the configured address; see `Opener`."""
    # Imported when it is asked for: a source may need a library that is not installed everywhere.
    scheme = config.address.partition("://")[0]
    try:
        module: Any = import_module(SOURCES[scheme])
    except ImportError as error:
        extra = EXTRAS.get(scheme, scheme)
        raise Refused(
            "source.address", f"{scheme}:// needs {error.name}: pip install 'repstream[{extra}]'"
        ) from error
    opener: Opener = module.open_source
    return opener(config, context, expected)
