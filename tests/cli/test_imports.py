"""What is not needed is not imported: `repstream --help` and `import repstream` come at once.

No times here, which differ from machine to machine: docs/reference/command-line.md has them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from repstream_cli.lazy import LazyCommand
from repstream_cli.main import COMMANDS

HEAVY = {
    "caproto",
    "fastapi",
    "google.protobuf",
    "h5py",
    "hdf5plugin",
    "numpy",
    "p4p",
    "pydantic",
    "tango",
    "zmq",
}
ENGINE = HEAVY - {"pydantic", "zmq"}
"""What the engine's protocol does not need."""

REPSTREAM = "import sys; sys.argv[0] = 'repstream'; from repstream_cli.main import main; main()"


def imported(code: str, *arguments: str) -> set[str]:
    """The modules that are there when `code` has ended."""
    log = [sys.executable, "-X", "importtime", "-c", code, *arguments]
    ran = subprocess.run(log, capture_output=True, text=True, timeout=60, check=True)
    return {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if "|" in line}


@pytest.mark.parametrize(
    ("code", "arguments", "unwanted"),
    [
        ("import repstream", (), HEAVY | {"asyncio", "repstream.client"}),
        (REPSTREAM, ("--help",), HEAVY | {"asyncio", "repstream.client"}),
        (REPSTREAM, ("version",), HEAVY - {"pydantic"}),
        (REPSTREAM, ("status", "--help"), ENGINE),
        ("import repstream; repstream.Client", (), ENGINE),
    ],
)
def test_nothing_is_imported_that_is_not_needed(
    code: str, arguments: tuple[str, ...], unwanted: set[str]
) -> None:
    there = imported(code, *arguments)
    assert "repstream.errors" in there
    assert not there & unwanted


@pytest.mark.parametrize(
    ("code", "arguments", "most"), [("import repstream", (), 30), (REPSTREAM, ("--help",), 400)]
)
def test_few_modules_are_imported(code: str, arguments: tuple[str, ...], most: int) -> None:
    """8 and 261 when this was written: what takes the time, on whatever machine."""
    more = imported(code, *arguments) - imported("pass")
    assert len(more) <= most, f"{len(more)} modules: {', '.join(sorted(more))}"


def test_the_list_of_commands_says_what_each_command_says_itself() -> None:
    for name, place in COMMANDS.items():
        own = LazyCommand(name, place).loaded()
        assert own.help.split("\n\n")[0].replace("\n", " ") == place.summary, name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_is_completed(shell: str, tmp_path: Path) -> None:
    environment = {
        "PATH": str(Path(sys.executable).parent),
        "HOME": str(tmp_path),
        "_REPSTREAM_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "repstream ver",
        "COMP_WORDS": "repstream ver",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    command = [str(Path(sys.executable).parent / "repstream")]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "verify" in ran.stdout
    assert "version" in ran.stdout


def test_options_are_completed_too(tmp_path: Path) -> None:
    environment = {
        "PATH": str(Path(sys.executable).parent),
        "HOME": str(tmp_path),
        "_REPSTREAM_COMPLETE": "complete_bash",
        "COMP_WORDS": "repstream verify --js",
        "COMP_CWORD": "2",
    }
    command = [str(Path(sys.executable).parent / "repstream")]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout.strip() == "--json"
