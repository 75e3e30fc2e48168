"""A headless Chromium for tests of the page; notes errors of the page and what it loads from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
]
DESK = (1440, 1000)
PHONE = (390, 844)
PATIENCE = 60_000
"""Milliseconds: on a busy machine everything takes its time."""
expect.set_options(timeout=PATIENCE)

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
COLOUR = """([x, y]) => {
    const from = document.querySelector(".pixels");
    const box = from.getBoundingClientRect();
    const one = document.createElement("canvas");
    one.width = one.height = 1;
    const context = one.getContext("2d");
    const [left, top] = [x - box.left, y - box.top].map((n) => n * devicePixelRatio);
    context.drawImage(from, left, top, 1, 1, 0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}"""


def chromium() -> str:
    """Where Chromium is; skips the test where it is not, unless everything is required."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        if os.environ.get("REPSTREAM_REQUIRE_ALL") == "1":
            pytest.fail("no Chromium: apt install chromium")
        pytest.skip("no Chromium: apt install chromium")
    return found


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser without any page."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def open_page(
    browser: Browser,
    url: str,
    size: tuple[int, int] = DESK,
    *,
    dark: bool = False,
    before: str = "",
    errors: list[str] | None = None,
) -> Iterator[Page]:
    """The page at `url`, as a new person opens it.

    `before` is a script that runs first; `errors` gets what the page complains of.
    """
    phone = size == PHONE
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        device_scale_factor=2 if phone else 1,
        is_mobile=phone,
        has_touch=phone,
        ignore_https_errors=True,  # of a CA that a test has made
    )
    context.set_default_timeout(PATIENCE)
    context.add_init_script(before)
    page = context.new_page()
    host = urlsplit(url).netloc
    found = [] if errors is None else errors
    page.on("pageerror", lambda error: found.append(f"error: {error}"))
    page.on("console", lambda m: found.append(f"console: {m.text}") if m.type == "error" else None)
    page.on(
        "request",
        lambda r: None if urlsplit(r.url).netloc in (host, "") else found.append(f"elsewhere: {r.url}"),
    )
    page.goto(url)
    yield page
    context.close()


def command(page: Page, key: str) -> Locator:
    return page.locator(f'[data-command="{key}"]')


def state(page: Page) -> Locator:
    return page.locator(".header .state")


def place(page: Page, x: float, y: float, shape: tuple[int, int]) -> tuple[float, float]:
    """Where a pixel of an image of this shape lies on the screen, while the whole image is shown."""
    box = page.locator(".overlay").bounding_box()
    assert box is not None
    height, width = shape
    scale = min(box["width"] / width, box["height"] / height)
    left = box["x"] + (box["width"] - scale * width) / 2
    top = box["y"] + (box["height"] - scale * height) / 2
    return left + (x + 0.5) * scale, top + (y + 0.5) * scale


def pixels(page: Page) -> str:
    """What is drawn now, small."""
    return str(page.evaluate(PIXELS))


def colour_at(page: Page, point: tuple[float, float]) -> tuple[int, int, int]:
    """Red, green and blue of the picture at a point of the screen."""
    red, green, blue = page.evaluate(COLOUR, list(point))
    return red, green, blue


def wait_for_picture(page: Page) -> None:
    """Until an image is shown, and its place on the page has the image's form."""
    page.wait_for_function(SHOWN)


def shown_id(page: Page) -> int:
    """Id of the image that is shown."""
    found = re.match(r"image (\d+)", page.locator(".caption").inner_text())
    assert found is not None
    return int(found[1])
