"""The pipeline server's routes, as cam_server's clients use them."""

from __future__ import annotations

import base64
import json
import pickle
import threading

import httpx
import numpy as np
import pytest

from .site import IMAGE, Site, error, ok

PIPELINE = {"camera_name": "simulation"}
DEFAULTS = {
    "image_background_enable": False,
    "image_background": None,
    "image_threshold": None,
    "image_region_of_interest": None,
    "image_good_region": None,
    "image_slices": None,
    "pipeline_type": "processing",
}


def put(site: Site, name: str, **document: object) -> None:
    (site.folder / "pipeline_config" / f"{name}.json").write_text(json.dumps(document))


def test_what_a_site_has_is_listed(site: Site) -> None:
    put(site, "p", camera_name="simulation", group="g")
    assert ok(site.pipe.get(""))["pipelines"] == ["p"]
    assert ok(site.pipe.get("/config_names"))["config_names"] == ["p"]
    assert ok(site.pipe.get("/groups"))["groups"] == {"g": ["p"]}
    assert ok(site.pipe.get("/camera"))["cameras"] == ["simulation"]


def test_an_instance_of_a_configuration_has_its_defaults(site: Site) -> None:
    created = ok(site.pipe.post("", json={**PIPELINE, "image_slices": {"scale": 3}, "mine": 1}))
    assert len(created["instance_id"]) == 36 and created["stream"].startswith("tcp://127.0.0.1:")
    slices = {"number_of_slices": 1, "scale": 3, "orientation": "vertical"}
    assert created["config"].items() >= {**PIPELINE, **DEFAULTS, "image_slices": slices, "mine": 1}.items()
    info = ok(site.pipe.get(f"/instance/{created['instance_id']}/info"))["info"]
    assert info["instance_id"] == created["instance_id"] and info["read_only"] is False
    assert info["camera_name"] == "simulation" and info["config"] == created["config"]


def test_an_instance_of_a_saved_pipeline_may_have_additional_keys(site: Site) -> None:
    put(site, "p", **PIPELINE, image_threshold=5)
    params = {"instance_id": "mine", "additional_config": json.dumps({"image_threshold": 7})}
    created = ok(site.pipe.post("/p", params=params))
    assert created["instance_id"] == "mine" and created["config"]["image_threshold"] == 7
    assert ok(site.pipe.get("/p/config"))["config"]["image_threshold"] == 5
    assert ok(site.pipe.post("/p"))["config"]["image_threshold"] == 5
    assert error(site.pipe.post("/p", params={"additional_config": "{"})).startswith("additional_config")
    assert error(site.pipe.post("/none")) == "Config 'none' does not exist."


def test_an_id_is_taken_once(site: Site) -> None:
    ok(site.pipe.post("?instance_id=one", json=PIPELINE))
    assert error(site.pipe.post("?instance_id=one", json=PIPELINE)) == (
        "Instance with id 'one' is already present and running. Use another instance_id or stop the "
        "current instance if you want to reuse the same instance_id."
    )
    ok(site.pipe.delete("/one"))
    ok(site.pipe.post("?instance_id=one", json=PIPELINE))


def test_a_stream_by_name_is_of_the_instance_or_of_the_saved_pipeline(site: Site) -> None:
    put(site, "p", **PIPELINE)
    stream = ok(site.pipe.get("/instance/p"))["stream"]
    assert ok(site.pipe.get("/instance/p"))["stream"] == stream
    assert ok(site.pipe.post("/instance/p/config", json={"image_threshold": 3}))
    assert error(site.pipe.get("/instance/none")) == (
        "Instance 'none' is not present on server and it is not a saved pipeline name."
    )


def test_equal_configurations_share_an_instance_that_nobody_changes(site: Site) -> None:
    first = ok(site.pipe.post("/instance/", json={**PIPELINE, "image_threshold": 1}))
    second = ok(site.pipe.post("/instance/", json={"image_threshold": 1, **PIPELINE, "image_slices": None}))
    other = ok(site.pipe.post("/instance/", json={**PIPELINE, "image_threshold": 2}))
    assert first["instance_id"] == second["instance_id"] != other["instance_id"]
    url = f"/instance/{first['instance_id']}"
    assert ok(site.pipe.get(url + "/info"))["info"]["read_only"] is True
    refused = error(site.pipe.post(url + "/config", json={"image_threshold": 9}))
    assert refused == "Cannot set config on a read only instance."
    assert error(site.pipe.post(url + "/config", json={"camera_name": "x"})) == refused


def test_one_that_is_configured_so_is_read_only_too(site: Site) -> None:
    ok(site.pipe.post("?instance_id=r", json={**PIPELINE, "read_only": True}))
    refused = error(site.pipe.post("/instance/r/config", json={"image_threshold": 9}))
    assert refused == "Cannot set config on a read only instance."
    put(site, "p", **PIPELINE, read_only=True)
    ok(site.pipe.get("/instance/p"))
    assert error(site.pipe.post("/instance/p/config", json={"image_threshold": 9})) == refused


def test_an_update_is_merged_in_depth(site: Site) -> None:
    ok(site.pipe.post("?instance_id=i", json={**PIPELINE, "image_good_region": {"threshold": 0.5}}))
    whole = ok(
        site.pipe.post("/instance/i/config", json={"image_good_region": {"gfscale": 2}, "image_slices": {}})
    )["config"]
    assert whole["image_good_region"] == {"threshold": 0.5, "gfscale": 2}
    assert whole["image_slices"] == {"number_of_slices": 1, "scale": 2, "orientation": "vertical"}
    assert ok(site.pipe.get("/instance/i/config"))["config"] == whole
    assert site.launcher.processes["i"].configuration == whole


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "Config updates cannot be empty."),
        (None, "Config updates cannot be empty."),
        ([], "Config updates cannot be empty."),
        (
            {"camera_name": "other"},
            "Cannot change the camera name on a running instance. Stop the instance first.",
        ),
        ({"image_slices": {"number_of_slices": 1.5}}, "number_of_slices must be an integer."),
        ({"image_slices": {"orientation": "up"}}, "Invalid slice orientation 'up'."),
        ({"image_background": "none"}, "Requested background 'none' does not exist."),
        ({"pipeline_type": "x"}, "pipeline_type"),
    ],
)
def test_a_bad_update_is_refused_and_changes_nothing(site: Site, change: object, reason: str) -> None:
    before = ok(site.pipe.post("?instance_id=i", json=PIPELINE))["config"]
    assert error(site.pipe.post("/instance/i/config", content=json.dumps(change))).startswith(reason)
    assert ok(site.pipe.get("/instance/i/config"))["config"] == before


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "You must specify either the pipeline name or the configuration for the pipeline."),
        ({}, "You must specify either the pipeline name or the configuration for the pipeline."),
        ({"image_threshold": 1}, "Camera name not specified in configuration."),
        ({"pipeline_type": "store"}, "Camera name not specified in configuration."),
        ({**PIPELINE, "pipeline_type": "x"}, "pipeline_type 'x' not present in mapping. Available: ["),
        (
            {**PIPELINE, "pipeline_type": "script"},
            "pipeline_type 'script' not present in mapping. Available: ['processing', 'store', 'stream', "
            "'custom', 'fanout', 'fanin']. 'script' of cam_server is not supported here; ",
        ),
        ({**PIPELINE, "function": "psss"}, "function: 'psss' of cam_server is not supported here; null,"),
        ({**PIPELINE, "image_background": "x"}, "Requested background 'x' does not exist."),
        ({**PIPELINE, "image_slices": {"number_of_slices": "2"}}, "number_of_slices must be an integer."),
    ],
)
@pytest.mark.parametrize("path", ["", "/instance/"])
def test_bad_configurations_are_refused(site: Site, path: str, body: object, reason: str) -> None:
    assert error(site.pipe.post(path, content=json.dumps(body))).startswith(reason)
    assert site.launcher.processes == {}


def test_saved_pipelines_are_written_read_and_removed(site: Site) -> None:
    saved = ok(site.pipe.post("/p/config", json={**PIPELINE, "mine": {"a": 1}}))["config"]
    assert saved == {**DEFAULTS, **PIPELINE, "mine": {"a": 1}, "name": "p"}
    assert ok(site.pipe.get("/p/config"))["config"] == saved
    ok(site.pipe.get("/instance/p"))
    ok(site.pipe.post("/p/config", json={**PIPELINE, "image_threshold": 1}))
    assert ok(site.pipe.get("/instance/p/config"))["config"]["image_threshold"] is None
    ok(site.pipe.delete("/p/config"))
    assert error(site.pipe.delete("/p/config")) == "Pipeline 'p' does not exist."
    assert error(site.pipe.get("/p/config")) == "Config 'p' does not exist."


def test_what_is_not_there_does_not_exist(site: Site) -> None:
    text = "Instance 'x' does not exist."
    for path in ("/instance/x/info", "/instance/x/exitcode", "/instance/x/config"):
        assert error(site.pipe.get(path)) == text
    assert error(site.pipe.post("/instance/x/config", json={"image_threshold": 1})) == text
    ok(site.pipe.delete("/x"))


def test_an_exit_code_is_null_until_the_end(site: Site) -> None:
    ok(site.pipe.post("?instance_id=i", json=PIPELINE))
    assert ok(site.pipe.get("/instance/i/exitcode"))["exitcode"] is None
    site.launcher.processes["i"].end(3)
    assert ok(site.pipe.get("/instance/i/exitcode"))["exitcode"] == 3
    assert error(site.pipe.get("/instance/i/info")) == "Instance 'i' does not exist."
    assert "i" not in ok(site.pipe.get("/info"))["info"]["active_instances"]


def test_a_background_is_the_mean_of_the_images_that_a_camera_sends(site: Site) -> None:
    found = ok(site.pipe.post("/camera/simulation/background?n_images=4"))["background_id"]
    mean = np.load(site.folder / "background_config" / f"{found}.npy")
    expected = IMAGE.copy()
    expected[0, 0] = 10
    np.testing.assert_array_equal(mean, expected)
    assert mean.dtype == np.uint16
    second = ok(site.pipe.post("/camera/simulation/background"))["background_id"]
    assert ok(site.pipe.get("/camera/simulation/background"))["background_id"] == second
    assert ok(site.pipe.get("/camera/simulation/backgrounds"))["background_ids"] == [found, second]
    ok(site.pipe.post("", json={**PIPELINE, "image_background": found, "image_background_enable": True}))


def test_a_background_cannot_be_taken_of_nothing(site: Site) -> None:
    assert error(site.pipe.post("/camera/none/background")) == "Config 'none' does not exist."
    assert error(site.pipe.post("/camera/simulation/background?n_images=x")) == "n_images must be a number."
    assert "from 1 to" in error(site.pipe.post("/camera/simulation/background?n_images=0"))
    assert (
        error(site.pipe.get("/camera/none/background"))
        == "No background matches for the specified prefix 'none'."
    )
    assert ok(site.pipe.get("/camera/none/backgrounds"))["background_ids"] == []


def test_backgrounds_are_uploaded_and_read_back(site: Site) -> None:
    ok(site.pipe.put("/background/a/image_bytes", content=pickle.dumps(IMAGE, 0)))
    image = ok(site.pipe.get("/background/a/image_bytes"))["image"]
    found = np.frombuffer(base64.b64decode(image["bytes"]), image["dtype"]).reshape(image["shape"])
    np.testing.assert_array_equal(found, IMAGE)
    ok(site.pipe.post("/background", json={"filename": "/home/me/b.npy", "data": [[1.9, -1], [70000, 4]]}))
    assert site.backgrounds.load("b").tolist() == [[1, 0], [65535, 4]]
    ok(site.pipe.post("/background", json={"filename": "", "data": None}))
    assert "name of a background" in error(site.pipe.post("/background", json={"data": [[1]]}))
    for data in ([[1], [1, 2]], [1], "x", [["x"]], {}):
        assert error(site.pipe.post("/background", json={"filename": "c", "data": data}))
    assert error(site.pipe.get("/background/c/image")) == "Requested background 'c' does not exist."
    assert error(site.pipe.get("/background/c/image_bytes")) == "Requested background 'c' does not exist."


def test_a_background_of_100_mb_is_taken_and_holds_up_no_other_request(site: Site) -> None:
    image = np.full((10_000, 5_000), 257, np.uint16)
    image[4_000:4_100] = 65_535
    body = pickle.dumps(image, 0)
    url = f"{site.pipeline_url}/api/v1/pipeline/background/large/image_bytes"
    answers: list[httpx.Response] = []
    uploading = threading.Thread(target=lambda: answers.append(httpx.put(url, content=body, timeout=120)))
    uploading.start()
    asked = 0
    while uploading.is_alive():
        ok(site.pipe.get("/version"))
        asked += 1
    assert ok(answers[0])["state"] == "ok" and asked > 1
    np.testing.assert_array_equal(site.backgrounds.load("large"), image)


def test_scripts_and_libraries_are_kept(site: Site) -> None:
    ok(site.pipe.put("/script/f.py/script_bytes", content=b"x = 1\n"))
    assert ok(site.pipe.get("/script"))["scripts"] == ["f.py"]
    assert ok(site.pipe.get("/script/f.py/script_bytes"))["script"] == "x = 1\n"
    ok(site.pipe.put("/lib/a.so/lib_bytes", content=b"\x7fELF\xff"))
    assert ok(site.pipe.get("/lib"))["libs"] == ["a.so"]
    library = ok(site.pipe.get("/lib/a.so/lib_bytes"))
    assert base64.b64decode(library["lib"]) == b"\x7fELF\xff" and library["base64"] is True
    ok(site.pipe.delete("/lib/a.so/lib_bytes"))
    ok(site.pipe.delete("/script/f.py/script_bytes"))
    assert ok(site.pipe.get("/script"))["scripts"] == [] == ok(site.pipe.get("/lib"))["libs"]
    assert error(site.pipe.get("/script/f.py/script_bytes")) == "Requested script 'f.py' does not exist."


def test_a_pipeline_that_does_not_stop_holds_up_no_other_request(site: Site) -> None:
    ok(site.pipe.post("?instance_id=blocked", json={**PIPELINE, "mode": "PUSH"}))
    stopping = [
        threading.Thread(
            target=httpx.delete,
            args=(f"{site.pipeline_url}/api/v1/pipeline/blocked",),
            kwargs={"timeout": 60},
        )
        for _ in range(50)
    ]
    for thread in stopping:
        thread.start()
    ok(site.pipe.post("?instance_id=other", json=PIPELINE))
    ok(site.pipe.post("/instance/other/config", json={"image_threshold": 1}))
    assert set(ok(site.pipe.get("/info"))["info"]["active_instances"]) == {"blocked", "other"}
    ok(site.pipe.delete("/other"))
    assert all(thread.is_alive() for thread in stopping)
    site.launcher.unblock.set()
    for thread in stopping:
        thread.join()
    assert ok(site.pipe.get("/info"))["info"]["active_instances"] == {}
