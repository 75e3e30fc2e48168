"""What a stream asks of the transport behind its queue, and which transport an address stands for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol

import zmq

from repstream.parameters.stream import TRANSPORTS, StreamConfig


class Transport(Protocol):
    """Takes the messages of one stream out of the data plane. Used from one thread.

    A module that provides one has a function `open_transport` (`Opener`).
    """

    @property
    def room(self) -> Any | None:
        """What `zmq.zmq_poll` waits for with POLLOUT until a message is taken; None: ask it each time."""

    @property
    def consumers(self) -> int:
        """Those who are there now."""

    @property
    def disconnects(self) -> int:
        """Those who went away."""

    def send(self, parts: Sequence[Any]) -> bool:
        """Take one message, whole or not at all; whether there was room. Never waits.

        The parts are not copied; who needs them longer keeps a reference to them.
        """

    def update(self) -> None:
        """Follow who comes and goes; called ten times a second."""

    def close(self, linger: float) -> None:
        """Begin to close; what was taken has `linger` seconds to get out, which are not waited for."""


class Opener(Protocol):
    """`open_transport` of a module that provides a transport."""

    def __call__(
        self,
        name: str,
        config: StreamConfig,
        context: zmq.Context[zmq.Socket[bytes]],
        *,
        connect: bool,
        expected: int,
    ) -> Transport:
        """Open the transport of stream `name`.

        With `connect` the consumer binds the address. `expected` is the size of a frame in bytes, 0
        where nothing is known of it. `context` is that of the data plane, for ZMQ sockets. Raises
        `Refused` where the address cannot be had; nothing stays open then.
        """


def open_transport(
    name: str,
    config: StreamConfig,
    context: zmq.Context[zmq.Socket[bytes]],
    *,
    connect: bool = False,
    expected: int = 0,
) -> Transport:
    """The transport for the configured address; see `Opener`."""
    module: Any = import_module(TRANSPORTS[config.address.partition("://")[0]])
    opener: Opener = module.open_transport
    return opener(name, config, context, connect=connect, expected=expected)
