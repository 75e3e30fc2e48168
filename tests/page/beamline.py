"""A beamline that the page is opened at: detector, engine and its processes, HTTP server, Tango on demand."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
import tango
from numpy.typing import NDArray

from repstream.link.remote import RemoteEngine
from repstream.link.server import EngineServer
from repstream.messages import array_1_0
from repstream.parameters.configuration import Configuration
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream_http import HttpServer, create_app
from tests.device_servers.serving import REPEATER, tango_server
from tests.integration.rig import Detector
from tests.ports import free_port

ME = Requester("test", "anna", "bl")
PERIOD = 0.1
"""Seconds between two images."""


class Beamline:
    """The page is at `url`. Images come by `images`, or one after the other by `send`."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._next = 1
        self.detector = Detector()
        stack.callback(self.detector.close)
        self.service = Service(
            ServiceOptions(name="beamline", roots=(folder,), configuration=self._configuration())
        )
        self.service.start()
        stack.callback(self.service.close)
        self.server = EngineServer(self.service, "tcp://127.0.0.1:*")
        self.server.start()
        stack.callback(self._close_server)
        remote = stack.enter_context(closing(RemoteEngine(self.server.address, "", "http")))
        self.http = stack.enter_context(HttpServer(create_app({"beamline": remote}), port=0))

    @property
    def url(self) -> str:
        return f"{self.http.url}/"

    def tango(self) -> tango.DeviceProxy:
        """The repeater, as Tango shows it."""
        trl = self._stack.enter_context(tango_server(self.server.address))
        return tango.DeviceProxy(trl(REPEATER))

    def value(self, key: str) -> object:
        return self.service.read(key).value

    def start(self) -> None:
        self.service.execute("engine.start", None, ME).wait(30)

    def reset(self) -> None:
        """Back to a repeater that may be started, without losses, regions and errors."""
        self.service.execute("engine.stop", None, ME).wait(30)
        self.service.execute("engine.initialize", None, ME).wait(30)
        regions = {f"pictures.1.roi{n}_width": 0 for n in range(1, 5)}
        self.service.write({"pictures.1.mask_file": "", **regions}, ME)

    def send(self, number: int = 1, leave_out: int = 0) -> None:
        """Send so many images, after leaving out some."""
        self._next += leave_out
        self.detector.send(range(self._next, self._next + number))
        self._next += number

    def send_image(self, image: NDArray[np.uint16]) -> int:
        """Send one image of any shape; its id."""
        number, self._next = self._next, self._next + 1
        header = array_1_0.gigafrost_header(number, image.shape, "uint16")
        self.detector.send_parts([header, image])
        return number

    def images(self) -> AbstractContextManager[None]:
        """Images come at a steady rate."""
        return self._steadily(self.send)

    def repeated(self, image: NDArray[np.uint16]) -> AbstractContextManager[None]:
        """One image comes again and again."""
        return self._steadily(lambda: self.send_image(image))

    @contextmanager
    def _steadily(self, send: Callable[[], object]) -> Iterator[None]:
        end = threading.Event()

        def run() -> None:
            while not end.wait(PERIOD):
                send()

        sender = threading.Thread(target=run)
        sender.start()
        try:
            yield
        finally:
            end.set()
            sender.join()

    def kill_data_plane(self) -> None:
        os.kill(int(self.value("engine.process_id")), signal.SIGKILL)  # type: ignore[call-overload]

    def _close_server(self) -> None:
        self.server.close()

    def leave(self) -> None:
        """The engine cannot be reached any more, as if its host was gone."""
        self.server.close()

    def come_back(self) -> None:
        self.server = EngineServer(self.service, self.server.address)
        self.server.start()

    def _configuration(self) -> Configuration:
        return Configuration.model_validate(
            {
                "source": {"address": self.detector.address},
                "streams": {"all": {"address": f"tcp://127.0.0.1:{free_port()}", "mode": "PUB"}},
                "writers": {"main": {"folder": str(self.folder), "file_name": "scan"}},
                "pictures": {"1": {"stream": "all", "rate": 20.0}},
            }
        )


@contextmanager
def running_beamline(folder: Path) -> Iterator[Beamline]:
    with ExitStack() as stack:
        yield Beamline(folder, stack)
