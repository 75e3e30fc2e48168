"""The page of a pipeline server and of a camera server, with real instances of a beam at a known place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import httpx
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from repstream_http.compat.cam_server.build import Settings, camera_server
from repstream_http.server import HttpServer
from tests.cli.cam_server import Servers, servers
from tests.engine.instances.fakes import FakeLauncher
from tests.page.browser import open_page, place
from tests.ports import free_port
from tests.waiting import until

WIDTH, HEIGHT = 160, 120
X, Y, SIGMA = 70.0, 45.0, 9.0
SCREEN = 640, 480
REACH = 20, 100
"""The simulated beam is exp(-(x² + y²)); x goes from -20 to 20, y from -100 to 100 over the image."""

PIXEL = 1
"""How exactly a mouse finds a pixel of an image that is shown larger, on a page that may still move."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("site")
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    beam = 500 + 30_000 * np.exp(-((x - X) ** 2 + (y - Y) ** 2) / (2 * SIGMA**2))
    with h5py.File(folder / "images.h5", "w") as file:
        file["images"] = beam[None].astype(np.uint16)
    screen = {"source": f"{folder}/images.h5:/images", "source_type": "hdf5", "frame_rate": 20}
    simulated = {"source": "", "source_type": "simulation", "image_type": "static_beam", "frame_rate": 20}
    simulated |= {"size_x": SCREEN[0], "size_y": SCREEN[1]}
    for kind, name, configuration in (
        ("camera", "screen", screen),
        ("camera", "simulated", simulated),
        ("pipeline", "spot", {"camera_name": "simulated"}),
        ("pipeline", "beam", {"camera_name": "screen"}),
        ("pipeline", "broken", {"camera_name": "nowhere"}),
    ):
        saved = folder / f"configuration/{kind}_config"
        saved.mkdir(parents=True, exist_ok=True)
        (saved / f"{name}.json").write_text(json.dumps(configuration))
    with servers(folder) as running:
        yield running


def saved(site: Servers) -> dict[str, Any]:
    return configuration(site, "beam")


def draw(page: Page, box: tuple[float, float, float, float], shape: tuple[int, int]) -> None:
    """Draw a rectangle (x, y, width, height in pixels of the image) with the mouse."""
    x, y, width, height = box
    page.get_by_role("button", name="Draw a region").click()
    page.mouse.move(*place(page, x + 0.5, y + 0.5, shape))
    page.mouse.down()
    page.mouse.move(*place(page, x + width - 0.5, y + height - 0.5, shape), steps=4)
    page.mouse.up()


def test_the_list_starts_what_it_shows_and_says_what_cannot_be(browser: Browser, site: Servers) -> None:
    errors: list[str] = []
    with open_page(browser, site.pipeline, errors=errors) as page:
        beam, broken = (page.locator(f'.tile[data-name="{name}"]') for name in ("beam", "broken"))
        expect(beam.locator(".state")).to_have_text("Stopped")
        broken.get_by_role("button", name="Start").click()
        expect(broken.get_by_role("alert")).to_contain_text("nowhere")
        beam.get_by_role("button", name="Start").click()
        expect(beam.locator(".state")).to_have_text("Running")
        expect(beam.locator(".thumbnail")).to_be_visible()
        expect(beam.locator(".thumbnail")).to_have_js_property("naturalWidth", WIDTH)
        expect(beam).to_contain_text("Hz")
    assert not [error for error in errors if "status of 404" not in error]


def test_a_pipeline_is_looked_at_and_set(browser: Browser, site: Servers) -> None:
    errors: list[str] = []
    with open_page(browser, f"{site.pipeline}/#beam", errors=errors) as page:
        info = page.get_by_label("Pipeline", exact=True)
        expect(info.locator(".state")).not_to_have_text("Unknown")
        if info.get_by_role("button", name="Start").count():
            info.get_by_role("button", name="Start").click()
        expect(page.locator(".caption")).to_contain_text("pulse")
        expect(page.locator('.chart.tall[data-fitted="true"]')).to_have_count(2)
        centre = page.locator(".plot", has_text="Centre").locator(".value")
        expect(centre).to_have_text(re.compile(rf"^{X:.0f}(\.0+)? · {Y:.0f}(\.0+)?$"))
        draw(page, (40, 20, 80, 60), (HEIGHT, WIDTH))
        region = page.get_by_label("image_region_of_interest")
        expect(region).not_to_have_value("null")
        drawn = json.loads(region.input_value())
        assert drawn == pytest.approx([40, 80, 20, 60], abs=PIXEL)
        assert saved(site)["image_region_of_interest"] == drawn
        expect(info).to_contain_text(f"{drawn[1]} × {drawn[3]}")
        threshold = page.get_by_label("image_threshold")
        threshold.fill('"much"')
        threshold.press("Enter")
        expect(page.locator('[data-key="image_threshold"] .refusal')).to_contain_text("image_threshold")
        expect(threshold).to_have_value("null")
        page.get_by_role("button", name="Whole image").click()
        expect(info).to_contain_text(f"{WIDTH} × {HEIGHT}")
        page.get_by_role("button", name="Take background").click()
        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(page.get_by_label("Subtract")).to_be_checked()
        until(lambda: saved(site)["image_background_enable"] is True, "the background in the configuration")
        assert str(saved(site)["image_background"]).startswith("screen_")
    assert not [error for error in errors if "status of 404" not in error]


def test_the_history_has_centre_and_width_of_the_simulated_beam(browser: Browser, site: Servers) -> None:
    centre = [(size - 1) / 2 for size in SCREEN]
    width = [0.5**0.5 * (size - 1) / (2 * reach) for size, reach in zip(SCREEN, REACH, strict=True)]
    with open_page(browser, f"{site.pipeline}/#spot") as page:
        page.get_by_label("Pipeline", exact=True).get_by_role("button", name="Start").click()
        # The noise of one image moves the fitted width along x by a twentieth (one sigma).
        for title, wanted, tolerance in (("Centre", centre, 0.01), ("Width", width, 0.25)):
            value = page.locator(".plot", has_text=title).locator(".value")
            expect(value).to_have_text(re.compile(r"^[\d.]+ · [\d.]+$"))
            assert [float(each) for each in value.inner_text().split(" · ")] == pytest.approx(
                wanted, rel=tolerance
            ), title


def test_a_pipeline_is_made_copied_and_deleted(browser: Browser, site: Servers) -> None:
    with open_page(browser, site.pipeline) as page:
        page.get_by_role("button", name="New pipeline").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Begin with").select_option("beam with region and slices")
        camera = dialog.get_by_label("camera_name")
        expect(camera).to_have_value('"simulation"')
        camera.fill("screen")
        dialog.get_by_label("Name", exact=True).fill("beam")
        dialog.get_by_role("button", name="Create").click()
        expect(dialog.get_by_role("alert").last).to_contain_text("beam already")
        dialog.get_by_label("Name", exact=True).fill("made")
        slices = dialog.get_by_label("image_slices")
        slices.fill('{"number_of_slices": "many"}')
        dialog.get_by_role("button", name="Create").click()
        expect(dialog.get_by_role("alert").last).to_have_text("number_of_slices must be an integer.")
        slices.fill('{"number_of_slices": 3}')
        dialog.get_by_label("New key", exact=True).fill("averaging")
        dialog.get_by_label("Value of the new key").fill("4")
        dialog.get_by_role("button", name="Create").click()
        expect(page.get_by_role("heading", name="made")).to_be_visible()
        made = configuration(site, "made")
        assert (made["camera_name"], made["averaging"]) == ("screen", 4)
        assert made["image_slices"]["number_of_slices"] == 3
        page.get_by_role("button", name="Copy").click()
        expect(dialog.get_by_label("averaging", exact=True)).to_have_value("4")
        dialog.get_by_label("Name", exact=True).fill("copied")
        dialog.get_by_role("button", name="Create").click()
        expect(page.get_by_role("heading", name="copied")).to_be_visible()
        assert configuration(site, "copied") == {**made, "name": "copied"}
        for name in ("copied", "made"):
            page.goto(f"{site.pipeline}/#{name}")
            page.get_by_role("button", name="Delete").click()
            expect(dialog).to_contain_text(f"Delete pipeline {name}?")
            dialog.get_by_role("button", name="Delete").click()
            expect(page.locator('.tile[data-name="beam"]')).to_be_visible()
            expect(page.locator(f'.tile[data-name="{name}"]')).to_have_count(0)
            answer = httpx.get(f"{site.pipeline}/api/v1/pipeline/{name}/config").json()
            assert answer["status"] == f"Config '{name}' does not exist."


def test_every_template_of_a_camera_is_taken(browser: Browser, site: Servers) -> None:
    with open_page(browser, site.camera) as page:
        page.get_by_role("button", name="New camera").click()
        begin = page.get_by_label("Begin with")
        offered = begin.locator("option", has_not_text=re.compile("^copy of"))
        expect(offered).to_have_count(9)
        templates = offered.all_inner_texts()
        for number, template in enumerate(templates):
            begin.select_option(template)
            page.get_by_label("Name", exact=True).fill(f"made {number}")
            page.get_by_role("button", name="Create").click()
            expect(page.get_by_role("heading", name=f"made {number}")).to_be_visible()
            page.get_by_role("button", name="Copy").click()
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.locator('.tile[data-name="made 7"]')).to_be_visible()
        expect(page.locator('.tile[data-name="made 8"]')).to_have_count(0)


def configuration(site: Servers, name: str) -> dict[str, Any]:
    return dict(httpx.get(f"{site.pipeline}/api/v1/pipeline/{name}/config").json()["config"])


@pytest.mark.parametrize("place_of", ["", "#beam"])
def test_axe_finds_nothing_serious(browser: Browser, site: Servers, place_of: str) -> None:
    with open_page(browser, f"{site.pipeline}/{place_of}", dark=bool(place_of)) as page:
        expect(page.get_by_role("button", name=re.compile("Start|Stop")).first).to_be_visible()
        found = Axe().run(page).response["violations"]
        serious = [v for v in found if v["impact"] in ("serious", "critical")]
        assert not serious, [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in serious]


def test_a_camera_is_calibrated_with_the_mouse(browser: Browser, site: Servers) -> None:
    with open_page(browser, f"{site.camera}/#screen") as page:
        info = page.get_by_label("Camera", exact=True)
        expect(info.locator(".state")).not_to_have_text("Unknown")
        if info.get_by_role("button", name="Start").count():
            info.get_by_role("button", name="Start").click()
        expect(page.locator(".caption")).to_contain_text("pulse")
        page.get_by_label("What a drawn rectangle is").select_option("marker")
        page.get_by_label("Width and height of the marker").fill("1000, 500")
        draw(page, (30, 20, 100, 50), (HEIGHT, WIDTH))
        calibration = page.get_by_label("camera_calibration")
        expect(calibration).not_to_have_value("null")
        marker = json.loads(calibration.input_value())
        assert marker["reference_marker"] == pytest.approx([30, 20, 130, 70], abs=PIXEL)
        assert (marker["reference_marker_width"], marker["reference_marker_height"]) == (1000, 500)


def test_routes_of_the_page_say_what_is_not_there(site: Servers) -> None:
    assert httpx.get(site.camera).text.startswith("<!doctype html>")
    for path, reason in (
        ("instances/nobody/beam", "no pipeline 'nobody'"),
        ("instances/broken/beam", "does it run"),
        ("instances/broken/picture.jpg", "does it run"),
        ("instances/beam/picture.gif", "no form 'gif'"),
    ):
        answer = httpx.get(f"{site.pipeline}/api/v1/{path}")
        assert answer.status_code == 404
        assert reason in answer.json()["status"]


def test_a_manager_shows_its_servers(browser: Browser, tmp_path: Path) -> None:
    here, nowhere = "http://here:8888", f"http://127.0.0.1:{free_port()}"
    settings = Settings(tmp_path, tmp_path, tmp_path, tmp_path, manager=here, servers=(here, nowhere))
    with (
        camera_server(settings, FakeLauncher()) as (app, cameras),
        HttpServer(app, port=0) as server,
        open_page(browser, server.url) as page,
    ):
        rows = page.get_by_label("Table of servers").locator("tbody tr")
        expect(rows).to_have_count(2)
        first, second = rows.nth(0), rows.nth(1)
        expect(first).to_contain_text("here:8888")
        expect(first.locator(".state")).to_have_text("Answers")
        expect(second.locator(".state")).to_have_text("Unreachable")
        expect(second).to_contain_text("it does not answer")
        cameras.start("simulation")
        expect(first.get_by_role("cell").nth(2)).to_have_text("1")
        expect(page.locator('.tile[data-name="simulation"]')).to_contain_text("here:8888")
        found = Axe().run(page).response["violations"]
        assert not [each for each in found if each["impact"] in ("serious", "critical")]
