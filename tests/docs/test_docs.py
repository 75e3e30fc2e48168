"""Documentation that follows from the code is current."""

import re
import tomllib
from pathlib import Path

import pytest
import typer

from docs import generate
from repstream_cli.exits import Exit
from repstream_cli.main import app

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", generate.pages())
def test_generated_pages_are_current(name):
    stored = (generate.REFERENCE / name).read_text(encoding="utf-8")
    assert stored == generate.pages()[name], "run `make docs`"


def dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(requirement for extra in extras for requirement in extra)]
    return {requirement.split(">")[0].split("[")[0] for requirement in wanted} - {"repstream"}


def test_every_dependency_has_its_reason():
    page = (ROOT / "docs/reference/dependencies.md").read_text(encoding="utf-8")
    assert not [name for name in dependencies() if f"`{name}`" not in page]


def test_every_dependency_is_pinned():
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    assert not [name for name in dependencies() if f"\n{name}==" not in pins]


def test_every_program_and_command_is_documented():
    page = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    programs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"].keys() - {
        "repstream"
    }
    group = typer.main.get_command(app)
    wanted = [*programs, *(f"repstream {name}" for name in group.list_commands(None))]
    assert len(wanted) > 35
    assert not [name for name in wanted if f"`{name}`" not in page]


def test_every_exit_code_is_documented():
    page = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    codes = page.partition("## Exit codes")[2].partition("## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d) \|", codes, re.MULTILINE)] == sorted(Exit)


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")], ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = [part.split(")")[0] for part in text.split("](")[1:]]
    local = [link.split("#")[0] for link in links if "://" not in link and not link.startswith("#")]
    assert not [link for link in local if not (page.parent / link).exists()]


def test_every_folder_and_reference_page_is_in_the_index():
    docs = ROOT / "docs"
    index = (docs / "README.md").read_text(encoding="utf-8")
    wanted = [*docs.glob("reference/*.md"), *docs.glob("explanations/*.md"), *docs.glob("tutorials/*.md")]
    wanted += [docs / name for name in ("how-to/README.md", "performance.md", "reliability.md", "decisions")]
    assert not [path for path in wanted if f"]({path.relative_to(docs)})" not in index]


def test_decisions_are_numbered_one_after_the_other():
    records = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [record.name[:4] for record in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    for record in records:
        assert record.read_text(encoding="utf-8").startswith(f"# {int(record.name[:4])}. "), record.name
