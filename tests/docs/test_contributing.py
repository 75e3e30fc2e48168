"""The examples of CONTRIBUTING.md, each put where it says, and a release in a repository of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from repstream.errors import MalformedMessage
from repstream.messages import formats
from repstream.messages.pixels import array_of
from repstream.parameters.catalogue import build
from repstream.parameters.groups import Group, GroupDeclaration, Slots
from repstream_epics import names as epics
from repstream_tango import names as tango
from tests.fakes import running_engine
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
IMPORTS = """
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from pydantic import Field

from repstream.errors import Refused
from repstream.messages.frame import Frame
from repstream.messages.header import Id, Shape, check_id, count_parts, expect_htype, header_of, read_json
from repstream.messages.pixels import measured
from repstream.parameters.facts import Access, Unit
from repstream.parameters.stream import OutputConfig
from repstream.policies.decimation import _Untimed
from repstream.protocol import Change, Engine, Event, Requester
"""
"""What a module of that room begins with."""


@pytest.fixture
def example(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What an example of the page defines."""
    found = re.search(rf"<!-- {request.param} -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    module = ModuleType("contributed")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where pydantic looks for names
    exec(compile(IMPORTS + found[1], "CONTRIBUTING.md", "exec"), vars(module))
    return vars(module)


@pytest.mark.parametrize("example", ["parameter"], indirect=True)
def test_a_parameter_is_everywhere(example: dict[str, Any]) -> None:
    declared = GroupDeclaration(Group.STREAM, "stream", example["StreamConfig"], slots=Slots.NAMED, count=1)
    parameter = build([declared]).parameters["streams.1.max_clients"]
    assert (tango.attribute_name(parameter), epics.setpoint(parameter)) == (
        "Stream1MaxClients",
        "Strm1:MaxClients",
    )
    assert (parameter.unit, parameter.minimum, parameter.default) == ("clients", 0, 0)
    for name in ("Stream1MaxClients", "Strm1:MaxClients", "streams.live.max_clients"):
        assert f"`{name}`" in PAGE


@pytest.mark.parametrize("example", ["format"], indirect=True)
def test_a_format_is_decoded(example: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(formats.CODECS, "tiny-1.", example["decode"])  # type: ignore[arg-type]
    image = np.arange(6, dtype="uint16").reshape(2, 3)
    header = json.dumps({"htype": "tiny-1.0", "frame": 7, "shape": [2, 3]}).encode()
    frame = formats.decode([header, image.tobytes()])
    assert frame.frame_id == 7
    assert (array_of(frame) == image).all()
    with pytest.raises(MalformedMessage, match="size"):
        formats.decode([header, b"short"])


@pytest.mark.parametrize("example", ["policy"], indirect=True)
def test_a_policy_decides(example: dict[str, Any]) -> None:
    policy = example["AfterFirst"](3)
    assert [n for n in range(6) if policy.decide(n, 0.0)] == [3, 4, 5]


@pytest.mark.parametrize("example", ["front end"], indirect=True)
def test_a_front_end_writes_and_shows(example: dict[str, Any], tmp_path: Path) -> None:
    said: list[str] = []
    with running_engine(tmp_path) as engine:
        lines = example["Lines"](engine, said.append)
        lines.take("streams.live.every_nth 5", "anna")
        until(lambda: "streams.1.every_nth 5" in said, "the change")
        lines.take("streams.live.every_nth 0", "anna")
    assert any(line.startswith("refused: 0 is not possible") for line in said)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What a release changes, committed."""
    for name in ("pyproject.toml", "CHANGELOG.md", "deploy/conda/recipe.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "tests/data/configurations").mkdir(parents=True)
    (tmp_path / ".gitignore").write_text("dist/\nbuild/\n*.egg-info/\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "config", "user.email", "a@example.com")
    git(tmp_path, "config", "user.name", "a")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "all")


def release(folder: Path, version: str, check: str = "true") -> subprocess.CompletedProcess[str]:
    tool = [sys.executable, str(ROOT / "tools/release.py"), version, "--root", str(folder), "--check", check]
    tool += ["--build", "mkdir dist"]
    return subprocess.run(tool, capture_output=True, text=True, timeout=100, check=False)


def test_a_release_by_one_command(repository: Path) -> None:
    done = release(repository, "7.8.9")
    assert done.returncode == 0, done.stderr
    assert 'version = "7.8.9"' in (repository / "pyproject.toml").read_text()
    assert 'version: "7.8.9"' in (repository / "deploy/conda/recipe.yaml").read_text()
    assert re.search(
        r"## \[Unreleased\]\n\n## \[7\.8\.9\] - \d{4}-", (repository / "CHANGELOG.md").read_text()
    )
    assert (
        json.loads((repository / "tests/data/configurations/7.8.9.json").read_text())["schema_version"] >= 1
    )
    assert (repository / "dist").is_dir()
    assert git(repository, "tag").split() == ["v7.8.9"]
    assert git(repository, "status", "--porcelain") == ""
    assert "nothing under Unreleased" in release(repository, "7.9.0").stderr


@pytest.mark.parametrize(
    ("version", "check", "spoil", "reason"),
    [
        ("7.8", "true", False, "is no version"),
        ("0.0.1", "true", False, "must be above"),
        ("7.8.9", "true", True, "not clean"),
        ("7.8.9", "false", False, "`false` fails"),
    ],
)
def test_what_is_not_ready_is_not_released(
    repository: Path, version: str, check: str, spoil: bool, reason: str
) -> None:
    before = git(repository, "rev-parse", "HEAD")
    if spoil:
        (repository / "new").write_text("")
    refused = release(repository, version, check)
    assert refused.returncode == 1
    assert reason in refused.stderr
    assert git(repository, "rev-parse", "HEAD") == before
    assert git(repository, "tag") == ""
