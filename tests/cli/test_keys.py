"""`repstream keys` as it is typed, without a process for each word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from repstream.errors import Refused
from repstream.sockets.keys import SECRET, Keys
from repstream_cli.exits import Exit
from repstream_cli.keys import keys as command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def typed(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--keys", str(folder)])


def test_two_hosts_exchange_their_public_keys(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    public = typed(folder, "create", "engine").stdout.strip()
    assert typed(folder, "show", "engine").stdout.strip() == public
    assert typed(other, "add", "engine", public).exit_code == Exit.OK
    assert json.loads(typed(other, "list", "--json").stdout) == [
        {"name": "engine", "own": False, "public": public}
    ]
    rotated = typed(folder, "rotate", "engine").stdout.strip()
    assert rotated != public and rotated == Keys(folder).public("engine").decode()
    assert typed(folder, "remove", "engine").exit_code == Exit.OK
    assert "no keys in" in typed(folder, "list").stdout


def test_no_command_prints_a_secret(folder: Path) -> None:
    said = [typed(folder, "create", "a")]
    secrets = [Keys(folder).pair("a").secret.decode()]
    said.append(typed(folder, "rotate", "a"))
    secrets.append(Keys(folder).pair("a").secret.decode())
    said += [
        typed(folder, *words) for words in (["list"], ["list", "--json"], ["show", "a"], ["remove", "a"])
    ]
    assert not [secret for secret in secrets for each in said if secret in each.output]


def test_a_secret_that_others_may_read_is_a_fault(folder: Path) -> None:
    typed(folder, "create", "a")
    (folder / f"a{SECRET}").chmod(0o644)
    seen = typed(folder, "list")
    assert seen.exit_code == Exit.FAULTS
    assert "chmod 600" in seen.output


def test_what_cannot_be_done_is_refused_with_the_reason(folder: Path) -> None:
    seen = typed(folder, "show", "nobody")
    assert isinstance(seen.exception, Refused)
    assert "`repstream keys add nobody KEY`" in str(seen.exception)
