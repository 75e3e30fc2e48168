"""The socket that hears a stream, for commands."""

from __future__ import annotations

from typing import Annotated

import typer
import zmq

from repstream.errors import Refused
from repstream.sockets.security import Security, security

CurveKey = Annotated[
    str, typer.Option("--curve-key", metavar="NAME", help="Own key pair, for a stream that is encrypted.")
]
CurvePeers = Annotated[
    str,
    typer.Option(
        "--curve-peers",
        metavar="NAMES",
        help="Public key of the other side; of a side that binds: those who may connect, * for all.",
    ),
]

WAITING_MESSAGES = 100


def stream_socket(
    context: zmq.Context[zmq.Socket[bytes]], address: str, mode: str, bind: bool, security: Security
) -> zmq.Socket[bytes]:
    """A PULL socket (mode ``pull``) or a SUB that takes all; raises `typer.BadParameter`."""
    socket = context.socket(zmq.PULL if mode == "pull" else zmq.SUB)
    security.apply(context, socket)
    socket.rcvhwm = WAITING_MESSAGES
    socket.linger = 0
    if mode == "sub":
        socket.subscribe(b"")
    try:
        (socket.bind if bind else socket.connect)(address)
    except zmq.ZMQError as error:
        socket.close()
        raise typer.BadParameter(f"{address}: {error.strerror}") from error
    return socket


def encryption(key: str, peers: str, *, binds: bool) -> Security:
    """What `--curve-key` and `--curve-peers` mean; raises `typer.BadParameter`."""
    try:
        return security(key, peers, "stream", binds=binds)
    except Refused as error:
        raise typer.BadParameter(error.reason, param_hint="--curve-key or --curve-peers") from error
