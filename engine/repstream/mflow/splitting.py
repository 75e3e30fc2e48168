"""One stream in, several out: each output with its own policy, and a message is only ever sent whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import zmq
from pydantic import ValidationError

from repstream.dataplane.outputs import StreamOutput
from repstream.dataplane.zmq_transport import SOCKET_BYTES, open_transport
from repstream.errors import InvalidValue, Refused
from repstream.messages.frame import Frame
from repstream.mflow.addresses import binds
from repstream.mflow.frame_id import frame_id_of
from repstream.parameters.complaints import complaint
from repstream.parameters.source import SourceConfig
from repstream.parameters.stream import StreamConfig
from repstream.policies.decimation import BY_ID, Decimation
from repstream.sources.zmq import ZmqSource

QUEUE_SIZE = 100
"""Messages that an input or output holds where nothing is said."""

BURST_MESSAGES = 100
WAIT = 100
RETRY = 1
"""How long (ms) to wait for anything, and for a PUB socket that blocks, whose POLLOUT says nothing."""

WATCH_PERIOD = 0.1

_READS_IDS = BY_ID - {Decimation.FORWARD}
_UNLIMITED = 1_000_000


@dataclass(frozen=True)
class Output:
    """An output: `connects` to its consumer, instead of binding; None where only an attempt shows it."""

    name: str
    config: StreamConfig
    connects: bool | None


def source_of(fields: Mapping[str, Any]) -> SourceConfig:
    """The input of a description: `address`, `mode` (PULL), `queue_size`. Raises `InvalidValue`."""
    known = _known(fields, "source", "PULL")
    known["connection"] = "bind" if binds(known["address"]) else "connect"
    try:
        return SourceConfig.model_validate(known)
    except ValidationError as error:
        raise InvalidValue("source", complaint(error, SourceConfig)) from error


def output_of(number: int, fields: Mapping[str, Any]) -> Output:
    """An output of a description. Raises `InvalidValue`.

    `address`, `mode` (PUSH), `queue_size`, `modulo`, `name`, and everything of a
    `StreamConfig`, such as `policy`, its parameters and `on_slow`. Without `policy`, `modulo`
    alone is one. A PUSH output blocks where its consumer is slow; a PUB output drops.
    """
    known = _known(fields, f"output {number}", "PUSH")
    name = str(known.pop("name", f"output {number}"))
    if "modulo" in known:
        known.setdefault("policy", "modulo")
    known.setdefault("on_slow", "drop_oldest" if known["mode"] == "PUB" else "block")
    try:
        return Output(name, StreamConfig.model_validate(known), not binds(known["address"]))
    except ValidationError as error:
        raise InvalidValue(name, complaint(error, StreamConfig)) from error


def _known(fields: Mapping[str, Any], subject: str, mode: str) -> dict[str, Any]:
    """Fields by our names."""
    if not isinstance(fields, Mapping):
        raise InvalidValue(subject, f"must be an object, not {fields!r:.80}")
    if "address" not in fields:
        raise InvalidValue(subject, "has no address")
    known = {"mode": mode, "queue_size": QUEUE_SIZE, **fields}
    known["mode"] = str(known["mode"]).upper()
    # ZMQ's own word for no limit.
    known["buffer_size"] = known.pop("queue_size") or _UNLIMITED
    return known


class Splitter:
    """Receives from one socket and sends to others, until it is stopped.

    Source, outputs and transports are those of the data plane. The loop is not its router: that decodes each
    message and refuses what is no frame, where this one forwards any message of any format, and it takes
    orders from a service, where this one runs in the thread of a program that has none.

    Nothing is received while an output blocks. Raises `Refused` where an address cannot be
    bound or connected to; nothing stays open then.
    """

    def __init__(self, source: SourceConfig, outputs: Sequence[Output]) -> None:
        self.messages = 0
        self.nbytes = 0
        self.outputs: list[StreamOutput] = []
        self._context = zmq.Context(source.io_threads)
        # A message without an id of its own is taken by its number here.
        self._reads_ids = any(output.config.policy in _READS_IDS for output in outputs)
        self._watched = 0.0
        try:
            for output in outputs:
                self.outputs.append(self._opened(output))
            # Last, so that no message comes before there is somewhere to go.
            self._source = ZmqSource(self._context, source)
        except BaseException:
            self._close_outputs(0)
            raise

    def turn(self) -> None:
        """Wait for something to do, for a short while, and do it."""
        waiting = [output for output in self.outputs if output.waiting]
        wanted: list[tuple[Any, int]] = []
        wait = WAIT
        if not any(output.blocking for output in waiting):
            wanted.append((self._source.socket, zmq.POLLIN))
        for output in waiting:
            if (room := output.transport.room) is not None:
                wanted.append((room, zmq.POLLOUT))
            else:
                wait = RETRY
        zmq.zmq_poll(wanted, wait)
        for output in waiting:
            output.drain()
        self._watch()
        if not any(output.blocking for output in waiting):
            self._receive()

    def drain(self, stop: threading.Event) -> None:
        """Send what waits, until `stop`."""
        while not stop.is_set() and (waiting := [output for output in self.outputs if output.waiting]):
            rooms = [output.transport.room for output in waiting]
            zmq.zmq_poll([(room, zmq.POLLOUT) for room in rooms if room is not None], RETRY)
            for output in waiting:
                output.drain()

    def close(self, linger: float) -> None:
        """Close everything; what the sockets hold has `linger` seconds to get out."""
        self._source.close()
        self._close_outputs(linger)

    def _close_outputs(self, linger: float) -> None:
        for output in self.outputs:
            output.give_up()
            output.close(linger)
        self._context.term()

    def _watch(self) -> None:
        """Follow who comes and goes, now and then."""
        now = time.monotonic()
        if now - self._watched >= WATCH_PERIOD:
            self._watched = now
            self._source.update()
            for output in self.outputs:
                output.watch()

    def _opened(self, output: Output) -> StreamOutput:
        def opened(connect: bool) -> StreamOutput:
            # The size with which the socket, too, holds as many messages as the queue.
            expected = SOCKET_BYTES // output.config.buffer_size
            name, config = output.name, output.config
            transport = open_transport(name, config, self._context, connect=connect, expected=expected)
            return StreamOutput(name, config, transport)

        if output.connects is not None:
            return opened(output.connects)
        try:
            return opened(connect=False)
        except Refused:
            return opened(connect=True)

    def _receive(self) -> None:
        receive, outputs, reads_ids = self._source.receive, self.outputs, self._reads_ids
        for _ in range(BURST_MESSAGES):
            parts = receive()
            if parts is None:
                return
            number = self.messages
            self.messages = number + 1
            nbytes = sum(map(len, parts))
            self.nbytes += nbytes
            frame_id = frame_id_of(parts) if reads_ids else None
            frame = Frame(
                frame_id=number if frame_id is None else frame_id,
                shape=(),
                dtype="",
                big_endian=False,
                encoding="",
                parts=parts,
                payloads=(),
                nbytes=nbytes,
            )
            now, held = time.monotonic(), False
            for output in outputs:
                held = output.offer(frame, now) or held
            if held:
                return
