"""The process that instances are forked from: ``python -m repstream.pipelines.zygote --fd N``.

To start Python and load what an instance needs takes a second; a fork of a process that has it takes
some milliseconds, and shares its memory. N is an inherited descriptor, one end of a socket pair. The launcher
at the other end sends a specification and a descriptor for each instance, and is sent process ids and exit
codes. The process ends when that end is closed; its instances go by their own pipes.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path

import msgspec
import numpy as np
import zmq

from repstream.errors import ProcessingError
from repstream.pipelines import control
from repstream.pipelines.forking import Forked, Gone, Warm
from repstream.pipelines.process import main as be_instance
from repstream.processing.camera import Geometry
from repstream.processing.pipeline import Pipeline, Pulse
from repstream.processing.solvers import SOLVERS

COMPILE_TIME = 60.0
"""Seconds for numba: some twenty at the first start on a machine, one or two later."""


class Zygote:
    """Forks instances, and says how they ended. It has no thread, since only that one would be forked."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._children: dict[int, int] = {}

    def run(self) -> None:
        """Serve until the launcher has gone."""
        self._say(Warm())
        while True:
            wanted = [(self._pipe.fileno(), zmq.POLLIN), *((fd, zmq.POLLIN) for fd in self._children)]
            ready = dict(zmq.zmq_poll(wanted, -1))
            for descriptor in ready.keys() & self._children.keys():
                self._bury(descriptor)
            if self._pipe.fileno() in ready:
                try:
                    self._fork()
                except (EOFError, OSError):
                    return

    def _fork(self) -> None:
        specification = control.specifications.receive(self._pipe)
        descriptor = recv_handle(self._pipe)
        process_id = os.fork()
        if process_id == 0:
            self._pipe.close()
            for other in self._children:
                os.close(other)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            be_instance(descriptor, specification)
        os.close(descriptor)
        self._children[os.pidfd_open(process_id)] = process_id
        self._say(Forked(process_id))

    def _bury(self, descriptor: int) -> None:
        process_id = self._children.pop(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(process_id, 0)
        self._say(Gone(process_id, os.waitstatus_to_exitcode(status)))

    def _say(self, what: Warm | Forked | Gone) -> None:
        with suppress(OSError):
            self._pipe.send_bytes(msgspec.msgpack.encode(what))


def warm_up(compiled: bool = False) -> None:
    """Process one image, so that all that this loads is there; with `compiled` numba is, too.

    It takes some 100 MB, which instances share then instead of loading it each for itself. Where the
    libraries of the extra "cameras" are not installed, cameras work, and pipelines say what lacks.
    """
    image = np.add.outer(np.hanning(9), np.hanning(8))
    everything = {"image_good_region": {"threshold": 0.1}, "image_slices": {"number_of_slices": 3}}
    with suppress(ImportError, ProcessingError):
        if compiled:
            SOLVERS.prepare(COMPILE_TIME)  # by a thread, which has ended before anything is forked
        Pipeline(everything).process(Geometry({})(image), Pulse(0, (0, 0)))


def main() -> None:
    """Be the process that instances are forked from."""
    parser = argparse.ArgumentParser(description="Starts cameras and pipelines; started by their server.")
    parser.add_argument("--fd", type=int, required=True, help="inherited end of the launcher's socket pair")
    parser.add_argument("--compiled", action="store_true", help="load numba before anything is forked")
    arguments = parser.parse_args()
    with suppress(OSError):
        Path("/proc/self/comm").write_text("repstream-zygo")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm_up(arguments.compiled)
    gc.collect()
    gc.freeze()  # else the collector would write to the memory that instances share
    Zygote(Connection(arguments.fd)).run()


if __name__ == "__main__":
    main()
