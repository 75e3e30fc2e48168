"""Whatever is asked: an answer in the convention, no fault of ours, nothing outside the site's folders."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repstream_http.compat.cam_server import camera, manager, pipeline
from repstream_http.compat.cam_server.convention import API

from .site import Site, ok

MANY = 250

NAMES = st.one_of(
    st.sampled_from(["simulation", "a", "b", "..", "../a", "servers", "x" * 300, "📷", "a\0", "%2e", "#"]),
    st.text(max_size=8),
)
CONFIG_KEYS = """
source source_type rotate roi camera_name pipeline_type image_slices image_background camera_calibration
image_good_region no_client_timeout port alias group filename data function name mode binning_x
"""
QUERY_KEYS = "instance_id additional_config n_images raw scale min_value max_value colormap"
KEYS = st.sampled_from(CONFIG_KEYS.split())
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["simulation", "processing", "a"]),
)
JSON = st.recursive(
    VALUES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)
GOOD = st.sampled_from([{"source": "", "source_type": "simulation"}, {"camera_name": "simulation"}])
NEARLY_GOOD = st.builds(lambda good, more: {**good, **more}, GOOD, st.dictionaries(KEYS, JSON, max_size=2))
BODIES = st.one_of((NEARLY_GOOD | JSON).map(lambda body: json.dumps(body).encode()), st.binary(max_size=40))
QUERIES = st.dictionaries(
    st.sampled_from(
        ["instance_id", "additional_config", "n_images", "raw", "scale", "min_value", "max_value", "colormap"]
    ),
    st.sampled_from(["", "1", "0", "-1", "nan", "1e999", "x", "{}", "[1]", "grey", "a", "\0", "../x"]),
    max_size=2,
)
FIELDS = ["name", "server", "path"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site"), managers=True).served() as site:
        yield site


def paths(site: Site) -> list[tuple[str, str]]:
    """Method and whole path of every route of both servers, without those that take seconds by design."""
    found = []
    for app, url in zip(site.apps, (site.camera_url, site.pipeline_url), strict=True):
        for route in app.routes:
            found += [(method, url + route.path) for method in getattr(route, "methods", None) or ()]
    return [(method, path) for method, path in found if not path.endswith(("/reset", "docs", "redoc"))]


@settings(max_examples=MANY, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_random_requests(site: Site, data: st.DataObject) -> None:
    method, path = data.draw(st.sampled_from(paths(site)), "route")
    if data.draw(st.integers(0, 9)) == 0:
        method = data.draw(st.sampled_from(["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]), "method")
    for field in FIELDS:
        for suffix in ("}", ":path}"):
            if f"{{{field}{suffix}" in path:
                name = urllib.parse.quote(data.draw(NAMES, field), safe="", errors="replace")
                path = path.replace(f"{{{field}{suffix}", name)
    request = httpx.Request(method, path, params=data.draw(QUERIES), content=data.draw(BODIES))
    response = site.client.send(request)
    assert response.status_code in (200, 400, 404, 405)
    assert response.headers["access-control-allow-origin"] == "*"
    if method != "HEAD" and response.headers.get("content-type", "") == "application/json":
        answer = response.json()
        assert answer["state"] in ("ok", "error") and "fault of the server" not in answer["status"], answer
        assert (answer["state"] == "error") or response.status_code == 200
    outside = [path for path in site.folder.iterdir() if path.name not in site.FOLDERS]
    assert outside == [] and not Path("a").exists()
    ok(site.cam.get("/version"))


def test_the_fuzz_reaches_every_route(site: Site) -> None:
    urls = [urllib.parse.urlsplit(path).path for _, path in paths(site)]
    for prefix in (camera.PREFIX, pipeline.PREFIX, manager.PREFIX, API + "/logs", API + "/server"):
        assert len([url for url in urls if url.startswith(prefix)]) > 3
