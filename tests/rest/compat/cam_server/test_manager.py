"""What managers add: the routes that ProxyClient asks, permanent instances."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from repstream.errors import Refused
from tests.ports import free_port
from tests.waiting import until

from .site import Site, error, ok

CAMERAS, PIPELINES = "http://manager-of-cameras", "http://manager-of-pipelines"
PIPELINE = {"camera_name": "simulation"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site"), managers=True).served() as site:
        yield site


@pytest.fixture
def proxy(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.pipeline_url + "/api/v1/proxy", timeout=30) as client:
        yield client


def put(site: Site, name: str, **document: object) -> None:
    (site.folder / "pipeline_config" / f"{name}.json").write_text(json.dumps(document))


def test_there_is_one_server_with_all_instances(site: Site, proxy: httpx.Client) -> None:
    ok(site.pipe.post("?instance_id=i", json=PIPELINE))
    servers = ok(proxy.get("/servers"))
    assert servers["servers"] == [PIPELINES] and servers["instances"] == [["i"]] and servers["load"] == [1]
    assert all(len(servers[key]) == 1 for key in ("version", "cpu", "memory", "tx", "rx"))
    assert list(ok(proxy.get("/status"))["servers"][PIPELINES]) == ["i"]
    info = ok(proxy.get("/info"))["info"]
    assert info["servers"] == [PIPELINES] and info["active_instances"]["i"]["host"] == PIPELINES
    assert ok(site.pipe.get("/info"))["info"]["servers"] == [PIPELINES]
    assert list(ok(proxy.get("/heartbeat"))["instances"]) == ["i"]
    assert ok(proxy.get("/version"))["version"] == ok(site.pipe.get("/version"))["version"]


def test_a_path_walks_into_the_info(site: Site, proxy: httpx.Client) -> None:
    ok(site.pipe.post("?instance_id=i", json=PIPELINE))
    assert ok(proxy.get("/info/active_instances/_keys"))["ret"] == ["i"]
    assert ok(proxy.get("/info/active_instances/i/config/camera_name"))["ret"] == "simulation"
    assert ok(proxy.get("/info/servers/0"))["ret"] == PIPELINES
    assert ok(proxy.get("/info/active_instances/0/instance_id"))["ret"] == "i"
    assert len(ok(proxy.get("/info/active_instances/_values"))["ret"]) == 1
    for path in ("nothing", "servers/1", "servers/0/x", "servers/_keys"):
        assert "has no" in error(proxy.get(f"/info/{path}"))


def test_the_file_of_servers_is_kept(site: Site, proxy: httpx.Client) -> None:
    assert ok(proxy.get("/config"))["config"][PIPELINES]["expanding"] is True
    servers = {"http://other:8881": {"enabled": True, "expanding": False, "instances": ["a:1", "#b"]}}
    assert ok(proxy.post("/config", json=servers))["config"] == servers == ok(proxy.get("/config"))["config"]
    assert json.loads((site.folder / "pipeline_config" / "servers.json").read_text()) == servers
    assert ok(site.pipe.get("/config_names"))["config_names"] == []
    for bad in ([], {"a": 1}, "x"):
        assert error(proxy.post("/config", json=bad))


def test_permanent_instances_are_started_now_and_again(site: Site, proxy: httpx.Client) -> None:
    put(site, "p", **PIPELINE, no_client_timeout=5)
    wanted = {"mine": "p", "p": "", "off": "#p", "#other": "p"}
    assert ok(proxy.post("/permanent", json=wanted))["permanent_instances"] == wanted
    assert ok(proxy.get("/permanent"))["permanent_instances"] == wanted
    until(lambda: {"mine", "p"} <= set(site.launcher.processes), "the permanent instances")
    assert site.launcher.processes["mine"].configuration["no_client_timeout"] == 0
    assert set(site.launcher.processes) == {"mine", "p"}
    ok(proxy.delete("/mine"))
    ok(proxy.post("/permanent", json=wanted))
    until(lambda: "mine" in ok(site.pipe.get("/info"))["info"]["active_instances"], "its next start")


def test_an_update_of_a_permanent_instance_is_saved(site: Site, proxy: httpx.Client) -> None:
    put(site, "p", **PIPELINE, no_client_timeout=5)
    ok(proxy.post("/permanent", json={"mine": "p"}))
    until(lambda: "mine" in ok(site.pipe.get("/info"))["info"]["active_instances"])
    ok(site.pipe.post("/instance/mine/config", json={"image_threshold": 7}))
    saved = ok(site.pipe.get("/p/config"))["config"]
    assert saved["image_threshold"] == 7 and saved["no_client_timeout"] == 5
    ok(site.pipe.post("?instance_id=other", json={**PIPELINE, "name": "p"}))
    ok(site.pipe.post("/instance/other/config", json={"image_threshold": 8}))
    assert ok(site.pipe.get("/p/config"))["config"]["image_threshold"] == 7


def test_bad_permanent_instances_are_refused(site: Site, proxy: httpx.Client) -> None:
    for bad in ([], {"a": 1}, {"../a": ""}, None, "x"):
        assert error(proxy.post("/permanent", content=json.dumps(bad)))
    assert ok(proxy.get("/permanent"))["permanent_instances"] == {}


def test_saved_configurations_are_texts_here(site: Site, proxy: httpx.Client) -> None:
    text = ok(proxy.post("/p/config", json=PIPELINE))["config"]
    assert json.loads(text)["camera_name"] == "simulation"
    assert ok(proxy.get("/p/config"))["config"] == text
    assert ok(proxy.get("/config_names"))["config_names"] == ["p"]
    ok(proxy.delete("/p/config"))
    assert error(proxy.get("/p/config")) == "Config 'p' does not exist."


def test_a_diagnosis(site: Site, proxy: httpx.Client) -> None:
    put(site, "p", **PIPELINE)
    ok(site.pipe.post("?instance_id=i", json={**PIPELINE, "mode": "PUSH"}))
    active = ok(proxy.get("/diag/i"))["diag"]
    assert active["status"] == "active" and active["mode"] == "PUSH" and active["permanent"] is False
    assert {"clients", "rx", "tx", "cpu", "memory"} <= set(active)
    assert ok(proxy.get("/diag/p"))["diag"]["status"] == "inactive"
    assert ok(proxy.get("/diag/x"))["diag"]["status"] == "invalid"


def test_instances_are_stopped_one_by_one_or_by_server(site: Site, proxy: httpx.Client) -> None:
    for name in "abc":
        ok(site.pipe.post(f"?instance_id={name}", json=PIPELINE))
    ok(proxy.delete("/a"))
    ok(proxy.delete("/b/del"))
    assert list(ok(site.pipe.get("/info"))["info"]["active_instances"]) == ["c"]
    assert "there is no server" in error(proxy.delete("/server/7"))
    ok(proxy.delete("/server/0"))
    assert ok(site.pipe.get("/info"))["info"]["active_instances"] == {}


@pytest.mark.parametrize("prefix", ["/api/v1", "/api/v1/proxy"])
def test_logs_by_server_in_both_spellings(site: Site, prefix: str) -> None:
    ok(site.pipe.post("?instance_id=i", json=PIPELINE))
    url = site.pipeline_url + prefix
    assert isinstance(ok(httpx.get(f"{url}/server/logs/0"))["logs"], list)
    assert (
        httpx.get(f"{url}/server/logs/manager-of-pipelines/txt")
        .headers["content-type"]
        .startswith("text/plain")
    )
    assert ok(httpx.get(f"{url}/server/instance/logs/0/i"))["logs"] == []
    assert httpx.get(f"{url}/server/instance/logs/0/i/txt").text == ""
    assert "there is no server" in error(httpx.get(f"{url}/server/logs/9"))


def test_a_manager_fills_in_the_latest_background_and_knows_a_running_exit_code(site: Site) -> None:
    found = ok(site.pipe.post("/camera/simulation/background?n_images=1"))["background_id"]
    created = ok(site.pipe.post("?instance_id=i", json={**PIPELINE, "image_background_enable": True}))
    assert created["config"]["image_background"] == found
    assert error(site.pipe.get("/instance/i/exitcode")) == "Instance 'i' still running."


def test_cameras_have_a_manager_too(site: Site) -> None:
    ok(site.cam.get("/simulation"))
    proxy = f"{site.camera_url}/api/v1/proxy"
    assert ok(httpx.get(f"{proxy}/servers"))["instances"] == [["simulation"]]
    ok(httpx.post(f"{proxy}/permanent", json={"always": "simulation"}))
    until(lambda: "always" in ok(site.cam.get("/info"))["info"]["active_instances"])


def test_a_permanent_camera_stays_so_when_it_is_configured(site: Site) -> None:
    url, config = f"{site.camera_url}/api/v1/proxy/permanent", {"source": "", "source_type": "simulation"}
    ok(site.cam.post("/c/config", json=config))
    ok(httpx.post(url, json={"c": ""}))
    until(lambda: "c" in ok(site.cam.get("/info"))["info"]["active_instances"])
    saved = ok(site.cam.post("/c/config", json={**config, "rotate": 1, "no_client_timeout": 5}))["config"]
    running = site.launcher.processes["c"].configuration
    assert (running["rotate"], running["no_client_timeout"], saved["no_client_timeout"]) == (1, 0, 5)


def test_a_file_of_servers_that_is_wrong_is_said_at_the_start(tmp_path: Path) -> None:
    site = Site(tmp_path, managers=True)
    (tmp_path / "camera_config" / "servers.json").write_text('{"here": {}}')
    with pytest.raises(Refused, match="no address of a server"), site.served():
        pass


def test_a_server_that_cannot_be_reached_is_shown_so(site: Site, proxy: httpx.Client) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    ok(proxy.post("/config", json={PIPELINES: {"expanding": False, "instances": ["i"]}, nowhere: {}}))
    ok(site.pipe.post("?instance_id=i", json=PIPELINE))
    until(lambda: "does not answer" in ok(proxy.get("/servers"))["problem"][1], "the reason")
    servers = ok(proxy.get("/servers"))
    assert servers["servers"] == [PIPELINES, nowhere] and servers["load"] == [1, 1000]
    assert servers["instances"] == [["i"], []] and servers["problem"][0] == ""
    assert ok(proxy.get("/status"))["servers"][nowhere] is None
    assert "no server can take it" in error(site.pipe.post("?instance_id=j", json=PIPELINE))
    assert "does not answer" in error(proxy.delete("/server/1"))
    assert ok(proxy.get(f"/server/logs/{PIPELINES.removeprefix('http://')}"))["state"] == "ok"
