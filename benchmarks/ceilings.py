"""What stands around a frame path in a benchmark, and the bare loops that are its ceilings.

Each function is the main of a process: it says "ready", then does one run for each number of
messages that comes through its pipe. The bare loops only do what cannot be left out: receive and send,
or receive and `pwrite`; nothing is decoded, checked or accounted for. They exist with and without
copying, so that the faster one may be the ceiling.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import zmq

from benchmarks.loads import MARK, Load, compress
from repstream.messages import compression

NO_COPY_FROM = 100_000
"""Bytes from which source and sinks hand buffers over instead of copying them."""

DRAIN_MS = 20


@dataclass(frozen=True)
class Output:
    """One output: its address and socket type, and which messages it gets."""

    address: str
    kind: int
    every: int = 1


def source(load: Load, address: str, rate: float, control: Connection) -> None:
    """Sends as fast as messages are taken, or `rate` a second; ids go on from run to run."""
    with zmq.Context() as context, context.socket(zmq.PUSH) as out:
        out.sndhwm = load.hwm
        out.bind(address)
        header, *rest = load.parts()
        pattern = header.split(b"%d" % MARK)
        variants = _variants(load, rest)
        control.send("ready")
        number = 0
        while count := control.recv():
            begin = time.perf_counter()
            for sent in range(count):
                if rate:
                    time.sleep(max(0.0, begin + sent / rate - time.perf_counter()))
                out.send((b"%d" % number).join(pattern), zmq.SNDMORE)
                parts = variants[number % len(variants)]
                for part in parts[:-1]:
                    out.send(part, zmq.SNDMORE)
                out.send(parts[-1])
                number += 1
            control.send(count)


def _variants(load: Load, rest: Sequence[bytes]) -> list[list[Any]]:
    """The parts behind the header; sent again and again, the large ones without a copy."""
    several = [[image] for image in load.images()] if load.format == "array-1.0" else [list(rest)]
    return [[zmq.Frame(p) if len(p) > NO_COPY_FROM else p for p in parts] for parts in several]


def sink(load: Load, outputs: Sequence[Output], control: Connection) -> None:
    """Receives on all outputs; tells for each run the rate from the first message to the last.

    Of a PUSH all messages are awaited. What a PUB drops is not this measure's business: it is
    emptied beside.
    """
    with zmq.Context() as context:
        sockets = [(_consumer(context, load, output), output) for output in outputs]
        copy = load.nbytes < NO_COPY_FROM
        control.send("ready")
        while count := control.recv():
            begin = 0.0
            for number in range(count):
                for socket, output in sockets:
                    if number % output.every:
                        continue
                    if output.kind == zmq.PUSH:
                        socket.recv_multipart(copy=copy)
                    else:
                        _receive_if_there(socket, copy)
                begin = begin or time.perf_counter()
            rate = (count - 1) / (time.perf_counter() - begin)
            for socket, output in sockets:
                while output.kind == zmq.PUB and socket.poll(DRAIN_MS):
                    socket.recv_multipart(copy=copy)
            control.send(rate)


def shared_sink(load: Load, addresses: Sequence[str], control: Connection) -> None:
    """Receives what several send between them; says for each run when all of it is there."""
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.rcvhwm = load.hwm
        for address in addresses:
            socket.connect(address)
        copy = load.nbytes < NO_COPY_FROM
        control.send("ready")
        while count := control.recv():
            for _ in range(count):
                socket.recv_multipart(copy=copy)
            control.send(count)


def metered_loop(
    load: Load, address: str, outputs: Sequence[Output], copy: bool, control: Connection
) -> None:
    """A bare loop that tells on request how much processor time (s) it has taken, all of its threads."""
    loop = threading.Thread(target=bare_loop, args=(load, address, outputs, copy, control), daemon=True)
    loop.start()
    while control.recv():
        control.send(time.process_time())


def _consumer(context: Any, load: Load, output: Output) -> Any:
    socket = context.socket(zmq.PULL if output.kind == zmq.PUSH else zmq.SUB)
    socket.rcvhwm = load.hwm
    socket.linger = 0
    socket.connect(output.address)
    if output.kind == zmq.PUB:
        socket.subscribe(b"")
    return socket


def _receive_if_there(socket: Any, copy: bool) -> None:
    try:
        socket.recv_multipart(zmq.NOBLOCK, copy=copy)
    except zmq.Again:
        pass


def bare_loop(load: Load, address: str, outputs: Sequence[Output], copy: bool, control: Connection) -> None:
    """Forwards what comes from an address, or several with commas between them, until the parent ends it."""
    context: Any = zmq.Context(io_threads=2)
    incoming = _input(context, load, address)
    sockets = [(_producer(context, load, output), output.every) for output in outputs]
    control.send("ready")
    for number in itertools.count():
        parts = incoming.recv_multipart(copy=copy)
        for socket, every in sockets:
            if number % every == 0:
                socket.send_multipart(parts, copy=copy)


def proxy(load: Load, address: str, outputs: Sequence[Output], control: Connection) -> None:
    """libzmq's own loop in C, from one input to one output, until the parent ends it."""
    context: Any = zmq.Context(io_threads=2)
    incoming, outgoing = _input(context, load, address), _producer(context, load, outputs[0])
    control.send("ready")
    zmq.proxy(incoming, outgoing)


def _input(context: Any, load: Load, address: str) -> Any:
    socket = context.socket(zmq.PULL)
    socket.rcvhwm = load.hwm
    for each in address.split(","):
        socket.connect(each)
    return socket


def _producer(context: Any, load: Load, output: Output) -> Any:
    socket = context.socket(output.kind)
    socket.sndhwm = load.hwm
    socket.bind(output.address)
    return socket


def raw_writer(load: Load, address: str, path: str, copy: bool, control: Connection) -> None:
    """Receives and puts each message's largest part at the end of a plain file, in one thread.

    Tells for each run two rates: until the last `pwrite`, and until the file is on the disk and closed.
    """
    largest = max(range(1, len(load.parts())), key=lambda i: len(load.parts()[i]))
    with zmq.Context(io_threads=2) as context:
        incoming = _input(context, load, address)
        control.send("ready")
        while count := control.recv():
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            begin = 0.0
            offset = 0
            for _ in range(count):
                payload = incoming.recv_multipart(copy=copy)[largest]
                begin = begin or time.perf_counter()
                offset += os.pwrite(fd, payload, offset)
            written = time.perf_counter()
            os.fsync(fd)
            os.close(fd)
            closed = time.perf_counter()
            Path(path).unlink()
            control.send(((count - 1) / (written - begin), (count - 1) / (closed - begin)))


def compressor(load: Load, control: Connection) -> None:
    """Compresses the same images again and again; tells the rate of each run."""
    _pack_again_and_again(load, compress, time.perf_counter, control)


def packer(load: Load, encoding: str, control: Connection) -> None:
    """As `compressor`, in any encoding, and per second of the processor."""
    compression.use_one_core()
    _pack_again_and_again(
        load, lambda image: compression.compress(image, 2, encoding), time.process_time, control
    )


def _pack_again_and_again(
    load: Load, pack: Callable[[bytes], object], clock: Callable[[], float], control: Connection
) -> None:
    images = load.images()
    control.send("ready")
    while count := control.recv():
        begin = clock()
        for number in range(count):
            pack(images[number % len(images)])
        control.send(count / (clock() - begin))
