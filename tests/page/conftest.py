"""One Chromium and one beamline for all tests of the page; the server of those of the HTTP room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.page.beamline import Beamline, running_beamline
from tests.page.browser import running_browser
from tests.rest.conftest import http, plane, running, server, service

__all__ = ["http", "plane", "running", "server", "service"]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="package")
def whole(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    with running_beamline(tmp_path_factory.mktemp("beamline")) as beamline:
        yield beamline


@pytest.fixture
def beamline(whole: Beamline) -> Beamline:
    whole.reset()
    return whole
