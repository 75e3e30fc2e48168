"""The live picture in a real browser: its values, contrast, zoom, regions, profiles and colours."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.device_servers.serving import until
from tests.integration.rig import IMAGES, SHAPE
from tests.page.beamline import ME, Beamline
from tests.page.browser import PHONE, colour_at, open_page, pixels, place, shown_id, wait_for_picture

HEIGHT, WIDTH = SHAPE
SATURATED = 65535
PLACES = {"dark": (60, 100), "bright": (150, 60), "saturated": (25, 25), "bad": (45, 65)}
PINK, BLUE = (255, 0, 170), (0, 190, 255)
NO_WEBGL = """
const real = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
    return kind === "webgl2" ? null : real.call(this, kind, ...more);
};"""
LINE_OF_SUMS = """() => {
    const chart = document.querySelector(".regions .chart canvas");
    const key = document.querySelector(".regions .legend i");
    const wanted = key && getComputedStyle(key).backgroundColor.match(/\\d+/g).map(Number);
    const found = chart?.getContext("2d").getImageData(0, 0, chart.width, chart.height).data ?? [];
    let columns = new Set();
    for (let i = 0; i < found.length; i += 4)
        if (wanted.every((part, n) => Math.abs(found[i + n] - part) < 40) && found[i + 3] > 200)
            columns.add((i / 4) % chart.width);
    return columns.size > 5;
}"""
PROFILES = """() => {
    const drawn = document.querySelector(".overlay");
    const { data } = drawn.getContext("2d").getImageData(0, 0, drawn.width, drawn.height);
    const found = [];
    for (let i = 0; i < data.length; i += 4)
        if (data[i] === 127 && data[i + 1] === 212 && data[i + 2] === 255 && data[i + 3] === 255)
            found.push([(i / 4) % drawn.width, Math.floor(i / 4 / drawn.width)]);
    return found;
}"""


def value_of(pointed: Locator) -> float:
    """The value of the pixel under the mouse; 0 while there is none."""
    return float(pointed.get_attribute("data-value") or 0)


def test_the_picture_shows_what_was_sent(browser: Browser, beamline: Beamline) -> None:
    beamline.start()
    with open_page(browser, beamline.url) as page:
        beamline.send(3)
        wait_for_picture(page)
        pointed = page.locator(".pointed")
        for x, y in ((30, 20), (150, 77), (WIDTH - 2, HEIGHT - 2)):
            page.mouse.move(*place(page, x, y, SHAPE))
            expect(pointed).to_contain_text(f"x {x}  y {y}  value")
            until(lambda x=x, y=y: value_of(pointed) == IMAGES(shown_id(page))[y, x], "the pixel's value")
        page.mouse.move(*place(page, 100, 60, SHAPE))
        before = pixels(page)
        for _ in range(8):
            page.mouse.wheel(0, -200)
        expect(pointed).to_contain_text("x 100  y 60  value")
        until(lambda: value_of(pointed) == IMAGES(shown_id(page))[60, 100], "the pixel's value")
        until(lambda: pixels(page) != before, "another picture after zooming")
        page.keyboard.press("Escape")
        page.get_by_label("Save", exact=True).click()
        with page.expect_download() as saved:
            page.locator('[data-form="npy"]').click()
        values = np.load(saved.value.path())
        assert np.array_equal(values, IMAGES(shown_id(page)))
        assert saved.value.suggested_filename == f"image_{shown_id(page)}.npy"


def test_a_picture_that_is_held_stays_until_it_is_let_go(browser: Browser, beamline: Beamline) -> None:
    beamline.start()
    with open_page(browser, beamline.url) as page:
        beamline.send(2)
        wait_for_picture(page)
        hold = page.get_by_role("button", name="Hold the picture")
        hold.click()
        expect(page.locator(".badge")).to_have_text("Held")
        held, seen = shown_id(page), pixels(page)
        beamline.send(3)
        until(lambda: int(str(beamline.value("pictures.1.image_id"))) > held, "newer images in the engine")
        page.wait_for_timeout(500)
        assert (shown_id(page), pixels(page)) == (held, seen)
        hold.click()
        until(lambda: shown_id(page) > held, "a newer image")


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
        dragged = levels.inner_text()
        box = handle.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] - 60, box["y"] + box["height"] / 2, steps=3)
        page.mouse.up()
        expect(levels).not_to_have_text(dragged)
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
        page.mouse.move(*place(page, 40, 30, SHAPE))
        page.mouse.down()
        page.mouse.move(*place(page, 90, 70, SHAPE), steps=5)
        page.mouse.up()
        until(lambda: beamline.value("pictures.1.roi1_sum") is not None, "a sum")
        box = {f: int(str(beamline.value(f"pictures.1.roi1_{f}"))) for f in ("x", "y", "width", "height")}
        assert abs(box["x"] - 40) <= 1 and abs(box["width"] - 51) <= 2
        values = beamline.service.snapshot().values
        image = IMAGES(int(str(values["pictures.1.image_id"])))
        part = image[box["y"] : box["y"] + box["height"], box["x"] : box["x"] + box["width"]]
        assert values["pictures.1.roi1_sum"] == int(np.sum(part, dtype=np.int64))
        expect(page.get_by_label("Sum of Region 1")).not_to_have_text("–")
        page.wait_for_function(LINE_OF_SUMS)
        page.get_by_label("Name of region 1").fill("Direct beam")
        page.keyboard.press("Enter")
        until(lambda: beamline.value("pictures.1.roi1_name") == "Direct beam", "the name")
        expect(page.locator(".regions .legend")).to_have_text("Direct beam")
        page.get_by_role("button", name="Remove Direct beam").click()
        until(lambda: beamline.value("pictures.1.roi1_width") == 0, "no region")
        expect(page.locator(".regions")).to_be_hidden()


def test_the_file_that_is_saved_is_the_picture_that_is_shown(
    browser: Browser, beamline: Beamline, tmp_path: Path
) -> None:
    beamline.start()
    with open_page(browser, beamline.url) as page:
        beamline.send(2)
        wait_for_picture(page)
        for form, begin in (("png", b"\x89PNG"), ("jpg", b"\xff\xd8")):
            page.get_by_label("Save", exact=True).click()
            with page.expect_download() as saved:
                page.locator(f'[data-form="{form}"]').click()
            content = Path(saved.value.path()).read_bytes()
            assert content.startswith(begin)
            if form == "png":
                assert struct.unpack(">II", content[16:24]) == (WIDTH, HEIGHT)


def test_profiles_follow_the_mouse(browser: Browser, beamline: Beamline) -> None:
    image = np.zeros(SHAPE, np.uint16)
    image[:, 50] = image[80, :] = 1000
    beamline.start()
    with open_page(browser, beamline.url) as page:
        beamline.send_image(image)
        wait_for_picture(page)
        page.get_by_role("button", name="Profiles along row and column").click()
        page.mouse.move(*place(page, 120, 30, SHAPE))
        page.wait_for_function(f"({PROFILES})().length > 100")
        box = page.locator(".overlay").bounding_box()
        assert box is not None
        drawn = np.array(page.evaluate(PROFILES)) + np.array([box["x"], box["y"]])
        column, row = place(page, 50, 80, SHAPE)
        below = drawn[(drawn[:, 1] > row + 10) & (drawn[:, 0] > box["x"] + 0.25 * box["width"])]
        assert abs(below[np.argmin(below[:, 1]), 0] - column) < 6, (
            "the row's profile is highest at the column"
        )
        beside = drawn[drawn[:, 1] < row + 10]
        assert abs(beside[np.argmax(beside[:, 0]), 1] - row) < 6, "the column's profile is highest at the row"
        page.mouse.move(*place(page, 120, 80, SHAPE))
        until(lambda: not np.array_equal(np.array(page.evaluate(PROFILES)), drawn), "another profile")


@pytest.mark.parametrize("painter", ["WebGL2", "canvas"])
def test_saturated_and_bad_pixels_have_colours_of_their_own(
    browser: Browser, beamline: Beamline, tmp_path: Path, painter: str
) -> None:
    image = np.full(SHAPE, 100, np.uint16)
    image[:, 100:] = 900
    image[20:30, 20:30] = SATURATED
    bad = np.zeros(SHAPE, bool)
    bad[60:70, 40:50] = True
    np.save(beamline.folder / "bad.npy", bad)
    beamline.service.write({"pictures.1.mask_file": str(beamline.folder / "bad.npy")}, ME)
    beamline.start()
    with open_page(browser, beamline.url, before=NO_WEBGL if painter == "canvas" else "") as page:
        beamline.send_image(image)
        wait_for_picture(page)
        page.get_by_label("Share of the pixels between the levels").select_option("100")
        page.get_by_label("Colour map").select_option("grey")
        at = {name: place(page, x, y, SHAPE) for name, (x, y) in PLACES.items()}
        until(lambda: colour_at(page, at["saturated"]) == PINK, "saturated pixels in pink")
        until(lambda: colour_at(page, at["dark"]) == (0, 0, 0), "dark pixels")
        assert colour_at(page, at["bad"]) == BLUE
        assert colour_at(page, at["bright"]) == (255, 255, 255)
        for name in ("saturated", "bad"):
            page.mouse.move(*at[name])
            expect(page.locator(".pointed")).to_contain_text("bad pixel" if name == "bad" else "saturated")
        page.get_by_label("Mark").uncheck()
        until(lambda: colour_at(page, at["saturated"]) == (255, 255, 255), "no mark")


def test_two_fingers_zoom_and_one_moves(browser: Browser, beamline: Beamline) -> None:
    beamline.start()
    with open_page(browser, beamline.url, PHONE) as page:
        beamline.send(2)
        wait_for_picture(page)
        overlay = page.locator(".overlay")
        overlay.scroll_into_view_if_needed()
        middle = place(page, 100, 60, SHAPE)
        page.touchscreen.tap(*middle)
        expect(page.locator(".pointed")).to_contain_text("x 100  y 60")
        _pinch(page, middle, 30, 90)
        page.touchscreen.tap(middle[0] + 60, middle[1])
        scale = place(page, 101, 60, SHAPE)[0] - middle[0]
        expected = 100.5 + 60 / (3 * scale)
        until(lambda: abs(_pointed_x(page) - expected) < 3, f"column {expected:.0f}, three times enlarged")
        before = _pointed_x(page)
        _touch(page, [middle], [(middle[0] - 40, middle[1])])
        page.touchscreen.tap(middle[0] + 60, middle[1])
        moved = before + 40 / (3 * scale)
        until(lambda: abs(_pointed_x(page) - moved) < 3, f"column {moved:.0f}, after moving")


def _pinch(page: Page, middle: tuple[float, float], near: float, far: float) -> None:
    x, y = middle
    _touch(page, [(x - near, y), (x + near, y)], [(x - far, y), (x + far, y)])


def _touch(page: Page, begin: list[tuple[float, float]], end: list[tuple[float, float]]) -> None:
    """Put fingers down, move them in steps, lift them."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, points: list[tuple[float, float]]) -> None:
        touches = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    send("touchStart", begin)
    for step in range(1, 11):
        share = step / 10
        pairs = zip(begin, end, strict=True)
        send("touchMove", [(a + share * (c - a), b + share * (d - b)) for (a, b), (c, d) in pairs])
    send("touchEnd", [])


def _pointed_x(page: Page) -> int:
    words = page.locator(".pointed").inner_text().split()
    return int(words[1]) if words else -1


def test_zoomed_in_the_values_are_those_of_single_pixels(browser: Browser, beamline: Beamline) -> None:
    shape = (1400, 2400)
    image = np.arange(shape[0] * shape[1], dtype=np.uint32).reshape(shape).astype(np.uint16)
    beamline.start()
    with open_page(browser, beamline.url) as page, beamline.repeated(image):
        wait_for_picture(page)
        pointed = page.locator(".pointed")
        page.mouse.move(*place(page, 900, 500, shape))
        expect(pointed).to_contain_text("pixels)")
        for _ in range(8):
            page.mouse.wheel(0, -200)
        expect(pointed).not_to_contain_text("pixels)")

        def is_of_its_pixel() -> bool:
            _, x, _, y, *_ = pointed.inner_text().split()
            assert abs(int(x) - 900) <= 2 and abs(int(y) - 500) <= 2
            return value_of(pointed) == image[int(y), int(x)]

        until(is_of_its_pixel, "the value of the pixel that is named")
        page.locator(".overlay").focus()
        page.keyboard.press("0")
        expect(pointed).to_contain_text("pixels)")
        page.keyboard.press("1")
        expect(pointed).not_to_contain_text("pixels)")


def test_a_slow_link_gets_jpeg_and_back(browser: Browser, beamline: Beamline) -> None:
    image = np.full(SHAPE, 300, np.uint16)
    image[:, 100:] = 40_000
    beamline.start()
    with open_page(browser, beamline.url) as page, beamline.repeated(image):
        wait_for_picture(page)
        pointed = page.locator(".pointed")

        def value() -> float:
            page.mouse.move(*place(page, 150, 60, SHAPE))
            return value_of(pointed)

        until(lambda: value() == 40_000, "the value that was sent")
        page.get_by_label("Slow link").check()
        until(lambda: 250 < value() <= 255, "values of a JPEG")
        page.get_by_label("Slow link").uncheck()
        until(lambda: value() == 40_000, "the value that was sent, again")
