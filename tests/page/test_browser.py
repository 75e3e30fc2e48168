"""The page in a real browser, at a real engine: what an operator does, and what they then see."""

from __future__ import annotations

import platform
import re
from contextlib import closing
from pathlib import Path

import pytest
import tango
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from repstream import Client
from repstream.link.remote import RemoteEngine
from repstream.link.server import EngineServer
from repstream.service.service import Service
from repstream_http import HttpServer, create_app
from repstream_http.certificate import Certificate
from repstream_http.guard import Guard
from tests.certificates import Authority
from tests.device_servers.serving import until
from tests.fakes import running_engine
from tests.page.beamline import ME, Beamline
from tests.page.browser import PHONE, command, open_page, state, wait_for_picture
from tests.ports import free_port


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
        expect(initialize).to_have_attribute("title", re.compile("Not possible in RUNNING"))
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
        expect(page.locator(".plot", has_text="Losses").locator(".value")).to_have_text("1")
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
        expect(command(page, "engine.start")).to_have_attribute("title", re.compile("cannot be reached"))
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
        with beamline.images():
            expect(writer.locator(".counts")).to_contain_text(re.compile(r"\d+ of 200 images .* left"))
        expect(writer).to_contain_text(re.compile(r"[\d.]+.[GT]B free on disk"))
        command(page, "writers.main.pause").click()
        until(lambda: beamline.value("writers.main.gate") == "shut", "a shut gate")
        assert beamline.value("writers.main.state") == "WRITING"
        expect(command(page, "writers.main.pause")).to_have_attribute("title", "The gate is shut.")
        command(page, "writers.main.start").click()
        until(lambda: beamline.value("writers.main.gate") == "open", "an open gate")
        command(page, "writers.main.stop").click()
        expect(writer.locator(".state")).to_have_text("Interrupted")
        page.get_by_role("button", name="Acquisitions").first.click()
        row = page.locator("tr", has_text="page_1.h5")
        expect(row).to_contain_text(re.compile(r"\d+ of 200"))
        expect(row).to_contain_text("Interrupted")
        row.get_by_role("button", name="Log of page_1.h5").click()
        words = page.get_by_label("Filter the log by words")
        expect(words).to_have_value(re.compile(r"^\d+-\d+$"))
        expect(page.locator(".log tbody tr").first).to_contain_text("page_1.h5")
        lines = page.locator(".log tbody tr")
        expect(lines.filter(has_not_text=words.input_value())).to_have_count(0)
        words.fill("writers.main.pause")
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


def test_streams_and_writers_come_and_go_and_the_engine_has_them(
    browser: Browser, beamline: Beamline
) -> None:
    beamline.start()
    address = f"tcp://127.0.0.1:{free_port()}"
    with open_page(browser, beamline.url) as page, Client(beamline.server.address) as client:
        dialog = page.locator("dialog")
        page.get_by_label("Streams", exact=True).get_by_role("button", name="Add stream").click()
        expect(dialog.get_by_label("Address")).to_have_value(re.compile(r"^tcp://.*:\d+$"))
        dialog.get_by_label("Name", exact=True).fill("all")
        dialog.get_by_role("button", name="Add").click()
        expect(dialog.locator(".refusal")).to_contain_text("There is a stream all already")
        dialog.get_by_label("Name", exact=True).fill("2nd one")
        dialog.get_by_role("button", name="Add").click()
        expect(dialog.locator(".refusal")).to_contain_text("must be a letter")
        dialog.get_by_label("Name", exact=True).fill("second")
        dialog.get_by_label("Address").fill(address)
        dialog.get_by_label("Socket type").select_option("PUB")
        dialog.get_by_role("button", name="Add").click()
        expect(dialog.locator(".refusal")).to_contain_text("only while the repeater is not RUNNING")
        assert "second" not in client.streams
        client.execute("engine.stop").wait(30)
        dialog.get_by_role("button", name="Add").click()
        expect(dialog).to_be_hidden()
        assert (client.streams["second"].address, client.streams["second"].mode) == (address, "PUB")
        expect(page.locator(".section-head h3")).to_have_text("Stream second")
        page.get_by_role("button", name="Remove").click()
        dialog.get_by_role("button", name="Remove").click()
        expect(page.get_by_role("button", name="Stream second")).to_have_count(0)
        assert list(client.streams) == ["all"]
        page.get_by_role("button", name="Add writer").click()
        dialog.get_by_label("Name", exact=True).fill("spare")
        dialog.get_by_label("Folder").fill(str(beamline.folder))
        dialog.get_by_role("button", name="Add").click()
        expect(page.locator(".section-head h3")).to_have_text("Writer spare")
        assert client.writers["spare"].folder == str(beamline.folder)
        page.get_by_role("button", name="Remove").click()
        dialog.get_by_role("button", name="Remove").click()
        expect(page.get_by_role("button", name="Writer spare")).to_have_count(0)
        assert list(client.writers) == ["main"]


def test_the_page_works_over_https_with_its_websocket(
    browser: Browser, tmp_path: Path, service: Service
) -> None:
    files = Authority(tmp_path).issue("server")
    app = create_app({"test": service})
    own = Certificate(files.certificate, files.key)
    errors: list[str] = []
    with (
        HttpServer(app, port=0, certificate=own) as server,
        open_page(browser, f"{server.url}/", errors=errors) as page,
    ):
        expect(state(page)).to_have_text("Initialized")
        service.execute("engine.start", None, ME)  # comes by the WebSocket, which is wss here
        expect(state(page)).to_have_text("Running")
        assert page.evaluate("isSecureContext")
    assert errors == []


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


def test_the_engines_stand_in_a_table_and_one_that_is_lost_heals(browser: Browser, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    address = f"tcp://127.0.0.1:{free_port()}"
    with (
        running_engine(folders[0]) as one,
        running_engine(folders[1]) as two,
        closing(RemoteEngine(address, "", "http")) as remote,
        HttpServer(create_app({"one": one, "two": remote}), port=0) as server,
        open_page(browser, f"{server.url}/") as page,
    ):
        rows = page.locator(".all-engines tbody tr")
        expect(rows).to_have_count(2)
        expect(rows.nth(0)).to_contain_text(platform.node())
        expect(rows.nth(1)).to_contain_text("Unknown")
        expect(rows.nth(1)).to_contain_text("answer")
        with closing(EngineServer(two, address)) as served:
            served.start()
            expect(rows.nth(1)).to_contain_text("Initialized")
            two.execute("engine.start", None, ME)
            expect(rows.nth(1)).to_contain_text("Running")
            two.execute("writers.main.start", None, ME)
            expect(rows.nth(1)).to_contain_text("main 0")
            rows.nth(1).get_by_role("link").click()
            expect(state(page)).to_have_text("Running")
        expect(rows.nth(1)).to_contain_text("Unknown")
        page.get_by_role("button", name="Log", exact=True).first.click()
        expect(page.locator(".all-engines")).to_have_count(0)


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
        for view in ("Live", "Acquisitions", "Files", "Log", "Settings", "Add writer"):
            page.get_by_role("button", name=view, exact=True).first.click()
            page.wait_for_timeout(300)
            found = Axe().run(page).response["violations"]
            serious = [v for v in found if v["impact"] in ("serious", "critical")]
            assert not serious, [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in serious]
