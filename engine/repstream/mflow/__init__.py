"""Streams of ZMQ messages with mflow's interface: `from repstream import mflow`, and go on."""

from repstream.mflow import utils
from repstream.mflow import utils as tools
from repstream.mflow.mflow import (
    BIND,
    CONNECT,
    PUB,
    PULL,
    PUSH,
    SUB,
    Message,
    ReceiveHandler,
    Statistics,
    Stream,
    connect,
    disconnect,
    handlers,
    receive_handlers,
    send_handlers,
)
from repstream.mflow.utils import (
    ConnectionCountMonitor,
    SocketEventListener,
    no_clients_timeout_notifier,
)

__all__ = [
    "BIND",
    "CONNECT",
    "PUB",
    "PULL",
    "PUSH",
    "SUB",
    "ConnectionCountMonitor",
    "Message",
    "ReceiveHandler",
    "SocketEventListener",
    "Statistics",
    "Stream",
    "connect",
    "disconnect",
    "handlers",
    "no_clients_timeout_notifier",
    "receive_handlers",
    "send_handlers",
    "tools",
    "utils",
]
