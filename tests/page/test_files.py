"""The page's files: vendored ones are what they say, nothing comes from elsewhere, all is in the wheel."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import httpx

from repstream_http import page_files
from repstream_http.guard import SECURE

PAGE = Path(page_files.__file__).parent / "page"
VENDOR = PAGE / "vendor"
OWN = sorted(p for p in PAGE.rglob("*") if p.suffix in {".js", ".css", ".html"} and VENDOR not in p.parents)


def test_vendored_files_are_those_of_the_versions_that_are_named() -> None:
    facts = json.loads((VENDOR / "vendored.json").read_text())
    assert {p.name for p in VENDOR.iterdir()} == {*facts, "vendored.json"}
    for name, fact in facts.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == fact["sha256"], name
        assert fact["licence"] == "MIT" and fact["version"]


def test_nothing_is_loaded_from_elsewhere() -> None:
    for path in OWN:
        found = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", path.read_text())
        assert not [url for url in found if "www.w3.org" not in url and "localhost" not in url], path


def test_no_markup_has_inline_script_or_style() -> None:
    markup = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", markup)
    for path in OWN:
        assert "innerHTML" not in path.read_text(), f"{path}: text must never be taken as markup"


def test_every_import_is_a_file_of_the_page() -> None:
    for path in OWN:
        for name in re.findall(r'(?:from|import) "(\.[^"]+)"', path.read_text()):
            assert (path.parent / name).is_file(), f"{path}: {name}"


def test_the_page_and_its_files_come_with_types_tags_and_secure_headers(http: httpx.Client) -> None:
    index = http.get("/")
    assert index.headers["content-type"].startswith("text/html")
    for name, value in SECURE.items():
        assert index.headers[name] == value
    assert "unsafe-inline" not in index.headers["content-security-policy"]
    script = http.get("/page/main.js")
    assert script.headers["content-type"].startswith("text/javascript")
    again = http.get("/page/main.js", headers={"if-none-match": script.headers["etag"]})
    assert again.status_code == 304 and not again.content


def test_only_files_of_the_page_are_served(http: httpx.Client) -> None:
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page/nothing.js", "/page/vendor/uplot.LICENSE"):
        assert http.get(path).status_code == 404, path
