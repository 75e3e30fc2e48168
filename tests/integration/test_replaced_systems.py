"""One acquisition through every system that the engine takes the place of, and through its own front ends.

Configured over gf_repstream's REST interface, written by the standard DAQ's client, watched by its driver's
WebSocket, its live picture, Tango and EPICS; every image is compared, in the file and on the streams.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from queue import Queue

import httpx
import numpy as np
import pytest
import simplejpeg
import zmq
from numpy.typing import NDArray
from std_daq_client import StdDaqClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from repstream.link.history import History
from repstream.parameters.facts import Value
from repstream.protocol import Requester
from repstream_http import HttpServer
from repstream_http.compat.std_daq.live import STRIP
from repstream_http.compat.views import VIEWS
from tests.integration.rig import Rig, assert_holds, running_rig, until
from tests.rest.compat.std_daq import CONFIG

ME = Requester("test")
IMAGES = 40


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_rig(tmp_path) as rig:
        yield rig


@pytest.fixture
def urls(rig: Rig) -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        history = stack.enter_context(closing(History(rig.service)))
        apps = {name: view.create_app(rig.service, history, None) for name, view in VIEWS.items()}
        yield {name: stack.enter_context(HttpServer(app, port=0)).url for name, app in apps.items()}


def follow(socket: ClientConnection, seen: list[str]) -> None:
    try:
        for text in socket:
            status = json.loads(text)["status"]
            if not seen or seen[-1] != status:
                seen.append(status)
    except ConnectionClosed:
        pass


def drained(queue: Queue[Value]) -> list[Value]:
    return [queue.get() for _ in range(queue.qsize())]


def configure(gf: httpx.Client, daq: StdDaqClient, rig: Rig) -> None:
    """The streams over gf_repstream, the detector over the standard DAQ, the picture over our own."""
    configured = gf.post(
        "/set_config_from_dict",
        json={
            "in_address": rig.detector.address,
            "n_output_streams": 2,
            "stream_names": ["analysis", "live"],
            "stream_ports": [rig.ports["all"], rig.ports["fifth"]],
            "zmq_modes": ["PUSH", "PUB"],
            "send_output_mode": ["forward", "send_every_nth"],
            "send_output_param": [1, 5],
        },
    ).json()
    assert configured == {"response": "success", "state": ["INITIALIZED", 0]}
    shape = {"image_pixel_height": 120, "image_pixel_width": 201, "bit_depth": 16}
    assert daq.set_config({**CONFIG, **shape, "detector_name": "detector"})["bit_depth"] == 16
    pictures = json.dumps({"pictures": {"1": {"stream": "live"}}})
    assert rig.service.execute("engine.configure", pictures, ME).wait(20).ok


def live_image(url: str) -> NDArray[np.uint8]:
    """The first picture of the standard DAQ's film, without the line of text."""
    content = b""
    with httpx.stream("GET", f"{url}/daq/live", timeout=30) as film:
        parts = film.iter_raw()
        while b"\xff\xd9\r\n" not in content:
            content += next(parts)
    shown: NDArray[np.uint8] = simplejpeg.decode_jpeg(content.partition(b"\r\n\r\n")[2])
    return shown[STRIP:]


def test_an_acquisition_is_the_same_one_in_every_system(rig: Rig, urls: dict[str, str]) -> None:
    path = rig.folder / "scan.h5"
    daq = StdDaqClient(urls["std_daq"])
    with httpx.Client(base_url=urls["gf_repstream"], timeout=30) as gf, ExitStack() as stack:
        configure(gf, daq, rig)
        assert gf.post("/start").json()["state"] == ["RUNNING", 1]

        statuses: list[str] = []
        socket = stack.enter_context(connect(urls["std_daq_driver"].replace("http", "ws")))
        threading.Thread(target=follow, args=(socket, statuses), daemon=True).start()
        watched = {
            front_end: stack.enter_context(rig.client(front_end).watch("writers.1.acq_state"))
            for front_end in ("tango", "epics")
        }
        analysis = rig.consumer("all", zmq.PULL)
        live = rig.consumer("fifth", zmq.SUB)
        until(lambda: rig.value("streams.live.clients") == 2, "the viewer and the pictures")

        with ThreadPoolExecutor(1) as pool:
            request = {"n_images": IMAGES, "output_file": str(path), "run_id": 77}
            written = pool.submit(daq.start_writer_sync, request)
            until(lambda: daq.get_status()["state"] == "WRITING", "the start")
            for name in watched:
                until(lambda name=name: rig.client(name).read("writers.1.state") == "WRITING", name)  # type: ignore[misc]
            rig.detector.send(range(IMAGES))
            acquisition = written.result(60)["acquisition"]

        assert (acquisition["state"], acquisition["message"]) == ("FINISHED", "Completed.")
        assert acquisition["info"] == request
        assert acquisition["stats"]["n_write_completed"] == IMAGES
        assert_holds(path, range(IMAGES))
        until(lambda: len(analysis.ids) == IMAGES, "every image on the first stream")
        until(lambda: len(live.ids) == IMAGES // 5, "every fifth on the second")
        assert (analysis.ids, live.ids) == (list(range(IMAGES)), list(range(0, IMAGES, 5)))

        until(lambda: statuses[-1:] == ["idle"] and "file_saved" in statuses, "the driver's last word")
        order = ["waiting_for_first_image", "recording", "file_saved"]
        assert [word for word in statuses if word in order] == order
        for front_end, queue in watched.items():
            until(lambda: rig.client(front_end).read("writers.1.acq_state") == "FINISHED", front_end)  # noqa: B023
            seen: list[object] = []
            until(lambda: seen.extend(drained(queue)) or seen[-1:] == ["FINISHED"], front_end)  # noqa: B023
            assert rig.client(front_end).read("writers.1.acq_run_id") == "77"
            assert rig.client(front_end).read("writers.1.num_written") == IMAGES
        assert gf.get("/get_state").json()["state"] == ["RUNNING", 1]

        jpeg = httpx.get(f"{urls['std_daq']}/file/77/{IMAGES - 1}").content
        assert simplejpeg.decode_jpeg(jpeg).shape == (120, 201, 3)
        assert live_image(urls["std_daq"]).max() > 150
        assert gf.post("/stop").json()["state"] == ["STOPPED", 3]
        until(lambda: rig.client("tango").read("engine.state") == "STOPPED", "the stop in Tango")
