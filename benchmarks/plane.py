"""The data plane's own process, asked as the service asks it."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from benchmarks.loads import Load
from repstream.dataplane import control
from repstream.parameters.configuration import Configuration
from repstream.states import AcquisitionState

PATIENCE = 120.0

N = TypeVar("N")


class Plane:
    """The service's end of the pipe."""

    def __init__(self, pipe: Connection, process_id: int) -> None:
        self.process_id = process_id
        self._pipe = pipe
        self._numbers = itertools.count(1)

    def ask(self, kind: type[Any], **fields: Any) -> None:
        """Have something done; RuntimeError with the reason if it is refused."""
        number = next(self._numbers)
        control.requests.send(self._pipe, kind(request=number, **fields))
        answer = self.next(control.Answer, lambda answer: answer.request == number)
        if answer.reason:
            raise RuntimeError(answer.reason)

    def next(self, kind: type[N], wanted: Callable[[N], bool] = lambda _: True) -> N:
        """The next notice of a kind that is wanted; the others are passed over."""
        end = time.monotonic() + PATIENCE
        while self._pipe.poll(max(0.0, end - time.monotonic())):
            notice: Any = control.notices.receive(self._pipe)
            if isinstance(notice, kind) and wanted(notice):
                return notice
        raise TimeoutError(f"no such {kind.__name__} came within {PATIENCE:.0f} s")

    def forget(self) -> None:
        """Pass over the notices that are there."""
        while self._pipe.poll():
            self._pipe.recv_bytes()

    def acquisition(self, state: AcquisitionState) -> control.AcquisitionNotice:
        """The notice that the acquisition has come to `state`; RuntimeError if it fails before."""
        ends = {state, AcquisitionState.FAILED}
        notice = self.next(control.AcquisitionNotice, lambda notice: notice.state in ends)
        if notice.state != state:
            raise RuntimeError(notice.message)
        return notice


def source(load: Load, address: str) -> dict[str, Any]:
    """The input as a beamline configures it: its sockets hold as many messages as everybody's.

    Their room follows from the size of an image; where nobody tells that, it is that for images of 1 MiB.
    """
    height, width = load.shape
    return {
        "address": address,
        "buffer_size": load.hwm,
        "image_height": height,
        "image_width": width,
        "image_type": "uint16",
    }


@contextmanager
def running(configuration: dict[str, Any], **opening: Any) -> Iterator[Plane]:
    """A data plane that repeats by this configuration until the block ends; `opening`: see `control.Open`."""
    named = [f"{kind}.{name}" for kind in ("streams", "writers") for name in configuration.get(kind, {})]
    slots = {key: 1 + [k for k in named if k[:7] == key[:7]].index(key) for key in named}
    whole = Configuration.model_validate({**configuration, "slots": slots})
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "repstream.dataplane.process", "--fd", str(theirs.fileno())]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    theirs.close()
    with Connection(ours.detach()) as pipe:
        try:
            plane = Plane(pipe, process.pid)
            plane.ask(control.Open, configuration=whole.model_dump_json(), **opening)
            yield plane
        finally:
            process.kill()
            process.wait()
