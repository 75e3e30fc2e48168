"""The documentation as a site: faults that `make site` must not let through, and where a page stands."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from docs import errors

ROOT = Path(__file__).parents[2]
MKDOCS = ROOT / ".venv-site/bin/mkdocs"


def built(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [str(MKDOCS), "build", "--strict"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the site is made of, with the pages to be spoilt."""
    if not MKDOCS.exists():
        if os.environ.get("REPSTREAM_REQUIRE_ALL") == "1":
            pytest.fail("`make site` has made no environment")
        pytest.skip("mkdocs is not installed: `make site`")
    folder = tmp_path_factory.mktemp("site")
    for name in ("docs", "deploy", "examples", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [
        *ROOT.glob("*.md"),
        ROOT / "mkdocs.yml",
        *ROOT.glob("LICENSE"),
        *ROOT.glob(".pre-commit-config.yaml"),
    ]:
        shutil.copy(path, folder)
    return folder


def test_links_that_lead_nowhere_are_errors(copy: Path) -> None:
    page = copy / "docs/explanations/spoilt.md"
    page.write_text("# Spoilt\n\n[a](../how-to/gone.md) [b](shape.md#gone) [c](../../deploy/gone.txt)\n")
    try:
        seen = built(copy)
    finally:
        page.unlink()
    said = seen.stdout + seen.stderr
    assert seen.returncode != 0
    for broken in ("'../how-to/gone.md'", "'#gone'", "'../../deploy/gone.txt'"):
        assert broken in said or broken.strip("'") in said, said


def test_nothing_is_fetched_from_elsewhere(copy: Path) -> None:
    page = copy / "docs/explanations/spoilt.md"
    page.write_text('# Spoilt\n\n<img src="https://example.com/a.png">\n')
    try:
        seen = built(copy)
    finally:
        page.unlink()
    assert seen.returncode != 0
    assert "fetched from elsewhere: <img src=" in seen.stdout + seen.stderr


def test_texts_of_errors_are_sorted_and_lead_to_their_section() -> None:
    texts = errors.texts()
    assert len(texts) > 15
    assert "a-command-or-a-write-is-refused" in {errors.anchor(section) for _, section in texts}
    plain = ["".join(c for c in text.lower() if c.isalnum()) for text, _ in texts]
    assert plain == sorted(plain)


def test_every_how_to_page_is_in_its_index() -> None:
    folder = ROOT / "docs/how-to"
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert not [p.name for p in folder.glob("*.md") if p.name != "README.md" and f"({p.name})" not in index]
