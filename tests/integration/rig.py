"""A whole beamline in one test: detector, engine with its own data plane, every front end, consumers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zmq

from repstream.link.server import EngineServer
from repstream.messages import array_1_0
from repstream.parameters.configuration import Configuration
from repstream.parameters.source import SourceConfig
from repstream.parameters.stream import StreamConfig
from repstream.parameters.writer import WriterConfig
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream.sources.images import Images
from tests.conformance import epics_client, http_client, python_client, tango_client
from tests.conformance.client import FrontEndClient
from tests.ports import free_port as free_port
from tests.sockets import keeping_context
from tests.waiting import until as until

SHAPE, DTYPE = (120, 201), "uint16"
IMAGES = Images(SHAPE, DTYPE, seed=7)
SERVING = {
    "python": python_client.serving,
    "tango": tango_client.serving,
    "epics": epics_client.serving,
    "http": http_client.serving,
}


class Detector:
    """Sends GigaFRoST frames from a PUSH (or XPUB) socket, and whatever else it is told to."""

    def __init__(self, kind: int = zmq.PUSH, host: str = "127.0.0.1") -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(kind)
        if kind == zmq.XPUB:
            self._socket.xpub_verbose = True  # each of several who subscribe to the same
        self.address = f"tcp://{host}:{self._socket.bind_to_random_port(f'tcp://{host}')}"

    def send(self, frame_ids: range) -> None:
        """Send these images, waiting for room."""
        for frame_id in frame_ids:
            header = array_1_0.gigafrost_header(frame_id, SHAPE, DTYPE)
            self.send_parts([header, IMAGES(frame_id)])

    def send_parts(self, parts: list[Any]) -> None:
        assert self._socket.poll(10_000, zmq.POLLOUT), "nobody takes the detector's frames"
        self._socket.send_multipart(parts, copy=True)

    def await_subscribers(self, count: int) -> None:
        """Wait until this many have subscribed to all that an XPUB sends."""
        for _ in range(count):
            assert self._socket.poll(30_000), "nobody subscribes"
            assert self._socket.recv() == b"\x01"

    def close(self) -> None:
        self._context.destroy(linger=0)


class Consumer(threading.Thread):
    """Counts what a live stream gives; `ids` are the frames' in order of arrival."""

    def __init__(self, address: str, kind: int) -> None:
        super().__init__(daemon=True)
        self._address, self._kind = address, kind
        self.ids: list[int] = []
        self._end = threading.Event()
        self.start()

    def run(self) -> None:
        with keeping_context() as context, context.socket(self._kind) as receiver:
            receiver.linger = 0
            if self._kind == zmq.SUB:
                receiver.subscribe(b"")
            receiver.connect(self._address)
            while not self._end.is_set():
                if receiver.poll(50):
                    frame = array_1_0.decode(receiver.recv_multipart())
                    assert np.array_equal(array_1_0.array(frame), IMAGES(frame.frame_id))
                    self.ids.append(frame.frame_id)

    def close(self) -> None:
        self._end.set()
        self.join(5)


class Rig:
    """The engine's parts, and clients of its front ends made on demand."""

    def __init__(self, folder: Path, stack: ExitStack, user_ids: tuple[int, ...] = ()) -> None:
        self._stack = stack
        self.folder = folder
        self.detector = Detector()
        stack.callback(self.detector.close)
        self.ports = {name: free_port() for name in ("all", "fifth", "tenth")}
        options = ServiceOptions(
            name="rig", roots=(folder,), user_ids=user_ids, configuration=self._configuration()
        )
        self.service = Service(options)
        self.service.start()
        stack.callback(self.service.close)
        self._server = EngineServer(self.service, "tcp://127.0.0.1:*")
        self._server.start()
        stack.callback(self._server.close)
        self._clients: dict[str, FrontEndClient] = {}

    @property
    def address(self) -> str:
        """Where the engine answers."""
        return self._server.address

    def client(self, front_end: str) -> FrontEndClient:
        if front_end not in self._clients:
            serving = SERVING[front_end](self.service, self._server.address)
            self._clients[front_end] = self._stack.enter_context(serving)
        return self._clients[front_end]

    def consumer(self, stream: str, kind: int) -> Consumer:
        consumer = Consumer(f"tcp://127.0.0.1:{self.ports[stream]}", kind)
        self._stack.callback(consumer.close)
        return consumer

    def value(self, key: str) -> object:
        return self.service.read(key).value

    def _configuration(self) -> Configuration:
        def stream(name: str, mode: str, every: int) -> StreamConfig:
            address = f"tcp://127.0.0.1:{self.ports[name]}"
            return StreamConfig(address=address, mode=mode, policy="send_every_nth", every_nth=every)

        return Configuration(
            source=SourceConfig(address=self.detector.address),
            streams={
                "all": stream("all", "PUSH", 1),
                "fifth": stream("fifth", "PUB", 5),
                "tenth": stream("tenth", "PUB", 10),
            },
            writers={"main": WriterConfig(folder=str(self.folder))},
        )


@contextmanager
def running_rig(folder: Path, user_ids: tuple[int, ...] = ()) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield Rig(folder, stack, user_ids)


def assert_holds(path: Path, frame_ids: range | list[int]) -> None:
    """The file holds exactly these images, by content, under all three paths."""
    with h5py.File(path, "r") as file:
        metadata = file["/detector/metadata"]
        assert metadata["image_id"].tolist() == list(frame_ids)
        for name in ("/detector/data", "/entry/data/data", "/entry_0000/measurement/data"):
            assert file[name].shape == (len(frame_ids), *SHAPE)
        for n, frame_id in enumerate(frame_ids):
            assert np.array_equal(file["/detector/data"][n], IMAGES(frame_id)), frame_id
