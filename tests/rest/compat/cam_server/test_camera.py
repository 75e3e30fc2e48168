"""The camera server's routes, as cam_server's clients use them."""

from __future__ import annotations

import base64
import io
import json
import logging
import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from PIL import Image

from repstream.version import __version__

from .site import IMAGE, Site, error, ok

SAVED = {"source": "X", "source_type": "simulation", "site_key": {"a": [1, None]}}
DEFAULTS = {
    "mirror_x": False,
    "mirror_y": False,
    "rotate": 0,
    "roi": None,
    "image_background": None,
    "camera_calibration": None,
}


def put(site: Site, name: str, **document: object) -> None:
    (site.folder / "camera_config" / f"{name}.json").write_text(json.dumps({**SAVED, **document}))


def test_what_a_site_has_is_listed(site: Site) -> None:
    put(site, "b", alias=["B", "Bee"], group="all")
    put(site, "a", group=["all", "some"])
    assert ok(site.cam.get(""))["cameras"] == ["a", "b", "simulation"]
    assert ok(site.cam.get("/config_names"))["config_names"] == ["a", "b"]
    assert ok(site.cam.get("/aliases"))["aliases"] == {"B": "b", "Bee": "b"}
    assert ok(site.cam.get("/groups"))["groups"] == {"all": ["a", "b"], "some": ["a"]}
    assert ok(site.cam.get("/version"))["version"] == __version__
    assert ok(site.cam.get("/base"))["base"] == "/api/v1/cam"


def test_a_stream_is_that_of_the_running_camera_also_by_its_alias(site: Site) -> None:
    put(site, "a", alias="A")
    stream = ok(site.cam.get("/a"))["stream"]
    assert stream.startswith("tcp://127.0.0.1:")
    assert ok(site.cam.get("/A"))["stream"] == stream == ok(site.cam.get("/a"))["stream"]
    assert list(site.launcher.processes) == ["a"]


def test_an_alias_stands_for_its_camera_everywhere(site: Site) -> None:
    put(site, "a", alias="A")
    assert ok(site.cam.post("/A/config", json={**SAVED, "alias": "A", "rotate": 2}))["config"]["name"] == "a"
    assert ok(site.cam.get("/config_names"))["config_names"] == ["a"]
    ok(site.cam.get("/A"))
    assert ok(httpx.get(f"{site.camera_url}/api/v1/logs/instance/A"))["logs"] == []
    ok(site.cam.delete("/A"))
    assert ok(site.cam.get("/info"))["info"]["active_instances"] == {}


def test_clients_that_configure_at_once_leave_what_runs_and_what_is_saved_the_same(site: Site) -> None:
    put(site, "a")
    site.cam.get("/a")

    def configure(turns: int) -> None:
        ok(httpx.post(f"{site.camera_url}/api/v1/cam/a/config", json={**SAVED, "rotate": turns}, timeout=60))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(configure, range(24)))
    saved = ok(site.cam.get("/a/config"))["config"]
    assert site.launcher.processes["a"].configuration["rotate"] == saved["rotate"]


def test_info_has_the_instances_and_their_figures(site: Site) -> None:
    assert ok(site.cam.get("/info"))["info"]["active_instances"] == {}
    stream = ok(site.cam.get("/simulation"))["stream"]
    info = ok(site.cam.get("/info"))["info"]
    assert info["version"] == __version__ and isinstance(info["memory"], int)
    (camera,) = info["active_instances"].values()
    assert camera["stream_address"] == stream and camera["is_stream_active"] is True
    assert camera["camera_name"] == "simulation" and camera["camera_geometry"] == [4, 3]
    assert camera["last_start_time"].endswith(" UTC+0000") and len(camera["last_start_time"]) == 28
    assert camera["config"]["source_type"] == "simulation"
    figures = camera["statistics"]
    assert figures["rx"] == "11.58Hz - 20" and figures["frame_shape"] == "4x3x2"
    assert figures["pid"] == "4711" and figures["clients"] == 1
    assert set(figures) >= {"total_bytes", "throughput", "time", "tx", "cpu", "memory", "header_changes"}


def test_heartbeat_is_flat(site: Site) -> None:
    site.cam.get("/simulation")
    beat = ok(site.cam.get("/heartbeat"))
    flat = beat["instances"]["simulation"]
    assert beat["version"] == __version__ and flat["rx"] == "11.58Hz - 20" and "config" not in flat


def test_instances_are_stopped_and_unknown_ones_are_no_error(site: Site) -> None:
    put(site, "a")
    site.cam.get("/simulation")
    port = ok(site.cam.get("/a"))["stream"]
    ok(site.cam.delete("/a"))
    assert list(ok(site.cam.get("/info"))["info"]["active_instances"]) == ["simulation"]
    assert ok(site.cam.get("/a"))["stream"] == port
    ok(site.cam.delete("/nobody"))
    ok(site.cam.delete("/a/del"))
    ok(site.cam.delete(""))
    assert ok(site.cam.get("/info"))["info"]["active_instances"] == {}


def test_a_configuration_gets_defaults_and_keeps_unknown_keys(site: Site) -> None:
    put(site, "a", mirror_x=None)
    assert ok(site.cam.get("/a/config"))["config"].items() >= {**SAVED, **DEFAULTS}.items()
    saved = ok(site.cam.post("/new 📷/config", json={**SAVED, "camera_calibration": {}}))["config"]
    assert saved["camera_calibration"] == {
        "reference_marker": [0, 0, 100, 100],
        "reference_marker_width": 100.0,
        "reference_marker_height": 100.0,
        "angle_horizontal": 0.0,
        "angle_vertical": 0.0,
    }
    assert saved["site_key"] == SAVED["site_key"] and saved["name"] == "new 📷"
    assert json.loads((site.folder / "camera_config" / "new 📷.json").read_text()) == saved
    assert ok(site.cam.get("/new 📷/config"))["config"] == saved


def test_a_running_camera_takes_a_configuration_at_once(site: Site) -> None:
    put(site, "a")
    site.cam.get("/a")
    ok(site.cam.post("/a/config", json={**SAVED, "rotate": 1}))
    assert site.launcher.processes["a"].configuration["rotate"] == 1
    assert ok(site.cam.get("/info"))["info"]["active_instances"]["a"]["config"]["rotate"] == 1


def test_a_configuration_that_the_running_camera_refuses_is_not_saved(site: Site) -> None:
    put(site, "a")
    site.cam.get("/a")
    site.launcher.processes["a"].refusal = "no"
    assert "no" in error(site.cam.post("/a/config", json={**SAVED, "rotate": 1}))
    assert ok(site.cam.get("/a/config"))["config"]["rotate"] == 0


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "'source' not specified in configuration."),
        ({"source": None}, "'source' not specified in configuration."),
        ({"source": "", "source_type": "moon"}, "Invalid source_type 'moon'. Available: ["),
        (
            {"source": "", "source_type": "stddaq"},
            "'stddaq' of cam_server is not supported here; simulation,",
        ),
        ({"source": "", "rotate": "x"}, "rotate"),
        ([1], "must be a JSON object"),
        (None, "must be a JSON object"),
    ],
)
def test_bad_configurations_are_refused_and_leave_nothing(site: Site, body: object, reason: str) -> None:
    assert reason in error(site.cam.post("/a/config", content=json.dumps(body)))
    assert ok(site.cam.get("/config_names"))["config_names"] == []


def test_a_configuration_is_removed(site: Site) -> None:
    put(site, "a")
    ok(site.cam.delete("/a/config"))
    assert error(site.cam.get("/a/config")) == "Config 'a' does not exist."
    assert error(site.cam.delete("/a/config")) == "Config 'a' does not exist."
    assert error(site.cam.get("/a")) == "Config 'a' does not exist."


def test_a_camera_that_ends_at_once_says_why(site: Site) -> None:
    put(site, "broken")
    site.launcher.dying["broken"] = ("no such device",)
    assert error(site.cam.get("/broken")) == "'broken' instance  terminated. See logs. no such device"
    site.launcher.dying["broken"] = ("Camera with prefix X is offline: nobody answers",)
    assert error(site.cam.get("/broken")) == "Camera with prefix X is offline: nobody answers"


def test_geometry_and_online(site: Site) -> None:
    put(site, "dark", source="EPICS-CAM")
    assert ok(site.cam.get("/simulation/geometry"))["geometry"] == [4, 3]
    assert ok(site.cam.get("/simulation/is_online"))["online"] is True
    offline = ok(site.cam.get("/dark/is_online"))
    assert offline["online"] is False and offline["status"] == "nobody answers"
    assert error(site.cam.get("/dark/geometry")) == "Camera with prefix EPICS-CAM is offline: nobody answers"


def test_an_image_is_the_next_one(site: Site) -> None:
    image = ok(site.cam.get("/simulation/image_bytes"))["image"]
    found = np.frombuffer(base64.b64decode(image["bytes"]), image["dtype"]).reshape(image["shape"])
    assert image["dtype"] == "<u2" and image["shape"] == [3, 4]
    np.testing.assert_array_equal(found[1:], IMAGE[1:])


def colours_of(response: httpx.Response) -> np.ndarray:
    assert response.headers["content-type"] == "image/png", response.text
    with Image.open(io.BytesIO(response.content)) as image:
        return np.asarray(image)


def test_the_picture_is_the_rainbow_up_to_the_maximum(site: Site) -> None:
    site.backgrounds.put("ramp", IMAGE, datetime(2026, 1, 1))
    shown = colours_of(site.pipe.get("/background/ramp/image"))
    assert shown.shape == (3, 4, 3)
    assert shown[0, 0].tolist() == [127, 0, 255] and shown[2, 3].tolist() == [255, 0, 0]
    grey = colours_of(site.pipe.get("/background/ramp/image?colormap=grey&min_value=4&max_value=4"))
    assert grey[1, 0].tolist() == [0, 0, 0] and grey[2, 0].tolist() == [255] * 3 == grey[2, 3].tolist()
    assert colours_of(site.pipe.get("/background/ramp/image?scale=0.5")).shape == (1, 2, 3)
    assert colours_of(site.cam.get("/simulation/image?raw=1")).shape == (3, 4, 3)
    for query in ("scale=0", "scale=x", "scale=2", "min_value=nan", "colormap=mauve"):
        assert query.partition("=")[0] in error(site.pipe.get(f"/background/ramp/image?{query}"))


def test_a_raw_image_comes_from_an_instance_that_turns_nothing(site: Site) -> None:
    put(site, "a", rotate=1, port=0)
    ok(site.cam.get("/a/image_bytes?raw=1"))
    assert site.launcher.processes["a (raw)"].configuration["rotate"] == 0
    put(site, "b", rotate=1, source_type="bsread")
    assert "only one can read" in error(site.cam.get("/b/image_bytes?raw=1"))


def test_a_background_is_uploaded_as_a_pickle(site: Site) -> None:
    ok(site.cam.put("/background/dark frame/image_bytes", content=pickle.dumps(IMAGE, 0)))
    np.testing.assert_array_equal(np.load(site.folder / "background_config" / "dark frame.npy"), IMAGE)
    evil = b"cposix\nsystem\n(Vtouch /tmp/owned\ntR."
    assert "wants to use" in error(site.cam.put("/background/x/image_bytes", content=evil))


def test_the_log_is_kept_and_that_of_an_instance_too(site: Site) -> None:
    logging.getLogger("repstream.test").error("a line for %s", "clients")
    time, logger, level, text = ok(httpx.get(f"{site.camera_url}/api/v1/logs"))["logs"][-1]
    assert (logger, level, text) == ("repstream.test", "ERROR", "a line for clients")
    plain = httpx.get(f"{site.camera_url}/api/v1/logs/txt")
    assert plain.text.splitlines()[-1] == f"{time} - repstream.test - ERROR - a line for clients"
    assert plain.headers["content-type"].startswith("text/plain")
    site.cam.get("/simulation")
    assert ok(httpx.get(f"{site.camera_url}/api/v1/logs/instance/simulation"))["logs"] == []
    assert httpx.get(f"{site.camera_url}/api/v1/logs/instance/simulation/txt").text == ""
    assert error(httpx.get(f"{site.camera_url}/api/v1/logs/instance/x")) == "Instance 'x' does not exist."


def test_reset_ends_a_server_that_stands_alone(site: Site) -> None:
    assert "no client may end it" in error(httpx.get(f"{site.pipeline_url}/api/v1/reset"))
    ok(httpx.get(f"{site.camera_url}/api/v1/reset"))
    assert site.ended.is_set()


def test_pages_of_every_origin_may_ask(site: Site) -> None:
    headers = {"origin": "http://elsewhere", "access-control-request-method": "POST"}
    for response in (
        site.cam.options("/any/path", headers=headers),
        site.cam.get("", headers=headers),
        site.cam.delete("/x", headers=headers),
        site.cam.get("/a/b/c/d", headers=headers),
    ):
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["access-control-allow-methods"] == "PUT, GET, POST, DELETE, OPTIONS"
    assert site.cam.options("/any/path").status_code == 200


def test_head_is_answered_like_get_without_a_body(site: Site) -> None:
    response = site.cam.head("/version")
    assert response.status_code == 200 and response.content == b""
    assert response.headers["content-type"] == "application/json"


def test_unknown_paths_and_bodies_that_are_no_json(site: Site) -> None:
    for response, status in (
        (site.cam.get("/a/b/c/d"), 404),
        (site.cam.post("/info"), 405),
        (site.cam.post("/a/config", content=b"{"), 400),
    ):
        assert response.status_code == status
        assert response.json()["state"] == "error" and response.json()["status"]
    assert site.cam.post("/a/config", content=b"{").json()["status"].startswith("the body is not JSON")


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%5Cx", "a%00b", ".hidden", "x" * 300, "servers"])
def test_a_name_is_never_a_path(site: Site, name: str) -> None:
    url = f"{site.camera_url}/api/v1/cam/{name}/config"
    response = site.client.send(httpx.Request("POST", httpx.URL(url), json=SAVED))
    assert response.json()["state"] == "error"
    assert [path.name for path in site.folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", ["🙂", "Straße 7", "x" * 195, "%41"])
def test_a_name_that_is_no_path_is_kept_as_it_is(site: Site, name: str) -> None:
    url = f"/{quote(name, safe='')}"
    ok(site.cam.post(f"{url}/config", json=SAVED))
    assert name in ok(site.cam.get(""))["cameras"]
    assert ok(site.cam.get(f"{url}/config"))["config"]["name"] == name
    assert ok(site.cam.get(url))["stream"].startswith("tcp://")
    ok(site.cam.delete(f"{url}/config"))
    assert name not in ok(site.cam.get(""))["cameras"]


def test_a_name_with_a_separator_is_no_path_of_ours(site: Site) -> None:
    assert site.cam.post("/..%2F..%2Fevil/config", json=SAVED).status_code in (404, 405)
    assert list(site.folder.rglob("*.json")) == []
