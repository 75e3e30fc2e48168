"""Pictures in every form: files, film, WebSocket. The pictures are made here, the server is real."""

from __future__ import annotations

import io
import json
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any

import blosc
import httpx
import numpy as np
import pytest
import simplejpeg
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from repstream.pictures.picture import View
from repstream.pictures.single import picture_of
from repstream.service.service import Service
from repstream_http import HttpServer, create_app
from repstream_http.pictures import rendering, wire
from repstream_http.pictures.look import Look
from tests.rest.pictures import Made

IMAGE = (np.arange(48 * 64, dtype=np.uint16) * 20).reshape(48, 64)


@pytest.fixture
def made() -> Made:
    return Made()


@pytest.fixture
def app(service: Service, made: Made) -> FastAPI:
    app = create_app({"test": service})
    app.state.links["test"] = made
    return app


@pytest.fixture
def server(app: FastAPI) -> Iterator[HttpServer]:
    with HttpServer(app, port=0) as server:
        yield server


def pixels(content: bytes) -> NDArray[np.uint8]:
    """A PNG without filters, as `rendering.png` makes it."""
    width, height, _, colour = struct.unpack(">IIBB", content[16:26])
    start = content.index(b"IDAT")
    length = struct.unpack(">I", content[start - 4 : start])[0]
    rows = np.frombuffer(zlib.decompress(content[start + 4 : start + 4 + length]), np.uint8)
    shape = (height, width, 3) if colour == 2 else (height, width)
    return rows.reshape(height, -1)[:, 1:].reshape(shape)


def test_values_come_exactly_whole_or_in_part(api: httpx.Client, made: Made) -> None:
    made.show(IMAGE)
    whole = api.get("/pictures/1.npy")
    assert np.array_equal(np.load(io.BytesIO(whole.content)), IMAGE)
    assert whole.headers["repstream-image-id"] == "101" and whole.headers["repstream-full-size"] == "64x48"
    part = api.get("/pictures/1.npy", params={"region": "8,4,16,10"})
    assert np.array_equal(np.load(io.BytesIO(part.content)), IMAGE[4:14, 8:24])
    assert part.headers["repstream-origin"] == "8,4"
    small = api.get("/pictures/1.npy", params={"size": "32"})
    assert np.load(io.BytesIO(small.content)).shape == (24, 32) and small.headers["repstream-step"] == "2,2"


@pytest.mark.parametrize(
    ("accept", "found"),
    [
        ("image/png", "image/png"),
        ("application/x-npy", "application/x-npy"),
        ("text/html, image/jpeg;q=0.9", "image/jpeg"),
        ("*/*", "image/jpeg"),
        ("", "image/jpeg"),
    ],
)
def test_the_form_is_what_accept_says(api: httpx.Client, made: Made, accept: str, found: str) -> None:
    made.show(IMAGE)
    assert api.get("/pictures/1", headers={"accept": accept}).headers["content-type"] == found


def test_contrast_is_given_or_found(api: httpx.Client, made: Made) -> None:
    made.show(IMAGE)
    given_levels = pixels(api.get("/pictures/1.png", params={"low": 0, "high": 20400}).content)
    assert np.array_equal(given_levels, np.minimum((IMAGE / 20400 * 255 + 0.5), 255).astype(np.uint8))
    found = pixels(api.get("/pictures/1.png", params={"percentile": 90}).content)
    assert 0.05 < np.mean(found == 0) < 0.15 and 0.05 < np.mean(found == 255) < 0.15


def test_colours_are_those_of_the_map(api: httpx.Client, made: Made) -> None:
    made.show(IMAGE)
    looked = {"low": 0, "high": 1e-9, "colours": "viridis"}
    found = pixels(api.get("/pictures/1.png", params=looked).content)
    assert found.shape == (48, 64, 3)
    assert tuple(found[0, 0]) == (68, 1, 84) and tuple(found[-1, -1]) == (253, 231, 37)


def test_a_jpeg_is_about_the_same(api: httpx.Client, made: Made) -> None:
    made.show(np.kron(IMAGE[::8, ::8], np.ones((32, 32), np.uint16)))
    looked = {"low": 0, "high": 61440, "quality": 95}
    found = simplejpeg.decode_jpeg(api.get("/pictures/1.jpg", params=looked).content, "GRAY")[:, :, 0]
    exact = pixels(api.get("/pictures/1.png", params=looked).content)
    assert np.abs(found.astype(int) - exact).max() <= 8


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/pictures/1.png", 404, "no picture now"),
        ("/pictures/7.png", 404, "only 1, 2"),
        ("/pictures/1.tiff", 404, "only jpg, png"),
        ("/pictures/1.png?colours=pink", 422, "must be one of grey"),
        ("/pictures/1.png?region=1,2,3", 422, "x,y,width,height"),
        ("/pictures/1.png?size=0x5", 422, "from 1 to"),
        ("/pictures/1.png?percentile=12", 422, "greater than 50"),
        ("/pictures/1.png?colors=grey", 422, "did you mean colours?"),
    ],
)
def test_what_cannot_be_is_refused_in_words(api: httpx.Client, path: str, status: int, said: str) -> None:
    answer = api.get(path)
    assert answer.status_code == status and said in answer.json()["error"]["reason"]


def test_a_film_sends_each_picture_once(server: HttpServer, made: Made) -> None:
    made.show(IMAGE)
    with httpx.stream("GET", f"{server.url}/api/v1/pictures/1.mjpg", timeout=30) as film:
        assert film.headers["content-type"].startswith("multipart/x-mixed-replace")
        parts = film.iter_raw()
        for _ in range(3):
            content = b""
            while b"\xff\xd9\r\n" not in content:
                content += next(parts)
            assert content.count(b"--picture") == 1
            made.show(IMAGE)


def live(server: HttpServer) -> ClientConnection:
    return connect(f"{server.url.replace('http', 'ws', 1)}/api/v1/pictures/1/live", max_size=None)


def received(socket: ClientConnection) -> tuple[dict[str, Any], NDArray[Any]]:
    message = socket.recv(timeout=20)
    assert isinstance(message, bytes)
    fields = wire.HEADER.unpack_from(message)
    named = {"encoding": fields[1], "number": fields[4], "id": fields[5], "origin": fields[11:13]}
    shape, bad = fields[15:17], fields[17]
    start = fields[3] + 4 * bad
    dtype = list(wire.TYPES)[fields[2]]
    body = message[start:]
    if fields[1] == wire.Encoding.BLOSC:
        body = blosc.decompress(body)
    if fields[1] == wire.Encoding.JPEG:
        return named, simplejpeg.decode_jpeg(body, "GRAY")[:, :, 0]
    return named, np.frombuffer(body, dtype).reshape(shape)


def test_the_next_picture_is_asked_for_only_when_the_last_was_taken(server: HttpServer, made: Made) -> None:
    made.show(IMAGE)
    with live(server) as socket:
        first, values = received(socket)
        assert np.array_equal(values, IMAGE)
        asked = made.asked
        for _ in range(50):
            made.show(IMAGE)
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.3)
        assert made.asked == asked, "a client that takes nothing costs nothing"
        socket.send(json.dumps({"ack": first["number"]}))
        newest, _ = received(socket)
        assert newest["number"] == first["number"] + 50, "the latest one, none of those before"


def test_a_changed_view_shows_the_same_image_anew(server: HttpServer, made: Made) -> None:
    made.show(IMAGE)
    with live(server) as socket:
        first, _ = received(socket)
        socket.send(
            json.dumps({"ack": first["number"], "view": {"region": [8, 4, 16, 10], "size": [16, 10]}})
        )
        again, values = received(socket)
        assert again["number"] == first["number"] and again["origin"] == (4, 8)
        assert np.array_equal(values, IMAGE[4:14, 8:24])
        socket.send(json.dumps({"ack": again["number"], "encoding": "jpeg", "look": {"low": 0, "high": 1}}))
        named, values = received(socket)
        assert named["encoding"] == wire.Encoding.JPEG and values.shape == (10, 16)


@pytest.mark.parametrize(
    "text",
    ["nonsense", "[]", '{"ack": "x"}', '{"viev": {}}', '{"view": {"size": [0, 1]}}', '{"encoding": "gif"}'],
)
def test_a_client_that_is_not_understood_hears_why(server: HttpServer, text: str) -> None:
    with live(server) as socket:
        socket.send(text)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008 and closed.value.rcvd.reason


def test_a_client_that_goes_away_leaves_nothing_behind(server: HttpServer, made: Made) -> None:
    with live(server):
        end = time.monotonic() + 20
        while not made.asks and time.monotonic() < end:
            time.sleep(0.01)
    while made.asks and time.monotonic() < end:
        time.sleep(0.01)
    assert not made.asks


def test_bad_pixels_and_the_saturation_value_travel(made: Made) -> None:
    image = np.array([[1.0, np.nan], [np.inf, 4.0]], np.float32)
    message = wire.message(picture_of(image, 1, View()), wire.Encoding.RAW, Look())
    fields = wire.HEADER.unpack_from(message)
    assert np.isnan(fields[8]) and fields[17] == 2
    assert np.array_equal(np.frombuffer(message, "<u4", 2, fields[3]), [1, 2])
    whole = wire.message(picture_of(IMAGE, 1, View()), wire.Encoding.RAW, Look())
    assert wire.HEADER.unpack_from(whole)[8] == 65535


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "uint64", "float64", "uint32", "float16"])
def test_every_pixel_type_can_be_sent(dtype: str) -> None:
    image = np.array([[0, 1], [1, 0]]).astype(dtype)
    for encoding in wire.Encoding:
        assert wire.message(picture_of(image, 1, View()), encoding, Look())


@given(
    low=st.floats(-1e6, 1e6),
    high=st.floats(-1e6, 1e6),
    log=st.booleans(),
    dtype=st.sampled_from(["uint8", "uint16", "int32", "float64"]),
)
def test_brightness_never_falls_with_the_value(low: float, high: float, log: bool, dtype: str) -> None:
    values = np.sort(np.random.default_rng(1).integers(0, 120, 64)).astype(dtype)
    shown = rendering.coloured(values.reshape(8, 8), Look(low=low, high=high, log=log)).ravel()
    assert (np.diff(shown.astype(int)) >= 0).all()


def test_many_viewers_share_the_server(server: HttpServer, made: Made) -> None:
    made.show(IMAGE)
    got: list[int] = []

    def look() -> None:
        with live(server) as socket:
            got.append(int(received(socket)[0]["number"]))

    viewers = [threading.Thread(target=look) for _ in range(12)]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join(20)
    assert got == [1] * 12
