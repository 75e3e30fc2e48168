"""The standard DAQ's live picture, and its simulated detector."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import numpy as np
import pytest
import simplejpeg
from fastapi import FastAPI
from numpy.typing import NDArray

from repstream.link.history import History
from repstream.service.service import Service
from repstream_http import HttpServer
from repstream_http.compat.simulator import Simulation
from repstream_http.compat.std_daq import live
from repstream_http.compat.std_daq.app import create_app
from repstream_http.pictures import film
from tests.fakes import FakePlane
from tests.rest.pictures import Made

IMAGE = (np.arange(48 * 64, dtype=np.uint16) * 20).reshape(48, 64)


class Pretended:
    """Fills `Simulator`, and counts."""

    def __init__(self) -> None:
        self.headers: list[str] = []
        self.streaming = False

    def start(self, header: str = "") -> None:
        self.headers.append(header)
        self.streaming = True

    def stop(self) -> None:
        self.streaming = False

    def state(self) -> Simulation:
        return Simulation(self.streaming, 7 if self.headers else 0)


@pytest.fixture
def app(running: tuple[Service, FakePlane]) -> Iterator[FastAPI]:
    with closing(History(running[0])) as history:
        yield create_app(running[0], history, Pretended())


@pytest.fixture
def made(app: FastAPI) -> Made:
    app.state.pictures = Made()
    return app.state.pictures  # type: ignore[no-any-return]


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    with HttpServer(app, port=0) as server:
        yield server.url


def next_picture(parts: Iterator[bytes]) -> NDArray[Any]:
    content = b""
    while b"\xff\xd9\r\n" not in content:
        content += next(parts)
    assert content.startswith(b"--frame\r\ncontent-type: image/jpeg\r\n")
    shown: NDArray[Any] = simplejpeg.decode_jpeg(content.partition(b"\r\n\r\n")[2])
    return shown


def test_the_film_shows_the_image_coloured_below_its_text(made: Made, url: str) -> None:
    made.show(IMAGE)
    with httpx.stream("GET", f"{url}/daq/live", timeout=30) as answer:
        assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        parts = answer.iter_raw()
        first = next_picture(parts)
        made.show(IMAGE[::-1].copy())
        second = next_picture(parts)
    factor = first.shape[1] // 64
    assert first.shape == (48 * factor + live.STRIP, 64 * factor, 3)
    assert first[: live.STRIP].max() > 200, "the text"
    dark, bright = first[live.STRIP + 3, 3], first[-3, -3]
    assert np.abs(dark.astype(int) - (68, 1, 84)).max() < 12, "the first colour of viridis"
    assert np.abs(bright.astype(int) - (253, 231, 37)).max() < 12, "its last"
    assert np.abs(second[live.STRIP + 3, -3].astype(int) - bright).max() < 12


def test_the_film_says_where_there_are_no_data(made: Made, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film, "PATIENCE", 0.1)
    with httpx.stream("GET", f"{url}/daq/live", timeout=30) as answer:
        parts = answer.iter_raw()
        nothing = next_picture(parts)
        assert nothing[live.STRIP :].max() < 30
        assert nothing[: live.STRIP].max() > 200
        next_picture(parts)
        made.show(IMAGE)
        for _ in range(20):
            if next_picture(parts)[live.STRIP :].max() > 200:
                return
    raise AssertionError("no picture followed")


def test_the_simulated_detector_is_started_and_stopped(app: FastAPI, url: str) -> None:
    def state(answer: httpx.Response) -> Any:
        found = answer.json()
        assert found["status"] == "ok"
        return found["simulator"]

    idle = {"status": "READY", "stats": {"n_generated_images": 0}}
    assert state(httpx.get(f"{url}/simulation/status")) == idle
    for path in ("/simulation", "/api/test/tomcat/pco/simulator", "/api/test/tomcat/gigafrost/simulator"):
        started = state(httpx.post(f"{url}{path}/start"))
        assert started == {"status": "STREAMING", "stats": {"n_generated_images": 7}}
        assert state(httpx.post(f"{url}{path}/stop", json={}))["status"] == "READY"


def test_without_a_simulated_detector_its_routes_say_so(running: tuple[Service, FakePlane]) -> None:
    with (
        closing(History(running[0])) as history,
        HttpServer(create_app(running[0], history), port=0) as server,
    ):
        for method, path in (("GET", "status"), ("POST", "start"), ("POST", "stop")):
            answer = httpx.request(method, f"{server.url}/simulation/{path}")
            assert answer.status_code == 200
            assert answer.json()["status"] == "error"
            assert "--simulator" in answer.json()["message"]
