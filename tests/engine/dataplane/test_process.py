"""The data plane as the process that the service starts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import h5py
import numpy as np
import pytest
import zmq
from tests.engine.dataplane.bench import PATIENCE, Plane, configuration, frame_ids, image, plan, receive, send
from tests.engine.dataplane.conftest import Opener

from repstream.dataplane import control

Address = Callable[[str], str]
Process = subprocess.Popen[bytes]


@contextmanager
def process(**environment: str) -> Iterator[tuple[Process, Plane]]:
    """The process, with these variables beside those of the environment, and the service's end."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "repstream.dataplane.process", "--fd", str(theirs.fileno())]
    with theirs:
        child = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
        )
    try:
        with Connection(ours.detach()) as pipe:
            yield child, Plane(pipe)
    finally:
        child.kill()
        child.communicate()


@pytest.fixture
def child() -> Iterator[tuple[Process, Plane]]:
    with process() as both:
        yield both


def acquire(plane: Plane, address: Address, peer: Opener, path: Path) -> zmq.Socket[bytes]:
    """A process that writes; the source that feeds it."""
    streams = {"live": {"address": address("live")}}
    assert plane.open(configuration(address("in"), streams=streams, writers={"file": {}})) == ""
    assert plane.ask(control.Arm, slot=1, plan=plan(path)) == ""
    plane.acquisition("WAITING_IMAGES")
    assert plane.ask(control.OpenGate, slot=1, frames=0) == ""
    return peer(zmq.PUSH, bind=address("in"))


def test_it_repeats_and_writes(
    child: tuple[Process, Plane], address: Address, peer: Opener, tmp_path: Path
) -> None:
    plane = child[1]
    source = acquire(plane, address, peer, tmp_path / "scan.h5")
    sent = send(source, range(30))
    assert receive(peer(zmq.PULL, connect=address("live")), 30) == sent
    plane.writer(1, lambda w: w.ledger.sent == 30)
    assert plane.close().undelivered == 0


def test_it_ends_with_the_service_and_finishes_the_file(
    child: tuple[Process, Plane], address: Address, peer: Opener, tmp_path: Path
) -> None:
    process, plane = child
    source = acquire(plane, address, peer, tmp_path / "scan.h5")
    sink = peer(zmq.PULL, connect=address("live"))
    send(source, range(30))
    assert frame_ids(receive(sink, 30)) == list(range(30))
    plane.pipe.close()
    assert process.wait(PATIENCE) == 0
    with h5py.File(tmp_path / "scan.h5") as file:
        assert len(file["/entry/data/data"]) == 30
        assert file["/entry/acquisition/outcome"][()] == b"interrupted"


@pytest.mark.parametrize("farewell", [True, False])
def test_only_a_service_that_vanishes_is_worth_a_warning(
    child: tuple[Process, Plane], address: Address, peer: Opener, tmp_path: Path, farewell: bool
) -> None:
    process, plane = child
    source = acquire(plane, address, peer, tmp_path / "scan.h5")
    send(source, range(5))
    plane.writer(1, lambda w: w.ledger.sent == 5)
    if farewell:
        control.requests.send(plane.pipe, control.Bye(0))
    plane.pipe.close()
    assert process.wait(PATIENCE) == 0
    assert process.stderr is not None
    assert (b"the service is gone" not in process.stderr.read()) is farewell
    with h5py.File(tmp_path / "scan.h5") as file:
        assert file["/entry/acquisition/outcome"][()] == b"interrupted"


def test_a_terminated_process_finishes_the_file(
    child: tuple[Process, Plane], address: Address, peer: Opener, tmp_path: Path
) -> None:
    process, plane = child
    source = acquire(plane, address, peer, tmp_path / "scan.h5")
    send(source, range(5))
    plane.writer(1, lambda w: w.ledger.sent == 5)
    process.send_signal(signal.SIGINT)  # the service's business: ignored here
    plane.report()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    with h5py.File(tmp_path / "scan.h5") as file:
        assert file["/entry/acquisition/outcome"][()] == b"interrupted"


def test_a_killed_process_leaves_every_reported_image_readable(
    child: tuple[Process, Plane], address: Address, peer: Opener, tmp_path: Path
) -> None:
    process, plane = child
    source = acquire(plane, address, peer, tmp_path / "scan.h5")
    shape = (300, 500)
    send(source, range(200), shape=shape)
    reported = plane.writer(1, lambda w: w.ledger.sent > 20).ledger.sent
    process.kill()
    process.wait()
    with h5py.File(tmp_path / "scan.h5") as file:
        images = file["/entry/data/data"][:]
    assert len(images) >= reported
    np.testing.assert_array_equal(images, np.stack([image(i, shape) for i in range(len(images))]))


def test_two_processes_side_by_side(address: Address, peer: Opener) -> None:
    with process() as (_, one), process() as (_, two):
        for name, plane in (("one", one), ("two", two)):
            streams = {"live": {"address": address(f"{name}-out")}}
            assert plane.open(configuration(address(f"{name}-in"), streams=streams)) == ""
            source = peer(zmq.PUSH, bind=address(f"{name}-in"))
            sent = send(source, range(3))
            assert receive(peer(zmq.PULL, connect=address(f"{name}-out")), 3) == sent


def test_frames_come_after_a_wrong_peer_at_the_address(
    child: tuple[Process, Plane], address: Address, peer: Opener
) -> None:
    plane = child[1]
    assert plane.open(configuration(address("in"), streams={"live": {"address": address("live")}})) == ""
    wrong = peer(zmq.PUB, bind=address("in"))
    report = plane.report(lambda r: r.source.problem != "")
    assert report.source.problem.startswith(f"a PUB answers at {address('in')}, this input is PULL")
    assert not report.source.connected
    wrong.close()
    right, sink = peer(zmq.PUSH, bind=address("in")), peer(zmq.PULL, connect=address("live"))
    sent = send(right, range(5))
    assert receive(sink, 5) == sent
    report = plane.report(lambda r: r.source.connected)
    assert (report.source.problem, report.source.ledger.frames) == ("", 5)
