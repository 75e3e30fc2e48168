"""The socket that hears a stream, for commands."""

from __future__ import annotations

import typer
import zmq

WAITING_MESSAGES = 100


def stream_socket(
    context: zmq.Context[zmq.Socket[bytes]], address: str, mode: str, bind: bool
) -> zmq.Socket[bytes]:
    """A PULL socket (mode ``pull``) or a SUB that takes all; raises `typer.BadParameter`."""
    socket = context.socket(zmq.PULL if mode == "pull" else zmq.SUB)
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
