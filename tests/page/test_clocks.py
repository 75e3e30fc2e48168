"""The clocks of browser, HTTP server and engine differ, or are set: what is shown is by the engine's."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from repstream_http import journal, journal_routes
from tests.page.beamline import Beamline
from tests.page.browser import open_page, wait_for_picture
from tests.waiting import until

HOUR, DAY = 3600, 86_400
NEAR = 300
"""Seconds by which times may differ on a busy machine: far less than clocks do here."""

CLOCK = """
globalThis.ahead = %d;
const Real = Date;
globalThis.Date = class extends Real {
    constructor(...given) { given.length ? super(...given) : super(Real.now() + 1000 * globalThis.ahead); }
    static now() { return Real.now() + 1000 * globalThis.ahead; }
};"""
SEEN = """async () => {
    const page = (name) => import(new URL(`page/${name}`, document.baseURI));
    const { Store } = await page("store.js"), { History } = await page("history.js");
    globalThis.store ??= new Store("beamline");
    if (!store.connected) store.open();
    await store.once(() => store.connected);
    const history = new History(store);
    await history.open();
    history.close();
    return { now: store.now(), browser: Date.now() / 1000, times: history.times };
}"""
AGES = """() => {
    globalThis.ages = [];
    document.addEventListener("shown", (event) => globalThis.ages.push(event.detail.age));
}"""


def seen(page: Page) -> dict[str, Any]:
    """What the page takes for now, and for the times of the last minutes' figures."""
    found: dict[str, Any] = page.evaluate(SEEN)
    assert abs(found["now"] - time.time()) < NEAR
    assert found["times"] == sorted(found["times"])
    assert all(found["now"] - NEAR < at < found["now"] + 1 for at in found["times"])
    return found


def picture_ages(page: Page, beamline: Beamline) -> list[float]:
    page.evaluate(AGES)

    def is_shown() -> bool:
        beamline.send(1)
        page.wait_for_timeout(100)
        return bool(page.evaluate("() => globalThis.ages.length > 2"))

    until(is_shown, "pictures", 60)
    ages: list[float] = page.evaluate("() => globalThis.ages")
    return ages


@pytest.mark.parametrize("ahead", [-DAY, HOUR], ids=["a day behind", "an hour ahead"])
def test_a_browser_with_another_clock_shows_the_engines(
    browser: Browser, beamline: Beamline, ahead: int
) -> None:
    beamline.start()
    with open_page(browser, beamline.url, before=CLOCK % ahead) as page:
        beamline.send(3)
        wait_for_picture(page)
        assert abs(seen(page)["browser"] - time.time() - ahead) < NEAR
        assert all(-1 < age < NEAR for age in picture_ages(page, beamline))
        page.evaluate(f"() => {{ globalThis.ahead = {-ahead}; }}")  # somebody sets it meanwhile
        until(lambda: abs(page.evaluate(SEEN)["now"] - time.time()) < NEAR, "the engine's time again")
        seen(page)
        assert all(-1 < age < NEAR for age in picture_ages(page, beamline)[-2:])
        expect(page.locator(".header .state")).to_have_text("Running")


def test_figures_that_a_server_with_another_clock_kept_are_placed_by_the_engines(
    browser: Browser, beamline: Beamline, monkeypatch: pytest.MonkeyPatch
) -> None:
    beamline.start()
    for module in (journal, journal_routes):
        wrong = SimpleNamespace(time=lambda: time.time() + HOUR, monotonic=time.monotonic)
        monkeypatch.setattr(module, "time", wrong)
    with open_page(browser, beamline.url) as page:
        until(lambda: len(seen(page)["times"]) > 2, "figures")
