"""Streams of multipart ZMQ messages, with the interface of mflow (PyPI: psi-mflow 1.0.0).

A script that uses mflow changes its import and nothing else::

    from repstream import mflow

    stream = mflow.connect("tcp://detector:9999", mode=mflow.SUB, receive_timeout=1000)
    message = stream.receive()
    if message is not None:
        image = message.data["data"][0]
    stream.disconnect()
"""

from __future__ import annotations

import json
import logging
from collections import ChainMap
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any, Self

import numpy as np
import zmq

from repstream.errors import MalformedMessage
from repstream.mflow.handlers import array_1_0, dectris_v2, dheader_1_0, dimage_1_0, dseries_end_1_0, raw_1_0
from repstream.mflow.handlers.sending import dumps
from repstream.mflow.receiver import Message, ReceiveHandler, Statistics
from repstream.mflow.registry import (
    Receive,
    Send,
    handler_modules,
    handlers,
    receive_handlers,
    receiving,
    send_handlers,
)
from repstream.mflow.utils import ConnectionCountMonitor, SocketEventListener, no_clients_timeout_notifier

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
    "array_1_0",
    "connect",
    "dheader_1_0",
    "dimage_1_0",
    "disconnect",
    "dseries_end_1_0",
    "handler_modules",
    "handlers",
    "json",
    "logger",
    "logging",
    "no_clients_timeout_notifier",
    "raw_1_0",
    "receive_handlers",
    "send_handlers",
    "zmq",
]

CONNECT = "connect"
BIND = "bind"

PUB = zmq.PUB
SUB = zmq.SUB
PUSH = zmq.PUSH
PULL = zmq.PULL

Context = zmq.Context[zmq.Socket[bytes]]
Monitor = Callable[[dict[str, Any] | None], object]

_ZERO_COPY_BYTES = 65_536
"""Bytes from this size on are sent without a copy; below, a copy is cheaper than sharing."""

logger = logging.getLogger(__name__)


class Stream:
    """One socket that messages are received from or sent to; made by `connect`.

    `handlers`: what decodes the messages of this stream, by `htype`. What is set here comes
    before the handlers of all streams; a dict in its place replaces them. `socket`, `receiver`
    (of a stream that receives) and `address` are None before `connect`. Used from one thread;
    monitors are called from another.
    """

    socket: zmq.Socket[bytes]
    receiver: ReceiveHandler

    def __init__(self) -> None:
        self.context: Context | None = None
        # None up to `connect`, which no method but that one is called before.
        self.socket = None  # type: ignore[assignment]
        self.receiver = None  # type: ignore[assignment]
        self.address: str | None = None
        self.zmq_copy = True
        self.handlers: MutableMapping[str, Any] = ChainMap({}, receive_handlers)
        self._owns_context = False
        self._monitors: list[Monitor] = []
        self._listener = SocketEventListener(self._monitors)

    def connect(  # noqa: PLR0917 (mflow's own order)
        self,
        address: str,
        conn_type: str = CONNECT,
        mode: int = PULL,
        receive_timeout: int | None = None,
        queue_size: int = 100,
        linger: int = 1000,
        context: Context | None = None,
        copy: bool = True,
        send_timeout: int | None = None,
    ) -> None:
        """Open the socket; for the arguments see `repstream.mflow.connect`.

        With a `context` of one's own, `disconnect` leaves that open. Raises `RuntimeError`
        where the address cannot be connected to or bound; nothing stays open then.
        """
        self._owns_context = context is None
        self.context = context or zmq.Context()
        self.socket = socket = self.context.socket(mode)
        if mode == SUB:
            socket.subscribe(b"")
        socket.linger = linger
        socket.set_hwm(queue_size)
        # 0 and None mean the same here: no limit.
        socket.rcvtimeo = receive_timeout or -1
        socket.sndtimeo = send_timeout or -1
        try:
            if self._monitors:
                self._listener.start(socket)
            (socket.connect if conn_type == CONNECT else socket.bind)(address)
        except Exception as error:
            self._close()
            raise RuntimeError(f"Unable to {conn_type} to {address}: {error}") from error
        self.address = address
        self.zmq_copy = copy
        self._send = super(zmq.Socket, socket).send
        if mode in (SUB, PULL):
            self.receiver = ReceiveHandler(socket, copy)
        logger.info("%s %s", "Connected to" if conn_type == CONNECT else "Bound to", address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    def receive(self, handler: Receive | None = None, block: bool = True) -> Message | None:
        """The next message, decoded by `handler`, or by the one that its format has.

        None when nothing came (within the receive timeout, or at all where not to `block`),
        and for a message that cannot be decoded: it is logged, counted and left out.
        """
        receiver = self.receiver
        receiver.block = block
        if not receiver.begin():
            return None
        data = None
        try:
            if handler is None:
                handler = self._handler_of(receiver)
            data = handler(receiver)
        except MalformedMessage as error:
            logger.warning("Unable to decode message - skipping: %s", error)
        except Exception:
            logger.exception("Unable to decode message - skipping")
        # An array alone does not say whether it is something.
        taken = bool(data) if not isinstance(data, np.ndarray) else True
        receiver.flush(taken)
        return Message(receiver.statistics, data) if taken else None

    def receive_raw(self, block: bool = True) -> Message | None:
        """The next message of any format as its JSON header and its other parts (see raw-1.0)."""
        return self.receive(handler=receive_handlers["raw-1.0"], block=block)

    def send(self, message: Any, send_more: bool = False, block: bool = True, as_json: bool = False) -> bool:
        """Send one part: bytes or any other buffer, or (`as_json`) a document.

        Whether the socket took it; False only where not to `block`. Raises `zmq.Again` when
        the send timeout is over. Without copying (`copy=False`), do not change what was sent.
        """
        if as_json:
            message = dumps(message)
        flags = (zmq.SNDMORE if send_more else 0) | (0 if block else zmq.NOBLOCK)
        # Nobody can change bytes, so that these need no copy where it costs more than it saves.
        copy = self.zmq_copy and not (type(message) is bytes and len(message) >= _ZERO_COPY_BYTES)
        try:
            self._send(message, flags, copy)
        except zmq.Again:
            if block:
                raise
            return False
        return True

    def forward(self, message: Any, handler: Send | None = None, block: bool = True) -> None:
        """Send a decoded message again (the `data` of what `receive` gave), by its format.

        One that cannot be encoded or sent is logged and left out. Raises `KeyError` or
        `TypeError` where it has no header that names a format.
        """
        htype = None if handler is not None else _htype(message["header"])
        try:
            if handler is None:
                handler = send_handlers[htype or ""]
            handler(message, send=self.send, block=block)
        except Exception:
            logger.warning("Unable to send message of %s - skipping", htype, exc_info=True)

    def disconnect(self) -> None:
        """Close the socket; what waits in it has its linger time to get out. Twice is harmless."""
        if self.socket is None or self.socket.closed:
            logger.warning("Trying to close an already closed socket... ignore and return")
            return
        self._close()
        logger.info("Disconnected")

    def register_socket_monitor(self, monitor: Monitor) -> None:
        """Call `monitor` at each event of the socket, and with None ten times a second.

        An event is a dict with `event` (a number of `zmq.Event`), `value` and `endpoint`.
        """
        if monitor not in self._monitors:
            self._monitors.append(monitor)
        if self.socket is not None and not self.socket.closed:
            self._listener.start(self.socket)

    def remove_socket_monitor(self, callback_function: Monitor) -> None:
        """Call this monitor no more."""
        if callback_function in self._monitors:
            self._monitors.remove(callback_function)
        if not self._monitors:
            self._listener.stop()

    def _handler_of(self, receiver: ReceiveHandler) -> Receive:
        htype = dectris_v2.HTYPE if receiver.is_cbor() else _htype(receiver.header())
        try:
            return receiving(self.handlers[htype])
        except KeyError:
            raise MalformedMessage("htype", f"no handler for {htype!r}") from None

    def _close(self) -> None:
        self._listener.stop()
        self.socket.close()
        if self._owns_context and self.context is not None:
            self.context.term()


def _htype(header: Any) -> str:
    """The format that a header names; GigaFRoST's is a list of one."""
    htype = header.get("htype") if isinstance(header, dict) else None
    if isinstance(htype, list) and len(htype) == 1:
        htype = htype[0]
    if not isinstance(htype, str):
        raise MalformedMessage("htype", "the header names no format")
    return htype


def connect(  # noqa: PLR0917 (mflow's own order)
    address: str,
    conn_type: str = "connect",
    mode: int = PULL,
    queue_size: int = 100,
    receive_timeout: int | None = None,
    linger: int = 1000,
    no_client_action: Callable[[], object] | None = None,
    no_client_timeout: float = 10,
    copy: bool = True,
    send_timeout: int | None = None,
) -> Stream:
    """A stream from or to an address such as ``tcp://host:9999``, or ``tcp://*:9999`` to bind.

    `conn_type`: CONNECT or BIND. `mode`: PULL, SUB (receive), PUSH, PUB (send). `queue_size`:
    messages that may wait in the socket. `receive_timeout`, `send_timeout`, `linger`: in ms;
    None waits without limit, a linger of -1 too. `no_client_action` is called, from a thread
    of its own, whenever nobody has been connected for `no_client_timeout` seconds. `copy`:
    False gives parts as views of the received memory and sends without copying.

    Raises `RuntimeError` where the address cannot be connected to or bound.
    """
    stream = Stream()
    if no_client_action is not None:
        notify = no_clients_timeout_notifier(no_client_action, no_client_timeout)
        stream.register_socket_monitor(ConnectionCountMonitor(notify))
    stream.connect(
        address,
        conn_type=conn_type,
        mode=mode,
        receive_timeout=receive_timeout,
        queue_size=queue_size,
        linger=linger,
        copy=copy,
        send_timeout=send_timeout,
    )
    return stream


def disconnect(stream: Stream) -> None:
    """Close a stream."""
    stream.disconnect()
