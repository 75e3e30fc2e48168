"""What the page of a server asks: the list, and pictures of what runs."""

from __future__ import annotations

import io

import numpy as np

from tests.rest.compat.cam_server.site import IMAGE, Site
from tests.waiting import until


def listed(site: Site) -> dict[str, dict[str, object]]:
    answer = site.client.get(f"{site.camera_url}/api/v1/instances").json()
    assert answer["kind"] == "camera"
    return {each["name"]: each for each in answer["instances"]}


def test_the_list_has_what_is_saved_and_what_runs(site: Site) -> None:
    site.cam.post("/a/config", json={"source": "a", "source_type": "simulation"})
    assert listed(site)["a"] == {"name": "a", "saved": True, "state": "STOPPED", "message": ""}
    site.cam.get("/a")
    entry = listed(site)["a"]
    assert (entry["state"], entry["received"], entry["size"]) == ("RUNNING", 20, [4, 3])
    site.cameras.instances.start("other", {"source": "b", "source_type": "simulation"})
    assert listed(site)["other"]["saved"] is False
    site.launcher.processes["a"].end(1, "the camera has gone")
    until(lambda: listed(site)["a"]["state"] == "ERROR", "the end")
    assert listed(site)["a"]["message"] == "the camera has gone"


def test_a_picture_is_what_the_stream_sends_now(site: Site) -> None:
    site.cam.post("/a/config", json={"source": "a", "source_type": "simulation"})
    url = f"{site.camera_url}/api/v1/instances/a/picture.npy"
    assert site.client.get(url).status_code == 404
    site.cam.get("/a")
    answer = site.client.get(url)
    assert answer.status_code == 200, answer.text
    image = np.load(io.BytesIO(answer.content))
    assert np.array_equal(image[1:], IMAGE[1:])
    site.cam.delete("/a")
    until(lambda: site.client.get(url).status_code == 404, "no picture of a camera that does not run")
