"""The simulated detector that clients of a view start and stop: a process of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import h5py
import httpx
import numpy as np
import pytest
import zmq
from std_daq_client import StdDaqClient

from repstream.errors import ChildError, Refused
from repstream.messages import array_1_0
from repstream.protocol import Requester
from repstream.service.service import Service
from repstream.sources.images import image
from repstream_cli.simulator import SimulatedDetector
from tests.cli.processes import below, still_alive
from tests.cli.running import started
from tests.fakes import running_service
from tests.integration.rig import until
from tests.ports import free_port
from tests.sockets import keeping_context

ME = Requester("test")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path) as (service, _):
        yield service


def test_it_sends_what_the_source_takes_until_it_is_stopped(service: Service) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    shape = {"source.image_height": 12, "source.image_width": 20, "source.image_type": "uint8"}
    service.write({"source.address": address, **shape}, ME)
    detector = SimulatedDetector(service, 200.0)
    assert (detector.state().streaming, detector.state().images) == (False, 0)
    with keeping_context() as context, context.socket(zmq.PULL) as receiver:
        receiver.linger = 0
        receiver.connect(address)
        for header in ("gigafrost", "array-1.0"):
            detector.start(header)
            try:
                for number in range(3):
                    assert receiver.poll(20_000)
                    frame = array_1_0.decode(receiver.recv_multipart())
                    assert frame.frame_id == number
                    assert (array_1_0.array(frame) == image(number, (12, 20), "uint8")).all()
                until(lambda: detector.state().images > 3, "the count")
                assert detector.state().streaming
            finally:
                detector.stop()
            assert not detector.state().streaming
            while receiver.poll(200):
                receiver.recv_multipart()
        detector.stop()


def test_it_says_why_it_cannot(service: Service) -> None:
    detector = SimulatedDetector(service, 10.0)
    with keeping_context() as context, context.socket(zmq.PUSH) as taken:
        port = taken.bind_to_random_port("tcp://127.0.0.1")
        service.write({"source.address": f"tcp://127.0.0.1:{port}"}, ME)
        with pytest.raises(ChildError, match="Address already in use"):
            detector.start()
    assert not detector.state().streaming
    service.write({"source.address": "ring://eiger-image"}, ME)
    with pytest.raises(Refused, match="over ZMQ"):
        detector.start()


def test_clients_of_the_standard_daq_start_it_and_write_its_images(tmp_path: Path) -> None:
    engine, source, http, daq = (free_port() for _ in range(4))
    config = tmp_path / "engine.json"
    shape = {"image_height": 12, "image_width": 20, "image_type": "uint8"}
    tree = {"source": {"address": f"tcp://127.0.0.1:{source}", **shape}, "writers": {"main": {}}}
    config.write_text(json.dumps(tree))
    options = ("--engine-address", f"tcp://127.0.0.1:{engine}", "--http-port", http, "--root", tmp_path)
    served = ("--view", f"std_daq={daq}", "--simulator", 200, "--no-tango", "--no-epics")
    url = f"http://127.0.0.1:{daq}"
    with started("serve", "--config", config, *options, *served) as process:
        assert process.stdout
        next(line for line in process.stdout if line.startswith("serving"))
        answer = httpx.post(f"{url}/simulation/start", timeout=60)  # it waits for a program to start
        assert answer.json()["simulator"]["status"] == "STREAMING"
        children = below(process.pid)
        request = {"n_images": 20, "output_file": str(tmp_path / "run.h5")}
        written = StdDaqClient(url).start_writer_sync(request)
        assert written["acquisition"]["message"] == "Completed."
    with h5py.File(tmp_path / "run.h5") as file:
        ids = file["/entry/instrument/detector/metadata"]["image_id"]
        for number, frame_id in enumerate(ids):
            assert np.array_equal(file["/entry/data/data"][number], image(int(frame_id), (12, 20), "uint8"))
    assert len(ids) == 20
    assert not still_alive(children), "the simulated detector ends with the server"
