"""A headless Chromium for tests of the page; notes errors of the page and what it loads from elsewhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

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
    errors: list[str] | None = None,
) -> Iterator[Page]:
    """The page at `url`, as a new person opens it; `errors` gets what it complains of."""
    phone = size == PHONE
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        device_scale_factor=2 if phone else 1,
        is_mobile=phone,
        has_touch=phone,
    )
    context.set_default_timeout(PATIENCE)
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
