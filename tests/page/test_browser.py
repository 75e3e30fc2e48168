"""The page in a real browser, at a real engine: what an operator does, and what they then see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tango
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from repstream.service.service import Service
from repstream_http import HttpServer, create_app
from repstream_http.guard import Guard
from tests.device_servers.serving import until
from tests.fakes import running_engine
from tests.integration.rig import IMAGES, SHAPE
from tests.page.beamline import ME, Beamline, running_beamline
from tests.page.browser import PATIENCE, PHONE, open_page, running_browser

HEIGHT, WIDTH = SHAPE
SHOWN = """() => {
    const drawn = document.querySelector(".overlay");
    const place = drawn?.parentElement;
    const fits = drawn?.height === Math.round(place?.clientHeight * devicePixelRatio);
    return fits && place.style.aspectRatio && document.querySelector(".caption").textContent;
}"""
PIXELS = """() => {
    const small = document.createElement("canvas");
    small.width = small.height = 48;
    small.getContext("2d").drawImage(document.querySelector(".pixels"), 0, 0, 48, 48);
    return small.toDataURL();
}"""
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def whole(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    with running_beamline(tmp_path_factory.mktemp("beamline")) as beamline:
        yield beamline


@pytest.fixture
def beamline(whole: Beamline) -> Beamline:
    whole.reset()
    return whole


def command(page: Page, key: str) -> Locator:
    return page.locator(f'[data-command="{key}"]')


def state(page: Page) -> Locator:
    return page.locator(".header .state")


def place(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the image lies on the screen, while the whole image is shown."""
    box = page.locator(".overlay").bounding_box()
    assert box is not None
    scale = min(box["width"] / WIDTH, box["height"] / HEIGHT)
    left = box["x"] + (box["width"] - scale * WIDTH) / 2
    top = box["y"] + (box["height"] - scale * HEIGHT) / 2
    return left + (x + 0.5) * scale, top + (y + 0.5) * scale


def pixels(page: Page) -> str:
    """What is drawn now, small."""
    return str(page.evaluate(PIXELS))


def wait_for_picture(page: Page) -> None:
    """Until an image is shown, and its place on the page has the image's form."""
    page.wait_for_function(SHOWN)


def shown_id(page: Page) -> int:
    """Id of the image that is shown."""
    found = re.match(r"image (\d+)", page.locator(".caption").inner_text())
    assert found is not None
    return int(found[1])


def test_a_start_from_the_page_is_seen_in_tango_and_a_refusal_where_one_clicked(
    browser: Browser, beamline: Beamline
) -> None:
    device = beamline.tango()
    errors: list[str] = []
    with open_page(browser, beamline.url, errors=errors) as page:
        expect(state(page)).to_have_text("Initialized")
        page.get_by_role("button", name="Your name").click()
        page.get_by_label("Name", exact=True).fill("Anna")
        page.get_by_role("button", name="Save", exact=True).click()
        command(page, "engine.start").click()
        expect(state(page)).to_have_text("Running")
        until(lambda: device.State() == tango.DevState.RUNNING, "RUNNING in Tango")
        assert "http Anna@" in str(beamline.value("engine.last_command_by"))
        initialize = command(page, "engine.initialize")
        expect(initialize).to_have_attribute("aria-disabled", "true")
        assert "Not possible in RUNNING" in str(initialize.get_attribute("title"))
        initialize.click(force=True)
        expect(page.get_by_label("Repeater").locator(".said")).to_contain_text("Not possible in RUNNING")
        images = page.get_by_label("Images")
        images.fill("-3")
        images.press("Enter")
        expect(page.locator('[data-key="writers.main.num_images"] .said')).to_contain_text("-3")
        expect(images).to_have_value("0")
        device.Stop()
        expect(state(page)).to_have_text("Stopped")
    assert [e for e in errors if "422" not in e] == []


def test_the_picture_shows_what_was_sent(browser: Browser, beamline: Beamline) -> None:
    beamline.start()
    with open_page(browser, beamline.url) as page:
        beamline.send(3)
        wait_for_picture(page)
        pointed = page.locator(".pointed")
        for x, y in ((30, 20), (150, 77), (WIDTH - 2, HEIGHT - 2)):
            page.mouse.move(*place(page, x, y))
            expect(pointed).to_contain_text(f"x {x}  y {y}  value")
            assert pointed.get_attribute("data-value") == str(IMAGES(shown_id(page))[y, x])
        page.mouse.move(*place(page, 100, 60))
        before = pixels(page)
        for _ in range(8):
            page.mouse.wheel(0, -200)
        expect(pointed).to_contain_text("x 100  y 60  value")
        assert pointed.get_attribute("data-value") == str(IMAGES(shown_id(page))[60, 100])
        until(lambda: pixels(page) != before, "another picture after zooming")
        page.keyboard.press("Escape")
        page.get_by_label("Save", exact=True).click()
        with page.expect_download() as saved:
            page.locator('[data-form="npy"]').click()
        values = np.load(saved.value.path())
        assert np.array_equal(values, IMAGES(shown_id(page)))
        assert saved.value.suggested_filename == f"image_{shown_id(page)}.npy"


def test_contrast_follows_the_handles_the_percentiles_and_the_scale(
    browser: Browser, beamline: Beamline
) -> None:
    beamline.start()
    with open_page(browser, beamline.url) as page:
        beamline.send(3)
        levels = page.locator(".levels")
        until(lambda: levels.inner_text() not in ("", "0 … 1.000"), "levels of a picture")
        automatic = levels.inner_text()
        page.get_by_label("Share of the pixels between the levels").select_option("95")
        expect(levels).not_to_have_text(automatic)
        before = pixels(page)
        handle = page.get_by_role("slider", name="Value shown brightest")
        handle.focus()
        for _ in range(3):
            page.keyboard.press("PageUp")
        expect(page.get_by_label("Auto")).not_to_be_checked()
        until(lambda: pixels(page) != before, "another contrast")
        before = pixels(page)
        page.get_by_label("Log").check()
        until(lambda: pixels(page) != before, "a logarithmic scale")
        before = pixels(page)
        page.get_by_label("Colour map").select_option("grey")
        until(lambda: pixels(page) != before, "other colours")


def test_a_region_that_is_drawn_is_counted_by_the_engine(browser: Browser, beamline: Beamline) -> None:
    beamline.start()
    with open_page(browser, beamline.url) as page, beamline.images():
        wait_for_picture(page)
        page.get_by_role("button", name="Draw a region").click()
        page.mouse.move(*place(page, 40, 30))
        page.mouse.down()
        page.mouse.move(*place(page, 90, 70), steps=5)
        page.mouse.up()
        until(lambda: beamline.value("pictures.1.roi1_sum") is not None, "a sum")
        box = {f: int(str(beamline.value(f"pictures.1.roi1_{f}"))) for f in ("x", "y", "width", "height")}
        assert abs(box["x"] - 40) <= 1 and abs(box["width"] - 51) <= 2
        values = beamline.service.snapshot().values
        image = IMAGES(int(str(values["pictures.1.image_id"])))
        part = image[box["y"] : box["y"] + box["height"], box["x"] : box["x"] + box["width"]]
        assert values["pictures.1.roi1_sum"] == int(np.sum(part, dtype=np.int64))
        expect(page.get_by_label("Sum of Region 1")).not_to_have_text("–")
        page.get_by_label("Name of region 1").fill("Direct beam")
        page.keyboard.press("Enter")
        until(lambda: beamline.value("pictures.1.roi1_name") == "Direct beam", "the name")


def test_a_lost_frame_shows_in_red_with_the_reason(browser: Browser, beamline: Beamline) -> None:
    beamline.start()
    with open_page(browser, beamline.url) as page:
        beamline.send(2)
        expect(page.locator(".losses")).to_contain_text("No frame was lost")
        beamline.send(1, leave_out=1)
        loss = page.locator('.loss[data-key="source.missing"]')
        expect(loss).to_contain_text("1 frame missing at the input")
        expect(loss).to_contain_text("gaps in the frame ids")
        red, green, _ = map(int, re.findall(r"\d+", loss.evaluate("e => getComputedStyle(e).color"))[:3])
        assert red > 1.5 * green
        expect(state(page)).to_contain_text("losing frames")
        expect(page.get_by_role("alert").filter(has_text="Losing frames: 1 frame missing")).to_be_visible()


def test_a_killed_data_plane_and_a_lost_engine_are_said_and_come_back(
    browser: Browser, beamline: Beamline
) -> None:
    beamline.start()
    with open_page(browser, beamline.url) as page:
        beamline.send(2)
        wait_for_picture(page)
        expect(page.locator(".badge")).to_contain_text("Frozen since")
        beamline.kill_data_plane()
        expect(state(page)).to_have_text("Error")
        expect(page.get_by_label("Repeater").locator(".refusal").first).to_be_visible()
        command(page, "engine.initialize").click()
        expect(state(page)).to_have_text("Initialized")
        beamline.leave()
        expect(state(page)).to_have_text("Unknown")
        expect(page.get_by_role("alert").filter(has_text="cannot be reached")).to_be_visible()
        assert "cannot be reached" in str(command(page, "engine.start").get_attribute("title"))
        beamline.come_back()
        expect(state(page)).to_have_text("Initialized")
        command(page, "engine.start").click()
        expect(state(page)).to_have_text("Running")


def test_an_acquisition_its_file_and_the_log(browser: Browser, beamline: Beamline) -> None:
    beamline.start()
    with open_page(browser, beamline.url) as page:
        expect(state(page)).to_have_text("Running")
        writer = page.get_by_label("Writer main", exact=True)
        for name, value in (("Images", "200"), ("Next file", str(beamline.folder / "page_1.h5"))):
            writer.get_by_label(name).fill(value)
            writer.get_by_label(name).press("Enter")
        until(lambda: beamline.value("writers.main.num_images") == 200, "the number of images")
        command(page, "writers.main.start").click()
        until(lambda: beamline.value("writers.main.gate") == "open", "an open gate")
        beamline.send(7)
        expect(writer.locator(".counts")).to_contain_text("7 of 200 images")
        page.get_by_role("button", name="Files").first.click()
        page.locator(".entry", has_text="page_1.h5").click()
        expect(page.locator(".file-viewer .toolbar")).to_contain_text("of 7")
        beamline.send(2)
        expect(page.locator(".file-viewer .toolbar")).to_contain_text("of 9")
        expect(page.locator(".file-viewer .caption")).to_have_text("image 8")
        page.get_by_role("button", name="Live").first.click()
        command(page, "writers.main.stop").click()
        expect(writer.locator(".state")).to_have_text("Interrupted")
        page.get_by_role("button", name="Acquisitions").first.click()
        row = page.locator("tr", has_text="page_1.h5")
        expect(row).to_contain_text("9 of 200")
        expect(row).to_contain_text("Interrupted")
        page.get_by_role("button", name="Log").first.click()
        page.get_by_label("Filter the log by words").fill("writers.main.start")
        expect(page.locator(".log tbody tr")).to_have_count(1)


def test_a_setting_is_changed_and_refused_in_its_place(browser: Browser, beamline: Beamline) -> None:
    with open_page(browser, f"{beamline.url}#settings/beamline") as page:
        page.get_by_label("Search all settings").fill("num_images")
        field = page.locator('[data-key="writers.main.num_images"]')
        field.locator("input").fill("12")
        field.locator("input").press("Enter")
        until(lambda: beamline.value("writers.main.num_images") == 12, "the new value")
        expect(field).to_have_class(re.compile("differs"))
        field.locator("input").fill("many")
        field.locator("input").press("Enter")
        expect(field.locator(".refusal")).to_contain_text("many")
        assert beamline.value("writers.main.num_images") == 12
        field.get_by_role("button", name="Default").click()
        until(lambda: beamline.value("writers.main.num_images") == 0, "the default")
        expect(page.locator(".by")).to_contain_text("by http")


def test_a_token_opens_the_page(browser: Browser, tmp_path: Path, service: Service) -> None:
    guard = Guard("reading-token", "changing-token")
    with (
        HttpServer(create_app({"test": service}, guard), port=0) as server,
        open_page(browser, f"{server.url}/") as page,
    ):
        page.get_by_label("Token of this server").fill("reading-token")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator(".notice")).to_contain_text("Looking only")
        expect(command(page, "engine.start")).to_have_attribute("aria-disabled", "true")
        page.get_by_role("button", name="Log in").click()
        page.get_by_label("Token of this server").fill("changing-token")
        page.get_by_role("button", name="Save", exact=True).click()
        command(page, "engine.start").click()
        expect(state(page)).to_have_text("Running")
        service.execute("engine.stop", None, ME)


def test_several_engines_stand_on_one_page(browser: Browser, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with (
        running_engine(folders[0]) as one,
        running_engine(folders[1]) as two,
        HttpServer(create_app({"one": one, "two": two}), port=0) as server,
        open_page(browser, f"{server.url}/") as page,
    ):
        second = page.locator(".engine", has_text="two")
        second.click()
        expect(second).to_have_attribute("aria-pressed", "true")
        expect(state(page)).to_have_text("Initialized")
        command(page, "engine.start").click()
        expect(state(page)).to_have_text("Running")
        assert (one.read("engine.state").value, two.read("engine.state").value) == ("INITIALIZED", "RUNNING")
        page.locator(".engine", has_text="one").click()
        expect(state(page)).to_have_text("Initialized")
        expect(second.locator(".dot")).to_have_attribute("data-tone", "good")


def test_a_phone_shows_all_of_it_in_one_column(browser: Browser, beamline: Beamline) -> None:
    with open_page(browser, beamline.url, PHONE) as page, beamline.images():
        expect(state(page)).to_have_text("Initialized")
        command(page, "engine.start").tap()
        expect(state(page)).to_have_text("Running")
        wait_for_picture(page)
        for view in ("Acquisitions", "Files", "Log", "Settings", "Live"):
            page.locator(".tabs").get_by_role("button", name=view).tap()
            expect(page.locator('.tabs [aria-current="page"]')).to_have_text(view)
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{view} is {wide} pixels wider than the phone"


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious(browser: Browser, beamline: Beamline, dark: bool) -> None:
    beamline.start()
    beamline.send(1)
    with open_page(browser, beamline.url, dark=dark) as page:
        expect(state(page)).to_contain_text("Running")
        beamline.send(1, leave_out=1)
        expect(page.locator(".loss")).to_be_visible()
        for view in ("Live", "Acquisitions", "Files", "Log", "Settings"):
            page.locator(".views").get_by_role("button", name=view).click()
            page.wait_for_timeout(300)
            found = Axe().run(page).response["violations"]
            serious = [v for v in found if v["impact"] in ("serious", "critical")]
            assert not serious, [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in serious]
