"""Several streams received as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import zmq

from repstream.mflow.receiver import Message, ReceiveHandler
from repstream.mflow.registry import Receive


class _Stream(Protocol):
    """What merging wants of a stream."""

    socket: zmq.Socket[bytes]
    receiver: ReceiveHandler

    def receive(self, handler: Receive | None = None, block: bool = True) -> Message | None: ...

    def disconnect(self) -> None: ...


class Strategy(Protocol):
    """Says which stream is asked next."""

    def next(self, streams: Sequence[Any]) -> int:
        """The index of that stream."""
        ...


class RoundRobinStrategy:
    """One stream after the other."""

    def __init__(self) -> None:
        self.last_stream_read: int | None = None

    def next(self, streams: Sequence[Any]) -> int:
        last = -1 if self.last_stream_read is None else self.last_stream_read
        self.last_stream_read = (last + 1) % len(streams)
        return self.last_stream_read


class Merge:
    """Streams that are received in turn, message by message; one that has none is passed over.

    `receive_strategy` chooses the next one to ask. Raises `ValueError` without streams.
    """

    def __init__(self, *streams: _Stream, receive_strategy: Strategy | None = None) -> None:
        if not streams:
            raise ValueError("nothing to merge: no streams were given")
        self.streams = streams
        self.receive_strategy = receive_strategy or RoundRobinStrategy()

    def receive(self, handler: Receive | None = None, block: bool = True) -> Message | None:
        """The next message of any stream, None where none has one.

        Waits for one, where to `block`, as long as the shortest receive timeout among the
        streams; not at all where none of them has a timeout.
        """
        message = self._ask(handler)
        if message is None and block and self._wait():
            message = self._ask(handler)
        return message

    def disconnect(self) -> None:
        """Close all streams."""
        for stream in self.streams:
            stream.disconnect()

    def _ask(self, handler: Receive | None) -> Message | None:
        for _ in self.streams:
            stream = self.streams[self.receive_strategy.next(self.streams)]
            message = stream.receive(handler=handler, block=False)
            if message is not None:
                return message
        return None

    def _wait(self) -> bool:
        timeouts = [stream.socket.get(zmq.RCVTIMEO) for stream in self.streams]
        limited = [timeout for timeout in timeouts if isinstance(timeout, int) and timeout > 0]
        if not limited:
            return False
        return bool(zmq.zmq_poll([(stream.socket, zmq.POLLIN) for stream in self.streams], min(limited)))
