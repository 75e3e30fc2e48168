"""Bodies that are too long are refused, and take no memory."""

from __future__ import annotations

import socket
import tracemalloc
from collections.abc import Iterator

import httpx
import pytest

from repstream_http.compat.cam_server import bodies
from repstream_http.compat.cam_server.bodies import MIB, Body

from .site import Site

PART = bytes(MIB)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LIMITS", {Body.JSON: 32 * MIB, Body.DATA: 64 * MIB})
    monkeypatch.setattr(bodies, "UNDECLARED", 4 * MIB)


def zeros(mebibytes: int) -> Iterator[bytes]:
    yield from [PART] * mebibytes


def sent(site: Site, method: str, path: str, mebibytes: int, declared: bool) -> tuple[httpx.Response, float]:
    """The answer to such a body, and how many MiB were taken at most meanwhile."""
    headers = {"content-length": str(mebibytes * MIB)} if declared else {}
    tracemalloc.start()
    try:
        answer = site.cam.request(method, path, content=zeros(mebibytes), headers=headers, timeout=60)
        return answer, tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("method", "path", "mebibytes", "declared"),
    [
        ("PUT", "/background/b/image_bytes", 100, True),
        ("PUT", "/background/b/image_bytes", 40, False),
        ("POST", "/a/config", 60, True),
        ("POST", "/a/config", 60, False),
    ],
)
def test_a_body_beyond_the_limit_takes_no_memory(
    site: Site, method: str, path: str, mebibytes: int, declared: bool
) -> None:
    answer, taken = sent(site, method, path, mebibytes, declared)
    assert answer.status_code == 413
    assert answer.json()["state"] == "error"
    assert ("Content-Length" in answer.json()["status"]) is not declared
    assert taken < 16
    assert list(site.folder.rglob("*.npy")) == list(site.folder.rglob("*.json")) == []


def test_what_is_sent_beyond_what_was_declared_is_no_part_of_the_body(site: Site) -> None:
    url = httpx.URL(site.camera_url)
    with socket.create_connection((url.host, url.port or 0), timeout=30) as raw:
        raw.sendall(
            b"POST /api/v1/cam/a/config HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}" + PART[:5000]
        )
        answer = raw.recv(65536)
    assert answer.split()[1] == b"400" or b"'source' not specified" in answer
    assert list(site.folder.rglob("*.json")) == []
