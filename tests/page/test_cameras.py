"""The page of a pipeline server and of a camera server, with real instances of a beam at a known place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import h5py
import httpx
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.cli.cam_server import Servers, servers
from tests.page.browser import open_page, place
from tests.waiting import until

WIDTH, HEIGHT = 160, 120
X, Y, SIGMA = 70.0, 45.0, 9.0
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
    for kind, name, configuration in (
        ("camera", "screen", screen),
        ("pipeline", "beam", {"camera_name": "screen"}),
        ("pipeline", "broken", {"camera_name": "nowhere"}),
    ):
        saved = folder / f"configuration/{kind}_config"
        saved.mkdir(parents=True, exist_ok=True)
        (saved / f"{name}.json").write_text(json.dumps(configuration))
    with servers(folder) as running:
        yield running


def saved(site: Servers) -> dict[str, Any]:
    return dict(httpx.get(f"{site.pipeline}/api/v1/pipeline/beam/config").json()["config"])


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
        assert beam.locator(".thumbnail").evaluate("image => image.naturalWidth") == WIDTH
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
